/// Faults: what the scenario makes happen to the cluster, at written times.
///
///   kill_instance   the pod is gone at once, its requests are lost; the workload makes another
///   drain_instance  the pod is deleted in order (kubectl delete pod); the workload makes another
///   crash_container the pod's container ends and is started again, `times` times, each `after` a
///                   start; where none runs, after its next start. A later one of the pod takes the
///                   place of an earlier one
///   lose_node       the node and all its pods are gone at once; no draining
///   restore_node    it takes pods again; its disk still holds what it held
///   set_speed       a slow (or fast) instance, as long as the pod lives
///   restart_workload
///                   a new revision of the same template (kubectl rollout restart) replaces the
///                   old one as the workload's strategy says
///
/// Pods are counted among those of the workload that are not being deleted and are in no warm pool,
/// oldest first. A fault whose target is not there is recorded as a blocked decision and changes
/// nothing. Faults of one time happen in the order of the list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/control/control_state.hpp"
#include "sim/control/node_pool.hpp"
#include "sim/control/pod_lifecycle.hpp"

namespace headroom::control {

class Faults {
  public:
    Faults(ControlState& state, PodLifecycle& lifecycle, NodePools& pools)
        : state_(state), lifecycle_(lifecycle), pools_(pools) {}

    /// Puts all faults into the queue.
    void start();
    void happen(std::size_t index);

  private:
    [[nodiscard]] std::optional<PodId> target_pod(const FaultSpec& fault) const;
    void lose_node(const FaultSpec& fault);
    void restore_node(const FaultSpec& fault);
    void restart_workload(const FaultSpec& fault);
    void record(const FaultSpec& fault, Decision::About about, std::string subject, bool done,
                std::string reason);

    ControlState& state_;
    PodLifecycle& lifecycle_;
    NodePools& pools_;
};

}  // namespace headroom::control
