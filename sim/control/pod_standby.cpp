// Pods that stand by: the part of PodLifecycle behind the warm pool.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/control/pod_lifecycle.hpp"

namespace headroom::control {

using Phase = cluster::PodPhase;

PodId PodLifecycle::create_standby(Workload& workload, std::uint32_t revision) {
    const PodId id = add_pod(workload, revision);
    ManagedPod& pod = state_.managed(id);
    pod.standby = true;
    pod.standby_since = state_.now;
    workload.standby.push_back(id);
    record_standby(pod, +1, "stands by");
    return id;
}

/// Its server is up, and it goes no further.
void PodLifecycle::stand_by(PodId id, ManagedPod& pod) {
    HEADROOM_CHECK(pod.standby && state_.cluster.pod(id).phase == Phase::warm_up,
                   "only a standby pod that is warm stands by");
    pod.loaded = true;
    state_.set_loaded(state_.workload_of(pod), +1);
    record_standby(pod, 0, "loaded");
}

void PodLifecycle::leave_loaded(ManagedPod& pod) {
    if (!pod.loaded) return;
    pod.loaded = false;
    state_.set_loaded(state_.workload_of(pod), -1);
}

void PodLifecycle::promote(PodId id) {
    ManagedPod& pod = state_.managed(id);
    Workload& workload = state_.workload_of(pod);
    HEADROOM_CHECK(pod.standby, "only a standby pod is promoted");
    const bool loaded = pod.loaded;
    leave_loaded(pod);
    state_.settle_standby(pod);
    std::vector<PodId>& pool = workload.standby;
    pool.erase(std::find(pool.begin(), pool.end(), id));
    pod.standby = false;
    pod.warm_start = pod.has_started = false;
    pod.unready_since = Time::max();
    pod.stage_times = {};  // a start is what somebody waits for: it begins now
    pod.stage_since = state_.now;
    const auto at = std::lower_bound(workload.pods.begin(), workload.pods.end(), pod.serial,
                                     [this](PodId other, std::uint64_t serial) {
                                         return state_.managed(other).serial < serial;
                                     });
    workload.pods.insert(at, id);
    ++workload.active;
    ++workload.version;
    ++workload.result.promotions;

    const Phase phase = state_.cluster.pod(id).phase;
    Decision decision = state_.pod_decision("workload " + workload.spec->name, pod);
    decision.before = workload.active - 1;
    decision.wanted = workload.desired;
    decision.after = workload.active;
    decision.reason = std::string("promoted from the warm pool, ") +
                      (loaded ? "loaded" : std::string("not loaded yet: ") + to_string(phase));
    state_.decisions.record(std::move(decision), false);

    if (phase != Phase::warm_up) return;
    state_.queue.cancel(pod.step);
    if (loaded) pod.loaded_at = state_.now.later_by(workload.spec->warm_pool.activation);
    if (wait(id, pod, ready_from(pod, pod.loaded_at) - state_.now)) advance(id);
}

void PodLifecycle::dismiss(PodId id, const std::string& why) {
    record_standby(state_.managed(id), -1, why);
    remove(id);
}

void PodLifecycle::scale_in(PodId id) {
    ManagedPod& pod = state_.managed(id);
    pod.returns = state_.workload_of(pod).spec->warm_pool.reuse_on_scale_in;
    remove(id);
}

/// Whether a scaled-in pod that has nothing left to do is worth keeping: it is loaded, of the
/// present revision, and fewer than the wanted number of standby pods are loaded.
bool PodLifecycle::may_return(PodId id) const {
    const ManagedPod& pod = state_.managed(id);
    const Workload& workload = state_.workloads[pod.workload];
    return pod.returns && pod.loaded_at <= state_.now &&
           pod.revision == workload.template_revision &&
           workload.loaded < workload.spec->warm_pool.size;
}

void PodLifecycle::finish_or_return(PodId id) {
    if (may_return(id)) {
        return_to_pool(id);
    } else {
        finish(id);
    }
}

void PodLifecycle::return_to_pool(PodId id) {
    ManagedPod& pod = state_.managed(id);
    Workload& workload = state_.workload_of(pod);
    for (EventHandle* handle : {&pod.step, &pod.grace}) {
        state_.queue.cancel(*handle);
        *handle = {};
    }
    leave_ready(id, pod);
    if (pod.ordinal >= 0) state_.instances.erase(state_.instance_key(pod));
    pod.ordinal = -1;
    pod.ready_since = pod.endpoint_since = Time::max();
    pod.stage_since = state_.now;
    pod.deleted = pod.returns = false;
    --workload.result.pods_deleted;  // it was not, after all
    ++workload.result.returns;
    ++workload.version;
    // One that was no endpoint yet has not drained.
    if (state_.cluster.pod(id).phase == Phase::ready) {
        state_.cluster.set_phase(id, Phase::draining, state_.now);
    }
    if (state_.cluster.pod(id).phase == Phase::draining) {
        state_.cluster.set_phase(id, Phase::warm_up, state_.now);
    }
    workload.pods.erase(std::find(workload.pods.begin(), workload.pods.end(), id));
    workload.standby.push_back(id);
    pod.standby = true;
    pod.standby_since = state_.now;
    record_standby(pod, +1, "returned, drained");
    stand_by(id, pod);
    state_.request_reconcile(workload);  // another one may be too many now
}

void PodLifecycle::record_standby(const ManagedPod& pod, std::int64_t change, std::string reason) {
    const Workload& workload = state_.workloads[pod.workload];
    // It is among them when it comes, and still when it goes.
    const auto pods = static_cast<std::int64_t>(workload.standby.size());
    Decision decision = state_.pod_decision("warm pool " + workload.spec->name, pod);
    decision.before = change > 0 ? pods - change : pods;
    decision.wanted = workload.spec->warm_pool.size;
    decision.after = decision.before + change;
    decision.reason = std::move(reason);
    state_.decisions.record(std::move(decision), false);
}

}  // namespace headroom::control
