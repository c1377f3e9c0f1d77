/// ReplicaDemand: from the replicas that a rule wants to the decision that is made. Bounds, a delay
/// before fewer, a request that waits at zero replicas, missing metrics: what the policies that
/// compute a number of their own (capacity-ratio, predictive, slo-aware) do alike, under the same
/// parameter names.
///
/// More replicas come at once; fewer only down to the most that was needed within scale_down_delay
/// (SlidingMaximum), where the number found at the first tick counts as needed. Invariants: a
/// decision is within [min_replicas, max_replicas], unless min is above max: then it is `invalid`
/// and the present number. Without metrics the present number stays, moved into the bounds, and
/// counts as needed. O(1) amortised.
///
///     if (!load) return demand_.keep(view, "arrivals_per_second: no visible sample");
///     return demand_.settle(view, {.wanted = 3, .why = "1000 x 1.2 / 500", .inputs = "..."});
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/scaling/sliding_maximum.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

class ReplicaDemand {
  public:
    struct Wish {
        std::int64_t wanted = 0;
        /// What a reduction must leave; below `wanted`: the same as wanted.
        std::int64_t keeps = 0;
        std::string why = {};             ///< "3 wanted: " stands before it
        std::string_view keeps_why = {};  ///< why more are kept than wanted
        std::string inputs = {};
    };

    /// Appends min_replicas, max_replicas, sync_period and scale_down_delay.
    static void append_specs(ParameterSpecs& specs, Duration scale_down_delay);
    explicit ReplicaDemand(const Parameters& parameters);

    [[nodiscard]] Duration period() const { return sync_period_; }
    /// Appends what is wrong with the bounds.
    void append_faults(std::vector<control::ScalingFault>& faults) const;

    control::ScalingDecision settle(const control::ScalingView& view, Wish wish);
    /// Nothing could be computed, for the reason `error`.
    control::ScalingDecision keep(const control::ScalingView& view, std::string error);

  private:
    [[nodiscard]] std::int64_t bounded(std::int64_t replicas) const;
    void note(Time now, std::int64_t present, std::int64_t needed);

    std::int64_t min_;
    std::int64_t max_;
    Duration sync_period_;
    Duration delay_;
    SlidingMaximum needed_;
};

/// The load of a whole workload: the sum of a reading's series, at least zero; nullopt without any.
[[nodiscard]] std::optional<std::int64_t> load_of(const control::MetricReading& reading);
/// ceil(load / capacity) in exact integers, capped at a milliard; 0 for no load. capacity > 0.
[[nodiscard]] std::int64_t replicas_to_carry(Int128 load, Int128 capacity);

/// Parameters `metric` and `capacity_per_replica`, which are about the same unit.
void append_load_specs(ParameterSpecs& specs);
/// capacity_per_replica in milli-units, at least one of them.
[[nodiscard]] std::int64_t capacity_of(const Parameters& parameters);

}  // namespace headroom::policies
