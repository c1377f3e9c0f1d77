/// `hpa`: the Kubernetes horizontal pod autoscaler (autoscaling/v2), one round a sync period:
/// each metric proposes replicas (hpa_replica_calculator.hpp), the largest proposal wins, then
/// stabilisation, rate limits and bounds apply (hpa_behavior.hpp). Invariants: a decision is within
/// [min_replicas, max_replicas] unless the policy is disabled or has no metrics, and then it is the
/// present number; equal views in equal states give equal decisions. O(metrics * pods + log).
///
/// Parameters are named as in the API, in snake_case, with the API's own values ("Resource",
/// "Utilization", "Max", "Percent"). A target's `value` is a Kubernetes quantity, kept in
/// milli-units: 60 or "60" is 60 % for Utilization, "500m" half a unit, "8Gi" bytes of memory.
///
///     {"max_replicas": 12, "metrics": [{"type": "Resource", "name": "cpu",
///                                       "target": {"type": "Utilization", "value": 60}}]}
///
/// A configuration that cannot work (min above max) is an `invalid` decision at each tick; a metric
/// that cannot is one that fails. Source: kubernetes v1.28
/// pkg/controller/podautoscaler/horizontal.go; defaults config/v1alpha1/defaults.go and
/// pkg/apis/autoscaling/v2/defaults.go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policies/scaling/hpa/hpa_behavior.hpp"
#include "policies/scaling/hpa/hpa_replica_calculator.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

class Hpa final : public control::ScalingPolicy {
  public:
    /// What the autoscaler remembers from round to round.
    struct Memory {
        /// nullopt: not a round yet; the first one then records the replicas it finds.
        std::optional<std::vector<HpaRecommendation>> recommendations;
        HpaScaleEvents events;
    };

    static ParameterSpecs parameter_specs();
    Hpa(const Parameters& parameters, const PolicyContext& context);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override;
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override;
    /// Those of faults() that are about `behavior`, which KEDA hands on.
    [[nodiscard]] const std::vector<control::ScalingFault>& behavior_faults() const {
        return behavior_faults_;
    }
    [[nodiscard]] bool starts_from_zero() const override { return bounds_.min_replicas == 0; }
    [[nodiscard]] Duration period() const override { return sync_period_; }
    control::ScalingDecision decide(const control::ScalingView& view) override;

    [[nodiscard]] const Memory& memory() const { return memory_; }
    /// Goes on as if `memory` were its own: a controller that starts in the middle.
    void restore(Memory memory) { memory_ = std::move(memory); }

  private:
    struct Combined {
        bool valid = false;
        std::int64_t replicas = 0;
        std::string measured;  ///< the metric that decided
        std::string error;     ///< of the first metric that failed, with how many did
    };

    [[nodiscard]] control::ScalingFault bounds_fault() const;
    [[nodiscard]] Combined combine_metrics(const control::ScalingView& view) const;
    [[nodiscard]] control::ScalingDecision decide_by_metrics(const control::ScalingView& view);
    [[nodiscard]] control::ScalingDecision move_into_bounds(const control::ScalingView& view);
    void note_change(std::int64_t before, std::int64_t after, Time now);

    HpaBounds bounds_;
    std::vector<HpaMetric> metrics_;
    HpaCalculatorOptions calculator_;
    Duration sync_period_;
    Duration downscale_stabilization_;
    double scale_up_limit_factor_;
    std::int64_t scale_up_limit_minimum_;
    bool has_behavior_ = false;
    HpaBehavior behavior_;
    std::vector<control::ScalingFault> behavior_faults_;
    Memory memory_;
};

}  // namespace headroom::policies
