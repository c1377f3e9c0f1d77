// From prefill to decode: an instance has computed a prompt and keeps its KV blocks until another
// one has read them.
#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/serving/cell.hpp"
#include "sim/serving/cell_parts.hpp"

namespace headroom::serving {

void Cell::make_kv_fabric(Service& service) {
    service.kv_fabric = std::make_unique<KvFabric>(*service.spec->kv_transfer);
    for (std::uint32_t i = 0; i < service.versions.size(); ++i) {
        const EngineRole role = service.versions[i]->spec->engine.llm->role;
        if (role == EngineRole::prefill) service.prefill = i;
        if (role == EngineRole::decode) service.decode = i;
    }
}

/// The prompt is computed: the call goes on to the decode pool.
void Cell::hand_over(Time now, const LiveAttempt& attempt, const LiveCall& live,
                     const AttemptReport& report) {
    const auto [id, handover] = handovers_.create();
    handover.call = live.id;
    handover.number = next_handover_++;
    handover.instance = attempt.attempt.instance;
    handover.slot = attempt.attempt.slot;
    instances_[handover.instance]->kept.push_back(id);
    live.call.handover = id;
    live.call.preemptions += report.preemptions;
    end_attempt(now, attempt, live, Outcome::completed);
    dispatch_or_queue(now, live);
}

/// The decode instance has room: the blocks are sent.
void Cell::kv_wanted(Time now, AttemptId attempt, std::int64_t tokens) {
    const CallId call = attempts_[attempt].call;
    const LiveCall to = live(call);
    const Bytes size{tokens * to.service.spec->kv_transfer->bytes_per_token};
    Handover& handover = handovers_[to.call.handover];
    handover.transfer = to.service.kv_fabric->start(now, to.call.handover, handover.instance,
                                                    attempts_[attempt].instance, size);
    handover.sending = true;
    to.service.stats.kv_transferred_bytes += size.count();
    refresh_transfers(to.service, to.call.service);
}

/// Puts the end of the next transfer into the queue of events.
void Cell::refresh_transfers(Service& service, std::uint32_t local) {
    const Time next = service.kv_fabric->next_finish();
    if (next == service.transfer_ends) return;
    if (service.transfer_end.valid()) queue_.cancel(service.transfer_end);
    service.transfer_end = {};
    service.transfer_ends = next;
    if (next == Time::max()) return;
    service.transfer_end = queue_.push(EventKey::make(next, kTransfer, local), {local, 0});
}

void Cell::end_transfers(Time now, std::uint32_t local) {
    Service& service = *services_[local];
    service.transfer_end = {};
    service.transfer_ends = Time::max();
    for (const HandoverId id : service.kv_fabric->finish_due(now)) {
        Handover& handover = handovers_[id];
        handover.sending = false;
        const Time due = now.later_by(service.spec->kv_transfer->latency);
        handover.arrival = queue_.push(EventKey::make(due, kKvArrival, handover.number),
                                       {id.index, id.generation});
    }
    refresh_transfers(service, local);
}

void Cell::kv_arrives(Time now, HandoverId id) {
    Handover& handover = handovers_[id];
    handover.arrival = {};
    const Call& call = calls_[handover.call];
    const Attempt& attempt = attempts_[call.attempt];
    InstanceRecord& record = *instances_[attempt.instance];
    record.instance->kv_arrived(position_, attempt.slot);
    reschedule(attempt.instance, record);
    release_kept(now, handover);
}

/// The instance that computed the prompt may use its blocks for others.
void Cell::release_kept(Time now, Handover& handover) {
    if (!handover.kept) return;
    handover.kept = false;
    InstanceRecord& record = *instances_[handover.instance];
    auto& kept = record.kept;
    kept.erase(std::find_if(kept.begin(), kept.end(), [&](HandoverId other) {
        return handovers_[other].number == handover.number;
    }));
    record.instance->release_kv(position_, handover.slot);
    reschedule(handover.instance, record);
    if (record.draining) vacate_draining_or_full(now, handover.instance, record);
}

/// The call ends, or begins again at the prefill pool.
void Cell::forget_handover(Time now, Call& call) {
    if (!call.handover.valid()) return;
    const HandoverId id = call.handover;
    Handover& handover = handovers_[id];
    Service& service = *services_[call.service];
    if (handover.sending) {
        const Bytes unsent = service.kv_fabric->cancel(now, handover.transfer);
        service.stats.kv_transferred_bytes -= unsent.count();  // counted when it began
        refresh_transfers(service, call.service);
    }
    if (handover.arrival.valid()) queue_.cancel(handover.arrival);
    release_kept(now, handover);
    handovers_.erase(id);
    call.handover = HandoverId::none();
}

/// The instance with the KV is gone before the other one had read it: the call begins again.
void Cell::lose_kept(Time now, HandoverId id) {
    Handover& handover = handovers_[id];
    handover.kept = false;
    const LiveCall call = live(handover.call);
    const AttemptId attempt = call.call.attempt;
    if (call.call.queued) {  // for a decode instance; now for one that prefills
        leave_queue(call);
    }
    forget_handover(now, call.call);
    if (!attempt.valid()) {
        retry_or_fail(now, call);
        return;
    }
    Attempt& decode = attempts_[attempt];
    if (decode.delivery.valid()) {
        queue_.cancel(decode.delivery);
    } else {
        InstanceRecord& record = *instances_[decode.instance];
        call.call.preemptions += record.instance->report(position_, decode.slot).preemptions;
        record.instance->abort(position_, decode.slot);
        reschedule(decode.instance, record);
    }
    end_attempt(now, {attempt, decode}, call, Outcome::failed);
    retry_or_fail(now, call);
}

}  // namespace headroom::serving
