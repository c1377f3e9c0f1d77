/// The replica calculator of the horizontal pod autoscaler: what one metric alone asks for, from
/// the pods and a reading of the metric. Pure functions, no state.
///
/// Amounts are milli-units (int64); a Utilization target is in milli-percent, so that one type
/// holds all targets ("60" in a scenario is 60'000). Sums are 128-bit. Ratios are doubles, as
/// upstream: only IEEE divisions, products and ceil, so equal on every machine. O(pods) each.
///
///     ReplicaProposal p = propose_replicas(source, view, reading, options);
///     if (p.valid) ...p.replicas...; else ...p.error...
///
/// Errors are values (`valid` false with a reason): a metric that fails takes no part in the round.
/// Source: kubernetes v1.28 pkg/controller/podautoscaler/replica_calculator.go and
/// metrics/utilization.go; tolerances per direction as in kubernetes v1.33 and later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/control/scaling_policy.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

/// The band around 1 in which a ratio of usage to target changes nothing.
struct HpaTolerances {
    double scale_down = 0.1;
    double scale_up = 0.1;
    /// behavior gave a tolerance: the test is then 1 - down <= ratio <= 1 + up (v1.33), else
    /// |1 - ratio| <= tolerance (v1.28). They differ by a rounding at the very edge.
    bool per_direction = false;

    [[nodiscard]] bool covers(double ratio) const;
};

struct HpaCalculatorOptions {
    HpaTolerances tolerances;
    Duration cpu_initialization_period = Duration::seconds(300);
    Duration initial_readiness_delay = Duration::seconds(30);
};

enum class HpaTargetKind : std::uint8_t { utilization, average_value, value };

/// One entry of the autoscaler's `metrics`.
struct HpaMetric {
    control::MetricRequest request;
    HpaTargetKind target_kind = HpaTargetKind::utilization;
    std::int64_t target_milli = 0;
    std::string invalid;  ///< why this entry can never work; empty: it can
};

/// Positions in the list of pods. A pod is in at most one of the three lists.
struct HpaPodGroups {
    std::int64_t ready_count = 0;
    std::vector<std::size_t> unready;
    std::vector<std::size_t> missing;
    std::vector<std::size_t> ignored;
};

struct ReplicaProposal {
    bool valid = false;
    std::int64_t replicas = 0;
    std::int64_t utilization_percent =
        0;                         ///< of Utilization targets: the first pass, whole per cent
    std::int64_t usage_milli = 0;  ///< mean per pod, or the value of object and external
    std::string error;             ///< when not valid
    std::string measured;          ///< "cpu 92 % (target 60 %)"
};

/// Which pods count, which are too young, which have no sample. `samples` is parallel to `pods`.
[[nodiscard]] HpaPodGroups group_pods(const std::vector<control::ScalingPod>& pods,
                                      const std::vector<std::optional<control::PodSample>>& samples,
                                      bool is_cpu, Time now, const HpaCalculatorOptions& options);

/// What `metric` asks for. `reading` is its entry of the view.
[[nodiscard]] ReplicaProposal propose_replicas(const HpaMetric& metric,
                                               const control::ScalingView& view,
                                               const control::MetricReading& reading,
                                               const HpaCalculatorOptions& options);

}  // namespace headroom::policies
