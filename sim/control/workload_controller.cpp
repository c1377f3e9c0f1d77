#include "sim/control/workload_controller.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sim/control/deletion_order.hpp"

namespace headroom::control {

namespace {

/// Creations of a set in one round (BurstReplicas of the ReplicaSet controller).
constexpr std::int64_t kBurstReplicas = 500;

std::int64_t node_of(const cluster::Pod& pod) {
    return pod.bound() ? static_cast<std::int64_t>(pod.node.index) : DeletionCandidate::kNoNode;
}

DeletionCandidate candidate_of(const ControlState& state, PodId id) {
    const ManagedPod& managed = state.managed(id);
    const cluster::Pod& pod = state.cluster.pod(id);
    DeletionCandidate candidate;
    candidate.node = node_of(pod);
    candidate.phase = state.is_running(id) ? DeletionPhase::running : DeletionPhase::pending;
    candidate.ready = pod.phase == cluster::PodPhase::ready;
    candidate.ready_since = managed.ready_since;
    candidate.restarts = pod.restarts;
    candidate.created = pod.created();
    candidate.uid = managed.uid;
    return candidate;
}

struct RankedPod {
    PodId id;
    DeletionCandidate rank;
};

const char* why_first(const DeletionCandidate& pod) {
    if (pod.node == DeletionCandidate::kNoNode) return "has no node";
    if (pod.phase != DeletionPhase::running) return "is pending";
    if (!pod.ready) return "is not ready";
    if (pod.rank > 1) return "shares its node with most of its kind";
    return "was ready for the shortest time";
}

/// The pods that are not being deleted, of one revision or of all, the first to be deleted first.
/// Pods that nothing else tells apart go by uid.
std::vector<RankedPod> ranked(const ControlState& state, const Workload& workload,
                              std::optional<std::uint32_t> revision) {
    std::vector<PodId> ids;
    std::vector<std::int64_t> related_nodes;
    for (const PodId id : workload.pods) {
        const ManagedPod& pod = state.managed(id);
        if (pod.deleted) continue;
        related_nodes.push_back(node_of(state.cluster.pod(id)));
        if (!revision || pod.revision == *revision) ids.push_back(id);
    }
    std::sort(ids.begin(), ids.end(),
              [&](PodId a, PodId b) { return state.managed(a).uid < state.managed(b).uid; });
    std::vector<DeletionCandidate> candidates;
    for (const PodId id : ids) candidates.push_back(candidate_of(state, id));
    std::vector<RankedPod> pods;
    for (const std::size_t i : deletion_order(candidates, related_nodes, state.now)) {
        pods.push_back({ids[i], candidates[i]});
    }
    return pods;
}

}  // namespace

void WorkloadController::set_desired(Workload& workload, std::int64_t replicas) {
    HEADROOM_CHECK(replicas >= 0, "a workload cannot want fewer than no replicas");
    if (replicas == workload.desired) return;
    const int direction = replicas > workload.desired ? 1 : -1;
    ++(direction > 0 ? workload.result.scale_ups : workload.result.scale_downs);
    if (direction == -workload.last_direction) ++workload.result.reversals;
    workload.last_direction = direction;
    workload.desired = replicas;
    workload.result.desired_replicas.append(state_.now, replicas);
    state_.request_reconcile(workload);
}

void WorkloadController::reconcile(Workload& workload) {
    workload.reconcile_queued = false;
    state_.request_warm_pool(workload);
    ReplicaSet& only = workload.sets.back();
    if (workload.rollout || only.revision != workload.template_revision) return roll_out(workload);
    if (only.state.replicas != workload.desired) {
        size_replica_set({workload.desired, workload.spec->strategy}, only.state, workload.desired);
    }
    fit(workload, only, workload.active);
}

void WorkloadController::fit(Workload& workload, const ReplicaSet& set, std::int64_t active) {
    if (active < set.state.replicas) {
        active += warm_pools_.promote(workload, set.revision, set.state.replicas - active);
    }
    while (active < set.state.replicas) {
        const std::int64_t missing = std::min(set.state.replicas - active, kBurstReplicas);
        active += slow_start_batch(missing, kSlowStartFirstBatch, [&](std::int64_t) {
                      lifecycle_.create(workload, set.revision);
                      return true;
                  }).successes;
    }
    if (active == set.state.replicas) return;
    const std::vector<RankedPod> pods = ranked(state_, workload, set.revision);
    for (std::size_t i = 0; active > set.state.replicas; ++i, --active) {
        Decision decision =
            state_.pod_decision("workload " + workload.spec->name, state_.managed(pods[i].id));
        decision.before = active;
        decision.wanted = set.state.replicas;
        decision.after = active - 1;
        decision.reason = std::string("deleted first: ") + why_first(pods[i].rank);
        state_.decisions.record(std::move(decision), false);
        lifecycle_.scale_in(pods[i].id);
    }
    // Removing a pod that is gone at once asks for another look, which will find nothing to do.
}

std::vector<PodId> WorkloadController::deletion_order(const Workload& workload) const {
    std::vector<PodId> order;
    for (const RankedPod& pod : ranked(state_, workload, std::nullopt)) order.push_back(pod.id);
    return order;
}

}  // namespace headroom::control
