// How a cell's attempts, calls and root requests end, and what is recorded of them.
#include "sim/serving/cell.hpp"
#include "sim/serving/cell_parts.hpp"

namespace headroom::serving {

void Cell::attempt_completed(Time now, AttemptId id, const AttemptReport& report) {
    Attempt& attempt = attempts_[id];
    const LiveCall call = live(attempt.call);
    if (call.service.kv_fabric != nullptr && !call.call.handover.valid()) {
        hand_over(now, {id, attempt}, call, report);
        return;
    }
    take_over(call.call, report);
    end_attempt(now, {id, attempt}, call, Outcome::completed);
    continue_call(now, call);
}

/// The records of one request mostly have the same index.
void Cell::prefetch_attempt(std::uint32_t index) const {
    attempts_.prefetch(index);
    calls_.prefetch(index);
    roots_.prefetch(index);
}

void Cell::attempt_rejected(Time now, AttemptId id, Cause cause) {
    Attempt& attempt = attempts_[id];
    const LiveCall call = live(attempt.call);
    end_attempt(now, {id, attempt}, call, Outcome::rejected);
    end_call(now, call, Outcome::rejected, cause);
}

void Cell::take_over(Call& call, const AttemptReport& report) {
    call.first_scheduled = report.first_scheduled;
    call.first_token = report.first_token;
    call.generated = static_cast<std::int32_t>(report.output_tokens);
    call.preemptions += report.preemptions;
}

void Cell::end_attempt(Time now, const LiveAttempt& attempt, const LiveCall& live,
                       Outcome outcome) {
    const std::uint32_t instance = attempt.attempt.instance;
    live.service.stats.attempts.end(outcome);
    live.call.attempt = AttemptId::none();
    attempts_.erase(attempt.id);
    if (InstanceRecord* record = instances_[instance].get()) vacate(now, instance, *record);
}

void Cell::time_out(Time now, CallId id) {
    const LiveCall call = live(id);
    abandon(now, call);
    end_call(now, call, Outcome::timed_out, Cause::timeout);
}

/// Takes back whatever a call is waiting for, for it is about to end.
void Cell::abandon(Time now, const LiveCall& live) {
    Call& call = live.call;
    if (call.queued) leave_queue(live);
    if (call.attempt.valid()) {
        const AttemptId id = call.attempt;
        Attempt& attempt = attempts_[id];
        if (attempt.delivery.valid()) {
            queue_.cancel(attempt.delivery);
        } else {
            InstanceRecord& record = *instances_[attempt.instance];
            take_over(call, record.instance->report(position_, attempt.slot));
            record.instance->abort(position_, attempt.slot);
            reschedule(attempt.instance, record);
        }
        end_attempt(now, {id, attempt}, live, Outcome::timed_out);
    }
    if (call.handover.valid()) forget_handover(now, call);
    if (call.child.valid()) {
        const LiveCall child = this->live(call.child);
        abandon(now, child);
        settle(now, child, Outcome::timed_out, Cause::timeout);
    }
}

void Cell::continue_call(Time now, const LiveCall& live) {
    Call& call = live.call;
    const auto& further = live.service.spec->calls;
    if (call.next_child == further.size()) {
        end_call(now, live, Outcome::completed, Cause::none);
        return;
    }
    call_further(now, live, local_[further[call.next_child++]]);
}

void Cell::end_call(Time now, const LiveCall& live, Outcome outcome, Cause cause) {
    const CallId parent = live.call.parent;
    const RootId root = live.call.root;
    settle(now, live, outcome, cause);
    if (!parent.valid()) {
        end_root(now, {root, live.root}, outcome);
        return;
    }
    const LiveCall caller = this->live(parent);
    caller.call.child = CallId::none();
    if (outcome == Outcome::completed) {
        continue_call(now, caller);
    } else {
        end_call(now, caller, outcome, cause);
    }
}

/// Counts, records and forgets a call; its parent and root are the caller's affair.
void Cell::settle(Time now, const LiveCall& live, Outcome outcome, Cause cause) {
    const Call& call = live.call;
    ServiceStats& stats = live.service.stats;
    if (call.timeout.valid()) queue_.cancel(call.timeout);
    if (live.call.handover.valid()) forget_handover(now, live.call);
    stats.calls.end(outcome);
    if (outcome != Outcome::completed) ++stats.causes[static_cast<std::size_t>(cause)];
    stats.backlog.change(now, -1);
    if (call.version != kNone) [[unlikely]] {
        live.service.versions[call.version]->calls.change(now, -1);
    }
    stats.sojourn += now - call.arrival;
    const bool arrived_in_window = call.arrival >= config_.measure_from;
    if (outcome == Outcome::completed && (arrived_in_window || now > config_.measure_from)) {
        count_completed(live);
    }
    if (arrived_in_window) record(now, live, outcome);
    hash_outcome(live, now, outcome, cause);
    if (config_.keep_rows) add_row(live, now, outcome, cause);
    calls_.erase(live.id);
}

/// Throughput is what ended within the window, whenever it came.
void Cell::count_completed(const LiveCall& live) {
    const Call& call = live.call;
    live.service.for_figures_of(call, [&call](ServiceStats& stats) {
        ++stats.measured_completed;
        if (call.first_token == Time::max()) return;
        stats.prompt_tokens += call.prompt;
        stats.output_tokens += call.generated;
    });
}

/// Latencies and objectives are those of what came within the window.
void Cell::record(Time now, const LiveCall& live, Outcome outcome) {
    record_slo(now, live, outcome);
    if (outcome != Outcome::completed) return;
    const Call& call = live.call;
    live.service.for_figures_of(call, [&call, now](ServiceStats& stats) {
        stats.e2e.record((now - call.arrival).ps());
        stats.queue.record((call.first_scheduled - call.arrival).ps());
        if (call.first_token == Time::max()) return;
        stats.ttft.record((call.first_token - call.arrival).ps());
        // The engine's last token: with calls to further services the response comes later.
        if (call.generated > 1 && call.next_child == 0) {
            stats.tpot.record((now - call.first_token).ps() / (call.generated - 1));
        }
    });
}

void Cell::record_slo(Time now, const LiveCall& live, Outcome outcome) {
    const SloSpec& slo = live.service.spec->slo;
    if (!slo.any()) return;
    const Call& call = live.call;
    bool good = outcome == Outcome::completed;
    if (slo.e2e && now - call.arrival > *slo.e2e) good = false;
    if (slo.ttft && call.first_token != Time::max() &&
        call.first_token - call.arrival > *slo.ttft) {
        good = false;
    }
    if (slo.tpot && call.generated > 1 && call.next_child == 0 &&
        (now - call.first_token).ps() / (call.generated - 1) > slo.tpot->ps()) {
        good = false;
    }
    live.service.for_figures_of(
        call, [good](ServiceStats& stats) { ++(good ? stats.slo_good : stats.slo_missed); });
}

void Cell::hash_outcome(const LiveCall& live, Time finish, Outcome outcome, Cause cause) {
    const Call& call = live.call;
    metrics::DigestRecord record(outcome);
    record.add(live.root.number)
        .add(static_cast<std::uint64_t>(live.root.source) << 32 | live.service.global)
        .add(static_cast<std::uint64_t>(call.number) << 32 | call.instance)
        .add(call.arrival)
        .add(call.first_scheduled)
        .add(call.first_token)
        .add(finish)
        .add(static_cast<std::uint64_t>(call.prompt) << 32 |
             static_cast<std::uint32_t>(call.generated))
        .add(static_cast<std::uint64_t>(call.preemptions) << 32 | call.attempts << 8 |
             static_cast<std::uint32_t>(cause));
    digest_.add(record);
}

void Cell::add_row(const LiveCall& live, Time finish, Outcome outcome, Cause cause) {
    const Call& call = live.call;
    rows_.push_back({.id = live.root.number,
                     .source = live.root.source,
                     .service = live.service.global,
                     .instance = call.instance,
                     .preemptions = call.preemptions,
                     .arrival = call.arrival,
                     .first_scheduled = call.first_scheduled,
                     .first_token = call.first_token,
                     .finish = finish,
                     .prompt_tokens = call.prompt,
                     .output_tokens = call.generated,
                     .outcome = outcome,
                     .cause = cause,
                     .attempts = call.attempts});
}

void Cell::end_root(Time now, const LiveRoot& live, Outcome outcome) {
    last_activity_ = now;
    const std::uint32_t index = source_of_[live.root.source];
    const std::uint32_t user = live.root.user;
    roots_.erase(live.id);
    Source& source = *sources_[index];
    services_[source.service]->stats.requests.end(outcome);
    if (!source.answers_completions) return;
    source.source->completed({now, user, outcome});
    refresh_source(source, index);
}

}  // namespace headroom::serving
