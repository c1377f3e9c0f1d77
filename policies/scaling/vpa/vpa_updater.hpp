/// Which pods the vertical pod autoscaler evicts so that their successors request what is
/// recommended.
///
/// A pod wants an update when a request of a container with a recommendation lies outside the
/// bounds (or was not made), or when it has lived for 12 h and its requests differ from the targets
/// by 10 % or more, summed over the resources. Pods that want to grow go first, then those that
/// differ more, then older ones. Evictions leave more than replicas - floor(replicas * tolerance)
/// pods running before each; where the tolerance is less than one pod, one goes if all run. Fewer
/// live pods than min_replicas: none goes. A pending pod may always go. Deleted, ended and unbound
/// pods (no start time and pending) are not seen; one that started before the run has lived 12 h.
/// A pod with a container that was killed for memory within 10 min of its start also wants one when
/// it would change its requests.
///
///     const VpaUpdatePlan plan = plan_vpa_updates(view, recommended, options);
///     // plan.evict[0].pod: an index into view.pods; in the order of eviction
///
/// O(pods * containers + wanting pods * log). Source: kubernetes/autoscaler vertical-pod-autoscaler
/// pkg/updater/{logic/updater,priority/priority_processor,priority/update_priority_calculator,
/// restriction/pods_restriction_factory,restriction/pods_eviction_restriction}.go, defaults
/// pkg/updater/config/config.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "policies/scaling/vpa/vpa_recommender.hpp"
#include "sim/control/scaling_policy.hpp"

namespace headroom::policies {

struct VpaUpdateOptions {
    std::int64_t min_replicas = 2;
    double eviction_tolerance = 0.5;
    double update_threshold = 0.1;
    Duration lifetime_threshold = Duration::hours(12);
    Duration oom_threshold = Duration::minutes(10);  ///< killed for memory so soon: an update helps
};

struct VpaNamedRecommendation {
    std::string container;
    VpaRecommendation of;
};

/// How a pod's requests stand to the recommendation.
struct VpaPodPriority {
    bool outside = false;       ///< a request is outside its bounds
    bool grows = false;         ///< a target is above its request
    double resource_diff = 0;   ///< sum over the resources of |request - target| / request
    bool quick_oom = false;     ///< a container was killed for memory soon after its start
    std::size_t container = 0;  ///< of the pod, the first request outside; valid when `outside`
    VpaResource resource = VpaResource::cpu;
};

[[nodiscard]] VpaPodPriority vpa_pod_priority(const control::ScalingPod& pod,
                                              std::span<const VpaNamedRecommendation> recommended,
                                              const VpaUpdateOptions& options = {});

/// How many pods of a workload may go: `evicted` grows as they do.
struct VpaEvictionBudget {
    std::int64_t configured = 0;  ///< replicas asked for
    std::int64_t tolerance = 0;   ///< of them, how many may be away
    std::int64_t running = 0;     ///< live pods that are not pending
    std::int64_t evicted = 0;

    /// Whether one more pod that is not pending may go.
    [[nodiscard]] bool allows_one() const {
        return running - evicted > configured - tolerance ||
               (configured == running && tolerance == 0 && evicted == 0);
    }
};

struct VpaUpdate {
    std::size_t pod = 0;  ///< index into ScalingView::pods
    VpaPodPriority priority;
};

struct VpaUpdatePlan {
    std::vector<VpaUpdate> evict;  ///< in order
    std::size_t wanting = 0;       ///< pods that want an update
    std::size_t live = 0;
    bool too_few = false;  ///< fewer live pods than min_replicas
    VpaEvictionBudget budget;
};

[[nodiscard]] VpaUpdatePlan plan_vpa_updates(const control::ScalingView& view,
                                             std::span<const VpaNamedRecommendation> recommended,
                                             const VpaUpdateOptions& options);

}  // namespace headroom::policies
