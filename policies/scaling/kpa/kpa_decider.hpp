/// The heart of Knative's pod autoscaler: how many pods the load of two windows asks for. The long
/// (stable) window decides; when the short (panic) one asks for `panic_threshold` times the pods
/// that are ready, a panic begins, in which the number never falls, and which ends when a stable
/// window has gone by since the last tick over the threshold.
///
///     KpaScale scale = kpa_scale(spec, state, now, ready, {.stable = 412, .panic = 530}, tick);
///     // scale.desired_pods, and scale.limit: what held it back
///
/// Bounds and scale to zero come after it (kpa_activity.hpp). Rates apply to max(1, ready), the
/// upper one wins; `limit` is the last rule that changed the number. O(1) amortised. Ratios are
/// doubles, as upstream: IEEE division, ceil and floor only.
/// Source: knative/serving pkg/autoscaler/scaling/autoscaler.go (Scale).
#pragma once

#include <cstdint>
#include <optional>

#include "policies/scaling/sliding_maximum.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

struct KpaDeciderSpec {
    double target_value = 70.0;  ///< of the metric, per pod
    double total_value = 100.0;  ///< what a pod takes at most
    double target_burst_capacity = 211.0;
    double panic_threshold = 2.0;
    double max_scale_up_rate = 1000.0;
    double max_scale_down_rate = 2.0;
    Duration stable_window = Duration::seconds(60);
    std::int64_t activation_scale = 1;
    bool reachable = true;
};

struct KpaDeciderState {
    std::optional<Time> panic_since;  ///< the last tick over the threshold; nullopt: no panic
    std::int64_t max_panic_pods = 0;
    std::optional<SlidingMaximum> delay;  ///< of scale_down_delay, by tick; nullopt: no delay
};

/// The metric, averaged over the windows.
struct KpaLoad {
    double stable = 0.0;
    double panic = 0.0;
};

enum class KpaLimit : std::uint8_t {
    none,
    max_scale_up_rate,
    max_scale_down_rate,
    activation_scale,
    panic,
    scale_down_delay,
};

struct KpaScale {
    std::int64_t wanted = 0;  ///< before any limit
    std::int64_t desired_pods = 0;
    /// floor(capacity of the ready pods - burst capacity - load of the panic window); negative: the
    /// activator belongs in the path.
    std::int64_t excess_burst_capacity = 0;
    KpaLimit limit = KpaLimit::none;
};

/// `tick` is the length of a position of the delay window.
[[nodiscard]] KpaScale kpa_scale(const KpaDeciderSpec& spec, KpaDeciderState& state, Time now,
                                 std::int64_t ready, KpaLoad load, Duration tick);

/// A delay window as the spec's `scale_down_delay` asks for; nullopt when it is zero.
[[nodiscard]] std::optional<SlidingMaximum> make_delay_window(Duration scale_down_delay,
                                                              Duration tick);

}  // namespace headroom::policies
