// From prefill to decode: an instance has computed a prompt and keeps its KV blocks until another
// one has read them.
#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/serving/cell.hpp"
#include "sim/serving/cell_parts.hpp"

namespace headroom::serving {

void Cell::make_kv_fabric(Service& service) {
    const KvTransferSpec& spec = *service.spec->kv_transfer;
    service.kv_fabric = std::make_unique<KvFabric>();
    if (spec.fabric_bytes_per_s > 0) {
        service.kv_fabric->shared = service.kv_fabric->network.add_link(
            "fabric", network::FlowNetwork::clamped(spec.fabric_bytes_per_s));
    }
    for (std::uint32_t i = 0; i < service.versions.size(); ++i) {
        const EngineRole role = service.versions[i]->spec->engine.llm->role;
        if (role == EngineRole::prefill) service.prefill = i;
        if (role == EngineRole::decode) service.decode = i;
    }
}

const Cell::KvFabric::Nic& Cell::KvFabric::nic_of(std::uint32_t instance,
                                                  const KvTransferSpec& spec) {
    if (nics.size() <= instance) nics.resize(instance + 1);
    if (!nics[instance]) {
        const std::int64_t capacity = network::FlowNetwork::clamped(spec.nic_bytes_per_s);
        nics[instance] = Nic{network.add_link("out", capacity), network.add_link("in", capacity)};
    }
    return *nics[instance];
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
    const std::uint32_t local = to.call.service;
    KvFabric& fabric = *to.service.kv_fabric;
    const KvTransferSpec& spec = *to.service.spec->kv_transfer;
    Handover& handover = handovers_[to.call.handover];
    const network::LinkId out = fabric.nic_of(handover.instance, spec).out;
    const network::LinkId in = fabric.nic_of(attempts_[attempt].instance, spec).in;
    std::vector<network::LinkId> route{out};
    if (fabric.shared) route.push_back(*fabric.shared);
    route.push_back(in);
    handover.flow = fabric.network.start(now, route, Bytes{tokens * spec.bytes_per_token});
    handover.sending = true;
    to.service.stats.kv_transferred_bytes += tokens * spec.bytes_per_token;
    if (fabric.owners.size() <= handover.flow.index) fabric.owners.resize(handover.flow.index + 1);
    fabric.owners[handover.flow.index] = to.call.handover;
    refresh_transfers(to.service, local);
}

/// Puts the end of the next transfer into the queue of events.
void Cell::refresh_transfers(Service& service, std::uint32_t local) {
    KvFabric& fabric = *service.kv_fabric;
    const Time next = fabric.network.next_finish().value_or(Time::max());
    if (next == fabric.scheduled) return;
    if (fabric.event.valid()) queue_.cancel(fabric.event);
    fabric.event = {};
    fabric.scheduled = next;
    if (next == Time::max()) return;
    fabric.event = queue_.push(EventKey::make(next, kTransfer, local), {local, 0});
}

void Cell::end_transfers(Time now, std::uint32_t local) {
    Service& service = *services_[local];
    KvFabric& fabric = *service.kv_fabric;
    fabric.event = {};
    fabric.scheduled = Time::max();
    std::vector<network::FlowId> sent;
    fabric.network.finish_due(now, sent);
    for (const network::FlowId flow : sent) {
        const HandoverId id = fabric.owners[flow.index];
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
        const auto left = service.kv_fabric->network.cancel(now, handover.flow);
        service.stats.kv_transferred_bytes -= left->count();  // counted when it began
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
