/// WorkloadController: keeps the desired number of pods of each workload (a Deployment's
/// ReplicaSet).
///
/// Too few: creates what is missing, in one go. Too many: deletes in the order of Kubernetes'
/// ReplicaSet controller: unassigned before assigned, pending before running, not ready before
/// ready, more active pods of the workload on the same node, ready for a shorter time, younger;
/// the two times are compared by floor(log2(nanoseconds)), and equal classes go by uid. Source:
/// kubernetes v1.28 pkg/controller/controller_utils.go (ActivePodsWithRanks) and
/// pkg/controller/replicaset/replica_set.go. Pods being deleted do not count as existing.
///
/// The desired number changes only through set_desired, which counts ups, downs and reversals.
/// reconcile is O(pods) when nothing is to do, O(pods log pods) when some are to be deleted.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/pod_lifecycle.hpp"

namespace headroom::control {

class WorkloadController {
  public:
    WorkloadController(ControlState& state, PodLifecycle& lifecycle)
        : state_(state), lifecycle_(lifecycle) {}

    /// Takes effect at this instant, by the event `reconcile`.
    void set_desired(Workload& workload, std::int64_t replicas);
    void reconcile(Workload& workload);

    /// The workload's pods that are not being deleted, the first to be deleted first.
    [[nodiscard]] std::vector<PodId> deletion_order(const Workload& workload) const;

  private:
    ControlState& state_;
    PodLifecycle& lifecycle_;
};

}  // namespace headroom::control
