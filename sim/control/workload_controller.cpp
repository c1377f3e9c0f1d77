#include "sim/control/workload_controller.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

namespace headroom::control {

namespace {

/// floor(log2) of an age in nanoseconds; -1 for none (logarithmicRankDiff).
std::int64_t age_class(Duration age) {
    const std::int64_t ns = age / Duration::nanoseconds(1);
    return ns > 0 ? std::bit_width(static_cast<std::uint64_t>(ns)) - 1 : -1;
}

/// What the order of deletion looks at; less is deleted first.
struct DeletionRank {
    bool assigned = false;
    bool running = false;
    bool ready = false;
    std::int64_t fewer_neighbours = 0;  ///< minus the active pods of the workload on its node
    Time ready_since;
    Time created;
    std::uint64_t uid = 0;
    PodId id;
};

bool deleted_before(const DeletionRank& a, const DeletionRank& b, Time now) {
    const auto state = [](const DeletionRank& r) {
        return std::tuple(r.assigned, r.running, r.ready, r.fewer_neighbours);
    };
    if (state(a) != state(b)) return state(a) < state(b);
    const auto by_age = [&](Time since_a, Time since_b) {
        const std::int64_t class_a = age_class(now - since_a);
        const std::int64_t class_b = age_class(now - since_b);
        return class_a != class_b ? class_a < class_b : a.uid < b.uid;
    };
    if (a.ready && a.ready_since != b.ready_since) return by_age(a.ready_since, b.ready_since);
    if (a.created != b.created) return by_age(a.created, b.created);
    return a.uid < b.uid;
}

const char* why_first(const DeletionRank& rank) {
    if (!rank.assigned) return "has no node";
    if (!rank.running) return "is pending";
    if (!rank.ready) return "is not ready";
    if (rank.fewer_neighbours < -1) return "shares its node with most of its kind";
    return "was ready for the shortest time";
}

std::vector<DeletionRank> ranked(const ControlState& state, const Workload& workload) {
    std::map<NodeId, std::int64_t> on_node;
    for (const PodId id : workload.pods) {
        const cluster::Pod& pod = state.cluster.pod(id);
        if (!state.managed(id).deleted && pod.bound()) ++on_node[pod.node];
    }
    std::vector<DeletionRank> ranks;
    for (const PodId id : workload.pods) {
        const ManagedPod& managed = state.managed(id);
        if (managed.deleted) continue;
        const cluster::Pod& pod = state.cluster.pod(id);
        DeletionRank rank;
        rank.assigned = pod.bound();
        rank.running = managed.container_started <= state.now;
        rank.ready = pod.phase == cluster::PodPhase::ready;
        rank.fewer_neighbours = pod.bound() ? -on_node[pod.node] : 0;
        rank.ready_since = managed.ready_since;
        rank.created = pod.created();
        rank.uid = managed.uid;
        rank.id = id;
        ranks.push_back(rank);
    }
    std::sort(ranks.begin(), ranks.end(), [&](const DeletionRank& a, const DeletionRank& b) {
        return deleted_before(a, b, state.now);
    });
    return ranks;
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
    while (workload.active < workload.desired) lifecycle_.create(workload);
    if (workload.active == workload.desired) return;
    const std::vector<DeletionRank> ranks = ranked(state_, workload);
    const auto surplus = static_cast<std::size_t>(workload.active - workload.desired);
    for (std::size_t i = 0; i < surplus; ++i) {
        const std::int64_t before = workload.active;
        Decision decision{state_.now,
                          "workload " + workload.spec->name,
                          state_.managed(ranks[i].id).name,
                          Decision::Outcome::changed,
                          before,
                          workload.desired,
                          before - 1,
                          std::string("deleted first: ") + why_first(ranks[i])};
        state_.decisions.record(std::move(decision), false);
        lifecycle_.remove(ranks[i].id);
    }
    // Removing a pod that is gone at once asks for another look, which will find nothing to do.
}

std::vector<PodId> WorkloadController::deletion_order(const Workload& workload) const {
    std::vector<PodId> order;
    for (const DeletionRank& rank : ranked(state_, workload)) order.push_back(rank.id);
    return order;
}

}  // namespace headroom::control
