/// WarmPools: standby pods beside the active ones of a workload, to be promoted when it grows.
///
/// `WarmPoolSpec::size` pods stand by. Each holds a node and devices like any pod, and costs as
/// much; it pulls its image, starts, loads and warms up, and then waits, loaded. It is no instance
/// of the data plane and no replica: autoscalers, metrics, surge and faults by index see active
/// pods only.
///
/// A workload that needs a pod promotes one of the needed revision before it creates one: first the
/// loaded ones, the oldest (by creation) first; then the one that has come furthest, by phase, then
/// by when it entered it, then the oldest. A loaded pod is up `activation` later and then passes
/// its readiness probe and readiness delay; one that is not loaded goes on as an ordinary pod. What
/// is missing then is created anew: after the active pods of all workloads, so that of one instant
/// these come first in the scheduling queue. A pool is not emptied when its workload wants no pods.
///
/// Scaled in with `reuse_on_scale_in`, a pod goes back to the pool once it is drained (at once if
/// it was no endpoint yet), provided that it is up, of the present revision, and fewer than `size`
/// standby pods are loaded; one that is not loaded then makes way. Deletions and evictions of a
/// certain pod are no scale-in. A new revision replaces all standby pods at once, before its own
/// ones are created. A lost standby pod is replaced; a container that ends is started again. Pods
/// keep the requests that they were created with; once an autoscaler evicts active pods because
/// theirs are out of date, standby pods with other requests than the present ones are replaced.
///
/// After EC2 Auto Scaling (User Guide, "Warm pools": minimum size, instance reuse policy), whose
/// pool counts instances, not pods. Every call is O(standby pods log standby pods), O(1) where a
/// workload has none.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/pod_lifecycle.hpp"

namespace headroom::control {

class WarmPools {
  public:
    WarmPools(ControlState& state, PodLifecycle& lifecycle)
        : state_(state), lifecycle_(lifecycle) {}

    /// Promotes up to `count` pods of a revision. How many.
    std::int64_t promote(Workload& workload, std::uint32_t revision, std::int64_t count);
    /// Outdated and superfluous pods go, missing ones come: the event warm_pool.
    void reconcile(Workload& workload);

  private:
    /// The standby pods of one revision or of all, the first to be promoted first.
    [[nodiscard]] std::vector<PodId> promotion_order(const Workload& workload,
                                                     std::optional<std::uint32_t> revision) const;

    ControlState& state_;
    PodLifecycle& lifecycle_;
};

}  // namespace headroom::control
