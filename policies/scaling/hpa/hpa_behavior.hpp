/// What stands between the number of replicas that the metrics ask for and the number that is set:
/// stabilisation over past recommendations, rate limits over past scale events, and the bounds.
/// Pure functions over logs that the caller owns. O(log length + policies) each.
///
/// Without `behavior` the order is: the largest recommendation of the downscale window, then the
/// bounds, the upper one also max(factor * current, minimum). With `behavior`: both stabilisation
/// windows, then the policies of the direction, then the bounds.
///
///     LimitedReplicas r = limit_with_behavior(bounds, behavior, events, current, stabilised, now);
///     // r.replicas, and r.limit says in an SRE's words what held it: "policy 100 %/15 s"
///
/// The logs are bounded: an entry that no window can see any more is overwritten.
/// Source: kubernetes v1.28 pkg/controller/podautoscaler/horizontal.go; default rules
/// pkg/apis/autoscaling/v2/defaults.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::policies {

enum class HpaSelectPolicy : std::uint8_t { max, min, disabled };

/// "At most `value` pods (or per cent of the replicas at the period's start) per `period`."
struct HpaScalingPolicy {
    enum class Type : std::uint8_t { pods, percent };
    Type type = Type::pods;
    std::int64_t value = 0;
    Duration period;
};

/// The rules of one direction.
struct HpaScalingRules {
    Duration stabilization_window;
    HpaSelectPolicy select_policy = HpaSelectPolicy::max;
    std::vector<HpaScalingPolicy> policies;
};

struct HpaBehavior {
    HpaScalingRules up;
    HpaScalingRules down;
};

/// Up: no stabilisation, the larger of 4 pods/15 s and 100 %/15 s.
[[nodiscard]] HpaScalingRules default_scale_up_rules();
/// Down: 100 %/15 s after `downscale_stabilization`.
[[nodiscard]] HpaScalingRules default_scale_down_rules(Duration downscale_stabilization);

struct HpaRecommendation {
    std::int64_t replicas = 0;
    Time time;
};

/// A change of the replicas by the autoscaler, as a positive number.
struct HpaScaleEvent {
    std::int64_t change = 0;
    Time time;
    bool outdated = false;  ///< older than every policy's period: the next event takes its place
};

struct HpaScaleEvents {
    std::vector<HpaScaleEvent> up;
    std::vector<HpaScaleEvent> down;
};

struct HpaBounds {
    std::int64_t min_replicas = 1;
    std::int64_t max_replicas = 1;
};

struct LimitedReplicas {
    std::int64_t replicas = 0;
    std::string limit;  ///< what held it; empty: nothing did
};

/// Pods added or removed strictly after `now - period`.
[[nodiscard]] std::int64_t change_in_period(const std::vector<HpaScaleEvent>& events,
                                            Duration period, Time now);

/// The largest number that the policies allow now (before the bounds), and the policy that says so.
[[nodiscard]] LimitedReplicas scale_up_limit(std::int64_t current, const HpaScaleEvents& events,
                                             const HpaScalingRules& rules, Time now);
/// The smallest number that the policies allow now.
[[nodiscard]] LimitedReplicas scale_down_limit(std::int64_t current, const HpaScaleEvents& events,
                                               const HpaScalingRules& rules, Time now);

/// Without behavior: the largest of `desired` and the recommendations since `now - window`
/// (inclusive). Adds `desired` to the log.
std::int64_t stabilize_downscale(std::vector<HpaRecommendation>& log, std::int64_t desired,
                                 Duration window, Time now);

/// With behavior: `current`, raised to the least recommendation of the up window and lowered to the
/// largest of the down window. Adds `desired` to the log.
std::int64_t stabilize_with_behavior(std::vector<HpaRecommendation>& log,
                                     const HpaBehavior& behavior, std::int64_t current,
                                     std::int64_t desired, Time now);

/// Bounds, and at most max(factor * current, minimum).
[[nodiscard]] LimitedReplicas limit_without_behavior(const HpaBounds& bounds, std::int64_t current,
                                                     std::int64_t desired, double factor,
                                                     std::int64_t minimum);

[[nodiscard]] LimitedReplicas limit_with_behavior(const HpaBounds& bounds,
                                                  const HpaBehavior& behavior,
                                                  const HpaScaleEvents& events,
                                                  std::int64_t current, std::int64_t desired,
                                                  Time now);

/// Records a change in the log of its direction.
void store_scale_event(HpaScaleEvents& events, const HpaBehavior& behavior, std::int64_t before,
                       std::int64_t after, Time now);

}  // namespace headroom::policies
