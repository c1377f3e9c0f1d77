// How a workload gets from one revision to the next: the part of WorkloadController that plays the
// Deployment's controller, with the rules of deployment.hpp.

#include <fmt/format.h>

#include <algorithm>

#include "sim/control/workload_controller.hpp"

namespace headroom::control {

namespace {

constexpr Duration kProgressDeadline = Duration::seconds(600);

/// The set of the present template; null before it is made.
ReplicaSet* newest_set(Workload& workload) {
    ReplicaSet& last = workload.sets.back();
    return last.revision == workload.template_revision ? &last : nullptr;
}

ReplicaSetList old_sets(Workload& workload) {
    ReplicaSetList sets;
    for (ReplicaSet& set : workload.sets) {
        if (set.revision != workload.template_revision) sets.push_back(&set.state);
    }
    return sets;
}

bool is_ready(const ControlState& state, PodId id) {
    return !state.managed(id).deleted && state.cluster.pod(id).phase == cluster::PodPhase::ready;
}

/// Of a ready pod.
Time available_at(const Workload& workload, const ManagedPod& pod) {
    // What was ready from the beginning had been so for long.
    return pod.warm_start ? pod.ready_since : pod.ready_since.later_by(workload.spec->min_ready);
}

std::string strategy_text(const DeploymentSpec& deployment) {
    if (deployment.strategy.type == RolloutType::recreate) return "Recreate";
    return fmt::format("RollingUpdate with {} more and {} fewer at most", max_surge(deployment),
                       max_unavailable(deployment));
}

}  // namespace

void WorkloadController::roll_out(Workload& workload) {
    if (!workload.rollout || workload.rollout->revision != workload.template_revision) {
        begin_rollout(workload);
    }
    bool changed = true;
    while (changed) {
        observe(workload);  // what the round before did
        changed = sync(workload);
        fit_all(workload);
    }
    const DeploymentStatus status = observe(workload);
    note_progress(workload, status);
    if (newest_set(workload) != nullptr && deployment_complete(status, workload.desired)) {
        const Duration took = state_.now - workload.rollout->began;
        end_rollout(workload, fmt::format("rollout complete after {:g} s", took.to_seconds()));
        workload.sets = {workload.sets.back()};
    } else {
        set_timers(workload);
    }
}

void WorkloadController::begin_rollout(Workload& workload) {
    if (workload.rollout) {
        end_rollout(workload, fmt::format("revision {} follows before it is complete",
                                          workload.template_revision));
    }
    Rollout rollout;
    rollout.revision = workload.template_revision;
    rollout.began = rollout.progressed = state_.now;
    rollout.status = observe(workload);
    workload.rollout = rollout;
    const DeploymentSpec deployment{workload.desired, workload.spec->strategy};
    record_rollout(workload, Decision::Outcome::changed, 0,
                   "rollout begins: " + strategy_text(deployment));
}

void WorkloadController::end_rollout(Workload& workload, const std::string& how) {
    state_.queue.cancel(workload.rollout->available);
    state_.queue.cancel(workload.rollout->deadline);
    record_rollout(workload, Decision::Outcome::changed, 0, how);
    workload.rollout.reset();
}

DeploymentStatus WorkloadController::observe(Workload& workload) const {
    DeploymentStatus status;
    for (ReplicaSet& set : workload.sets) set.state.available = 0;
    for (const PodId id : workload.pods) {
        const ManagedPod& pod = state_.managed(id);
        if (pod.deleted) continue;
        ++status.replicas;
        if (pod.revision == workload.template_revision) ++status.updated;
        if (!is_ready(state_, id)) continue;
        ++status.ready;
        if (available_at(workload, pod) > state_.now) continue;
        ++status.available;
        for (ReplicaSet& set : workload.sets) {
            if (set.revision == pod.revision) ++set.state.available;
        }
    }
    return status;
}

bool WorkloadController::sync(Workload& workload) {
    const DeploymentSpec deployment{workload.desired, workload.spec->strategy};
    ReplicaSet* newest = newest_set(workload);
    ReplicaSetState* new_set = newest == nullptr ? nullptr : &newest->state;
    const ReplicaSetList old = old_sets(workload);
    ReplicaSetList all = old;
    if (new_set != nullptr) all.push_back(new_set);
    if (is_scaling_event(deployment, all) && scale(deployment, new_set, old, workload.active)) {
        return true;
    }
    if (deployment.strategy.type == RolloutType::recreate) {
        return sync_recreate(workload, deployment);
    }
    if (new_set != nullptr) return roll(deployment, *new_set, old);
    add_set(workload, deployment);
    return true;
}

bool WorkloadController::sync_recreate(Workload& workload, const DeploymentSpec& deployment) {
    bool scaled = false;
    for (ReplicaSetState* set : old_sets(workload)) {
        if (set->replicas == 0) continue;
        size_replica_set(deployment, *set, 0);
        scaled = true;
    }
    if (scaled) return true;
    // One that drains still counts: its devices are not free, and two revisions shall not meet.
    for (const PodId id : workload.pods) {
        if (state_.managed(id).revision != workload.template_revision) return false;
    }
    ReplicaSet* newest = newest_set(workload);
    if (newest == nullptr) {
        add_set(workload, deployment);
        return true;
    }
    if (newest->state.replicas == deployment.replicas) return false;
    size_replica_set(deployment, newest->state, deployment.replicas);
    return true;
}

void WorkloadController::add_set(Workload& workload, const DeploymentSpec& deployment) {
    std::int64_t total = 0;
    for (const ReplicaSet& set : workload.sets) total += set.state.replicas;
    ReplicaSet set;
    set.revision = workload.template_revision;
    set.state.created = set.revision;
    size_replica_set(deployment, set.state, new_replica_set_replicas(deployment, 0, total));
    workload.sets.push_back(set);
}

void WorkloadController::fit_all(Workload& workload) {
    for (const ReplicaSet& set : workload.sets) {
        std::int64_t active = 0;
        for (const PodId id : workload.pods) {
            const ManagedPod& pod = state_.managed(id);
            if (!pod.deleted && pod.revision == set.revision) ++active;
        }
        fit(workload, set, active);
    }
}

void WorkloadController::note_progress(Workload& workload, const DeploymentStatus& status) {
    Rollout& rollout = *workload.rollout;
    const DeploymentStatus before = rollout.status;
    rollout.status = status;
    if (deployment_progressed(before, status)) {
        rollout.progressed = state_.now;
        rollout.overdue = false;
    } else if (!rollout.overdue && state_.now - rollout.progressed >= kProgressDeadline) {
        rollout.overdue = true;
        record_rollout(workload, Decision::Outcome::blocked, before.updated,
                       fmt::format("progress deadline exceeded: none for {:g} s, {} available",
                                   kProgressDeadline.to_seconds(), status.available));
    }
}

void WorkloadController::set_timers(Workload& workload) {
    Rollout& rollout = *workload.rollout;
    const auto set = [&](EventHandle& timer, Time time, std::uint64_t ordinal) {
        state_.queue.cancel(timer);
        if (time == Time::max()) return;
        timer = state_.queue.push(control_key(time, EventClass::reconcile, workload.index, ordinal),
                                  {});
    };
    Time available = Time::max();
    for (const PodId id : workload.pods) {
        if (!is_ready(state_, id)) continue;
        const Time at = available_at(workload, state_.managed(id));
        if (at > state_.now) available = std::min(available, at);
    }
    set(rollout.available, available, kAvailableOrdinal);
    set(rollout.deadline, rollout.overdue ? Time::max() : rollout.progressed + kProgressDeadline,
        kDeadlineOrdinal);
}

void WorkloadController::record_rollout(const Workload& workload, Decision::Outcome outcome,
                                        std::int64_t before, const std::string& what) {
    const Rollout& rollout = *workload.rollout;
    const std::int64_t updated = rollout.status.updated;
    Decision decision;
    decision.time = state_.now;
    decision.actor = "workload " + workload.spec->name;
    decision.subject = workload.spec->name;
    decision.outcome = outcome;
    decision.before = before;
    decision.wanted = workload.desired;
    decision.after = updated;
    decision.reason = fmt::format("revision {}, {} of {} updated: {}", rollout.revision, updated,
                                  workload.desired, what);
    state_.decisions.record(std::move(decision), false);
}

}  // namespace headroom::control
