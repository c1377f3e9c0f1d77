/// WorkloadController: a workload is a Deployment. It keeps the desired number of pods, and
/// replaces them when its template has a new revision.
///
/// A replica set holds the pods of one revision; without a rollout there is one. Too few pods:
/// creates what is missing. Too many: deletes in the order of deletion_order.hpp, the pods of all
/// the workload's sets being of one kind. Pods being deleted do not count as existing. A rollout
/// begins when Workload::template_revision is ahead of the newest set; deployment.hpp says how many
/// pods each set may then have, at every change of a pod (ready, available, gone) and of the
/// desired number. It ends when all wanted pods are of the newest revision and available. Its
/// beginning and end are recorded, and that it came no nearer to its end for 600 s
/// (progressDeadlineSeconds).
///
/// Both of Kubernetes' controllers act here at one instant, the Deployment's first, round by round
/// until none has anything left to do; watches take milliseconds. A round creates 500 pods of a set
/// at most (BurstReplicas), in batches of 1, 2, 4, ...; creating never fails here, so a batch's end
/// is no reason to wait, and its calls take milliseconds too.
///
/// The desired number changes only through set_desired, which counts ups, downs and reversals.
/// A set that needs a pod takes it from the warm pool (warm_pool.hpp) before it creates one.
///
/// reconcile is O(1) when nothing is to do and no rollout under way, else O(pods) a round, and
/// O(pods log pods) when some are to be deleted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/pod_lifecycle.hpp"
#include "sim/control/warm_pool.hpp"

namespace headroom::control {

class WorkloadController {
  public:
    WorkloadController(ControlState& state, PodLifecycle& lifecycle, WarmPools& warm_pools)
        : state_(state), lifecycle_(lifecycle), warm_pools_(warm_pools) {}

    /// Takes effect at this instant, by the event `reconcile`.
    void set_desired(Workload& workload, std::int64_t replicas);
    void reconcile(Workload& workload);

    /// The workload's pods that are not being deleted, the first to be deleted first.
    [[nodiscard]] std::vector<PodId> deletion_order(const Workload& workload) const;

  private:
    /// Gives a set, which has `active` pods, the number that it shall have.
    void fit(Workload& workload, const ReplicaSet& set, std::int64_t active);

    // workload_rollout.cpp
    void roll_out(Workload& workload);
    void begin_rollout(Workload& workload);
    void end_rollout(Workload& workload, const std::string& how);
    /// Counts the pods of the sets.
    DeploymentStatus observe(Workload& workload) const;
    /// A round of the Deployment's controller. Whether it changed a set.
    bool sync(Workload& workload);
    bool sync_recreate(Workload& workload, const DeploymentSpec& deployment);
    void add_set(Workload& workload, const DeploymentSpec& deployment);
    /// A round of the ReplicaSets' controller.
    void fit_all(Workload& workload);
    void note_progress(Workload& workload, const DeploymentStatus& status);
    void set_timers(Workload& workload);
    void record_rollout(const Workload& workload, Decision::Outcome outcome, std::int64_t before,
                        const std::string& what);

    ControlState& state_;
    PodLifecycle& lifecycle_;
    WarmPools& warm_pools_;
};

}  // namespace headroom::control
