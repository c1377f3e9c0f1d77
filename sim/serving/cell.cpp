#include "sim/serving/cell.hpp"

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/serving/cell_parts.hpp"

namespace headroom::serving {

Cell::Cell(const CellConfig& config, const std::vector<ServiceSpec>& specs,
           const std::vector<SourceSpec>& source_specs, std::vector<std::uint32_t> services)
    : config_(config),
      service_indices_(std::move(services)),
      local_(specs.size(), kNone),
      source_of_(source_specs.size(), kNone) {
    for (const std::uint32_t global : service_indices_) {
        local_[global] = static_cast<std::uint32_t>(services_.size());
        const ServiceSpec& spec = specs[global];
        auto service = std::make_unique<Service>();
        service->spec = &spec;
        service->global = global;
        service->version_split = RandomStream(config.seed, "service/" + spec.name + "/version");
        service->jitter = RandomStream(config.seed, "service/" + spec.name + "/jitter");
        service->service_times =
            RandomStream(config.seed, "service/" + spec.name + "/service_time");
        for (const VersionSpec& version : spec.versions) {
            auto endpoints = std::make_unique<Endpoints>(*this);
            endpoints->spec = &version;
            endpoints->weight = version.weight;
            endpoints->router = make_policy<RoutingPolicy>(
                spec.routing,
                {RandomStream(config.seed, "service/" + spec.name + "/routing/" + version.name)});
            service->versions.push_back(std::move(endpoints));
        }
        services_.push_back(std::move(service));
        count_unserved(*services_.back());
    }
    for (std::uint32_t i = 0; i < source_specs.size(); ++i) {
        if (local_[source_specs[i].service] == kNone) continue;
        source_of_[i] = static_cast<std::uint32_t>(sources_.size());
        auto source = std::make_unique<Source>();
        source->spec = &source_specs[i];
        source->global = i;
        source->service = local_[source_specs[i].service];
        source->source = source_specs[i].make(config.seed);
        source->answers_completions = source->source->answers_completions();
        sources_.push_back(std::move(source));
        refresh_source(static_cast<std::uint32_t>(sources_.size() - 1));
    }
}

Cell::~Cell() = default;

// ---------------------------------------------------------------- the event loop

EventKey Cell::next_key() const {
    return queue_.empty() ? EventKey{Time::max(), ~0ULL} : queue_.top_key();
}

void Cell::run_next() {
    position_ = queue_.top_key();
    const Payload payload = queue_.top();
    const Time now = position_.time;
    switch (position_.event_class()) {
        case kArrival:
            arrive(now, payload.index);
            break;
        case kStepEnd:
        case kBatchForms:
            run_instance(now, payload.index);
            break;
        case kDelivery:
            queue_.pop();
            deliver(now, {payload.index, payload.generation});
            break;
        case kTimeout: {
            queue_.pop();
            const CallId call{payload.index, payload.generation};
            abandon(now, call);
            end_call(now, call, Outcome::timed_out, Cause::timeout);
            break;
        }
        default:
            HEADROOM_CHECK(false, "an event of an unknown class");
    }
    if (!retired_.empty()) forget_retired();
}

void Cell::run_instance(Time now, std::uint32_t index) {
    InstanceRecord& record = *instances_[index];
    record.instance->run(now, *this);
    if (instances_[index] == nullptr) return;  // drained: the record is gone when this event is
    // A batch mostly forms right where the last one ended: without a turn in the queue when nothing
    // else has its turn first.
    Instance::NextEvent next = record.instance->next_event();
    if (next.event_class == kBatchForms && next.time == now && notifications_.empty()) {
        const EventKey key = EventKey::make(now, kBatchForms, index);
        if (queue_.none_before(key, record.event)) {
            position_ = key;
            record.instance->run(now, *this);
            next = record.instance->next_event();
        }
    }
    reschedule(index, record, next);
}

bool Cell::run_until(Time limit, std::int64_t most) {
    while (!queue_.empty() && queue_.top_key().time < limit) {
        if (most-- == 0) return false;
        run_next();
        if (!notifications_.empty() || !error_.empty()) [[unlikely]]
            return false;
    }
    return true;
}

std::vector<Notification> Cell::take_notifications() {
    std::vector<Notification> taken;
    taken.swap(notifications_);
    return taken;
}

bool Cell::sources_ended() const {
    return std::all_of(sources_.begin(), sources_.end(),
                       [](const auto& source) { return !source->event.valid(); });
}

// ---------------------------------------------------------------- requests arrive

void Cell::refresh_source(std::uint32_t index) {
    Source& source = *sources_[index];
    const OptionalTime next = source.source->peek();
    const Time time = next.or_never();
    if (time == source.scheduled && source.event.valid() == next.has_value()) return;
    source.scheduled = time;
    if (!next) {
        queue_.cancel(source.event);
        source.event = {};
        if (!source.source->error().empty() && error_.empty()) error_ = source.source->error();
        return;
    }
    const EventKey key = EventKey::make(time, kArrival, source.global);
    if (source.event.valid()) {
        queue_.move(source.event, key);
    } else {
        source.event = queue_.push(key, {index, 0});
    }
}

void Cell::arrive(Time now, std::uint32_t index) {
    Source& source = *sources_[index];
    const Arrival arrival = source.source->take();
    source.scheduled = Time::max();  // whatever comes next, also at this very time, is new
    refresh_source(index);
    ++arrived_;
    last_activity_ = now;
    Service& service = *services_[source.service];
    ++service.stats.requests.arrived;

    const RootId root = roots_.emplace();
    RootRequest& request = roots_[root];
    request.number = source.next_number++;
    request.arrival = now;
    request.source = source.global;
    request.user = arrival.user;
    request.attributes = arrival.attributes;
    enter_service(now, new_call(now, root, CallId::none(), source.service, arrival.prompt.count(),
                                arrival.output.count()));
}

CallId Cell::new_call(Time now, RootId root, CallId parent, std::uint32_t service,
                      std::int64_t prompt, std::int64_t output) {
    const CallId id = calls_.emplace();
    Call& call = calls_[id];
    call.root = root;
    call.parent = parent;
    call.service = service;
    call.arrival = now;
    call.prompt = static_cast<std::int32_t>(prompt);
    call.output = static_cast<std::int32_t>(output);
    call.number = roots_[root].calls++;
    return id;
}

void Cell::enter_service(Time now, CallId id) {
    Call& call = calls_[id];
    Service& service = *services_[call.service];
    ++service.stats.calls.arrived;
    service.stats.last_arrival = now;
    service.stats.backlog.change(now, 1);
    ++next_call_;
    if (service.spec->gateway.timeout) {
        const EventKey key =
            EventKey::make(now.later_by(*service.spec->gateway.timeout), kTimeout, next_call_);
        call.timeout = queue_.push(key, {id.index, id.generation});
    }
    dispatch_or_queue(now, id);
}

// ---------------------------------------------------------------- gateway and router

Cell::Endpoints* Cell::choose_version(const Call& call) {
    Service& service = *services_[call.service];
    if (service.versions.size() == 1) {
        Endpoints& only = *service.versions[0];
        return only.open.empty() || only.weight == 0 ? nullptr : &only;
    }
    std::int64_t total = 0;
    for (const auto& version : service.versions) {
        if (!version->open.empty()) total += version->weight;
    }
    if (total == 0) return nullptr;
    const RootRequest& root = roots_[call.root];
    auto draw = static_cast<std::int64_t>(
        service.version_split.below(static_cast<std::uint64_t>(total), root.number,
                                    static_cast<std::uint64_t>(root.source) << 32 | call.number));
    for (const auto& version : service.versions) {
        if (version->open.empty()) continue;
        draw -= version->weight;
        if (draw < 0) return version.get();
    }
    return nullptr;
}

void Cell::dispatch_or_queue(Time now, CallId id) {
    Call& call = calls_[id];
    Service& service = *services_[call.service];
    if (service.queued == 0) {
        if (Endpoints* endpoints = choose_version(call)) {
            send(now, id, *endpoints);
            return;
        }
    }
    const std::int64_t limit = service.spec->gateway.queue_limit;
    if (limit >= 0 && service.queued >= limit) {
        end_call(now, id, Outcome::rejected, Cause::gateway_queue_full);
        return;
    }
    call.queued = true;
    service.queue.push_back(id);
    ++service.queued;
    if (service.endpoints == 0 && !service.notified) {
        service.notified = true;
        count_unserved(service);
        notifications_.push_back({now, Notification::Kind::request_waits, {service.global, 0}});
    }
}

void Cell::dispatch_queued(Time now, std::uint32_t local) {
    Service& service = *services_[local];
    while (service.queued > 0) {
        const CallId id = service.queue.front();
        if (!calls_.contains(id) || !calls_[id].queued) {
            service.queue.pop_front();
            continue;
        }
        Endpoints* endpoints = choose_version(calls_[id]);
        if (endpoints == nullptr) return;
        service.queue.pop_front();
        --service.queued;
        calls_[id].queued = false;
        send(now, id, *endpoints);
    }
    service.queue.clear();
}

void Cell::send(Time now, CallId id, Endpoints& endpoints) {
    Call& call = calls_[id];
    Service& service = *services_[call.service];
    const RootRequest& root = roots_[call.root];
    const std::uint64_t draw = static_cast<std::uint64_t>(root.source) << 32 |
                               static_cast<std::uint64_t>(call.number) << 8 |
                               std::min<std::uint64_t>(call.attempts, 255);
    const std::int64_t position =
        endpoints.router->pick(endpoints, {root.number, draw, root.attributes});
    HEADROOM_DCHECK(position >= 0 && position < endpoints.size(), "a router picked no endpoint");
    const std::uint32_t index = endpoints.open[static_cast<std::size_t>(position)];
    InstanceRecord& record = *instances_[index];
    if (const auto cause = record.instance->refuses(call.prompt, call.output)) {
        end_call(now, id, Outcome::rejected, *cause);
        return;
    }
    const AttemptId attempt_id = attempts_.emplace();
    Attempt& attempt = attempts_[attempt_id];
    attempt.call = id;
    attempt.number = next_attempt_++;
    attempt.instance = index;
    call.attempt = attempt_id;
    call.instance = record.key.ordinal;
    ++call.attempts;
    ++service.stats.attempts.arrived;
    occupy(index);

    Time due = now.later_by(service.spec->front_end_delay);
    if (service.spec->jitter) {
        due = due.later_by(
            service.spec->jitter->duration_at(service.jitter.uniform(root.number, draw)));
    }
    if (due == now) {
        deliver(now, attempt_id);
        return;
    }
    attempt.delivery = queue_.push(EventKey::make(due, kDelivery, attempt.number),
                                   {attempt_id.index, attempt_id.generation});
}

void Cell::deliver(Time now, AttemptId id) {
    Attempt& attempt = attempts_[id];
    attempt.delivery = {};
    const CallId call_id = attempt.call;
    if (instances_[attempt.instance] == nullptr) {  // killed while the request was on its way
        end_attempt(now, id, Outcome::failed);
        retry_or_fail(now, call_id);
        return;
    }
    const Call& call = calls_[call_id];
    const RootRequest& root = roots_[call.root];
    Submission submission;
    submission.attempt = id;
    submission.prompt = call.prompt;
    submission.output = call.output;
    submission.priority = root.attributes.priority;
    submission.request = root.number;
    submission.draw = static_cast<std::uint64_t>(root.source) << 32 |
                      static_cast<std::uint64_t>(call.number) << 8 |
                      std::min<std::uint64_t>(call.attempts, 255);
    const std::uint32_t index = attempt.instance;
    const auto cause = instances_[index]->instance->submit(now, submission, attempt.slot);
    if (cause) {
        end_attempt(now, id, Outcome::rejected);
        end_call(now, call_id, Outcome::rejected, *cause);
        return;
    }
    reschedule(index);
}

void Cell::retry_or_fail(Time now, CallId id) {
    const Call& call = calls_[id];
    const std::int64_t most = services_[call.service]->spec->gateway.max_attempts;
    if (static_cast<std::int64_t>(call.attempts) < most) {
        dispatch_or_queue(now, id);
    } else {
        end_call(now, id, Outcome::failed, Cause::instance_lost);
    }
}

// ---------------------------------------------------------------- requests end

void Cell::attempt_completed(Time now, AttemptId id, const AttemptReport& report) {
    const CallId call_id = attempts_[id].call;
    Call& call = calls_[call_id];
    call.first_scheduled = report.first_scheduled;
    call.first_token = report.first_token;
    call.generated = static_cast<std::int32_t>(report.output_tokens);
    call.preemptions = report.preemptions;
    end_attempt(now, id, Outcome::completed);
    continue_call(now, call_id);
}

void Cell::end_attempt(Time now, AttemptId id, Outcome outcome) {
    const Attempt& attempt = attempts_[id];
    const std::uint32_t instance = attempt.instance;
    Call& call = calls_[attempt.call];
    services_[call.service]->stats.attempts.end(outcome);
    call.attempt = AttemptId::none();
    attempts_.erase(id);
    if (instances_[instance] != nullptr) vacate(now, instance);
}

/// Takes back whatever a call is waiting for, for it is about to end.
void Cell::abandon(Time now, CallId id) {
    Call& call = calls_[id];
    if (call.queued) {
        call.queued = false;
        --services_[call.service]->queued;
    }
    if (call.attempt.valid()) {
        const AttemptId attempt_id = call.attempt;
        const Attempt& attempt = attempts_[attempt_id];
        if (attempt.delivery.valid()) {
            queue_.cancel(attempt.delivery);
        } else {
            const std::uint32_t index = attempt.instance;
            const AttemptReport report =
                instances_[index]->instance->report(position_, attempt.slot);
            call.first_scheduled = report.first_scheduled;
            call.first_token = report.first_token;
            call.generated = static_cast<std::int32_t>(report.output_tokens);
            call.preemptions = report.preemptions;
            instances_[index]->instance->abort(position_, attempt.slot);
            reschedule(index);
        }
        end_attempt(now, attempt_id, Outcome::timed_out);
    }
    if (call.child.valid()) {
        const CallId child = call.child;
        abandon(now, child);
        settle(now, child, Outcome::timed_out, Cause::timeout);
    }
}

void Cell::continue_call(Time now, CallId id) {
    Call& call = calls_[id];
    const auto& further = services_[call.service]->spec->calls;
    if (call.next_child == further.size()) {
        end_call(now, id, Outcome::completed, Cause::none);
        return;
    }
    const std::uint32_t service = local_[further[call.next_child++]];
    const CallId child = new_call(now, call.root, id, service, call.prompt, call.output);
    calls_[id].child = child;
    enter_service(now, child);
}

void Cell::end_call(Time now, CallId id, Outcome outcome, Cause cause) {
    const CallId parent = calls_[id].parent;
    const RootId root = calls_[id].root;
    settle(now, id, outcome, cause);
    if (!parent.valid()) {
        end_root(now, root, outcome);
        return;
    }
    calls_[parent].child = CallId::none();
    if (outcome == Outcome::completed) {
        continue_call(now, parent);
    } else {
        end_call(now, parent, outcome, cause);
    }
}

/// Counts, records and forgets a call; its parent and root are the caller's affair.
void Cell::settle(Time now, CallId id, Outcome outcome, Cause cause) {
    Call& call = calls_[id];
    Service& service = *services_[call.service];
    if (call.timeout.valid()) queue_.cancel(call.timeout);
    service.stats.calls.end(outcome);
    if (outcome != Outcome::completed) ++service.stats.causes[static_cast<std::size_t>(cause)];
    service.stats.backlog.change(now, -1);
    service.stats.sojourn += now - call.arrival;
    if (call.arrival >= config_.measure_from) record(now, call, service, outcome);
    hash_outcome(call, now, outcome, cause);
    if (config_.keep_rows) add_row(call, now, outcome, cause);
    calls_.erase(id);
}

void Cell::record(Time now, const Call& call, Service& service, Outcome outcome) {
    record_slo(now, call, service, outcome);
    if (outcome != Outcome::completed) return;
    ServiceStats& stats = service.stats;
    ++stats.measured_completed;
    stats.e2e.record((now - call.arrival).ps());
    stats.queue.record((call.first_scheduled - call.arrival).ps());
    if (call.first_token == Time::max()) return;
    stats.prompt_tokens += call.prompt;
    stats.output_tokens += call.generated;
    stats.ttft.record((call.first_token - call.arrival).ps());
    // The engine's last token: with calls to further services the response comes later.
    if (call.generated > 1 && call.next_child == 0) {
        stats.tpot.record((now - call.first_token).ps() / (call.generated - 1));
    }
}

void Cell::record_slo(Time now, const Call& call, Service& service, Outcome outcome) {
    const SloSpec& slo = service.spec->slo;
    if (!slo.any()) return;
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
    ++(good ? service.stats.slo_good : service.stats.slo_missed);
}

void Cell::hash_outcome(const Call& call, Time finish, Outcome outcome, Cause cause) {
    const RootRequest& root = roots_[call.root];
    metrics::DigestRecord record(outcome);
    record.add(root.number)
        .add(static_cast<std::uint64_t>(root.source) << 32 | services_[call.service]->global)
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

void Cell::add_row(const Call& call, Time finish, Outcome outcome, Cause cause) {
    const RootRequest& root = roots_[call.root];
    RequestRow row;
    row.id = root.number;
    row.source = root.source;
    row.service = services_[call.service]->global;
    row.instance = call.instance;
    row.preemptions = call.preemptions;
    row.arrival = call.arrival;
    row.first_scheduled = call.first_scheduled;
    row.first_token = call.first_token;
    row.finish = finish;
    row.prompt_tokens = call.prompt;
    row.output_tokens = call.generated;
    row.outcome = outcome;
    row.cause = cause;
    row.attempts = call.attempts;
    rows_.push_back(row);
}

void Cell::end_root(Time now, RootId id, Outcome outcome) {
    last_activity_ = now;
    const RootRequest& root = roots_[id];
    const std::uint32_t index = source_of_[root.source];
    const std::uint32_t user = root.user;
    roots_.erase(id);
    Source& source = *sources_[index];
    services_[source.service]->stats.requests.end(outcome);
    if (!source.answers_completions) return;
    source.source->completed({now, user, outcome});
    refresh_source(index);
}

}  // namespace headroom::serving
