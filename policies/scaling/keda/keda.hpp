/// `keda`: a KEDA ScaledObject. KEDA looks at its triggers every polling_interval and moves the
/// workload between 0 (or idle_replica_count) and the minimum (keda_executor.hpp); a horizontal pod
/// autoscaler (hpa.hpp) with the triggers as external metrics does the rest at its own sync_period,
/// between max(1, min_replicas) and max_replicas. Where both are due at one instant KEDA comes
/// first, and when it changed the replicas the HPA sees that a sync period later.
///
///     {"min_replicas": 0, "max_replicas": 20, "cooldown_period": "5m",
///      "triggers": [{"type": "queue", "threshold": 5}]}
///
/// Parameters are KEDA's in snake_case with its defaults; `behavior` and what else is of the HPA as
/// there. A trigger that fails is counted at each sync; after more than fallback.failure_threshold
/// failures in a row it counts as fallback.replicas times its threshold. The period is the largest
/// that meets both schedules, at least a second: then each is met at the first tick after it is
/// due. O(triggers + pods). Errors are outcomes with a reason; what cannot work is in faults().
/// Source: kedacore/keda pkg/scaling/scale_handler.go, pkg/scaling/executor, pkg/fallback,
/// controllers/keda/hpa.go; defaults apis/keda/v1alpha1/scaledobject_types.go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policies/scaling/hpa/hpa.hpp"
#include "policies/scaling/keda/keda_executor.hpp"
#include "policies/scaling/keda/keda_triggers.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

class Keda final : public control::ScalingPolicy {
  public:
    /// What KEDA and the HPA remember.
    struct Memory {
        std::optional<Time> created;  ///< the first look
        std::optional<Time> last_active;
        Time next_poll;
        Time next_sync;
        std::vector<std::int64_t> failures;  ///< in a row, by trigger
        Hpa::Memory hpa;
    };

    static ParameterSpecs parameter_specs();
    Keda(const Parameters& parameters, const PolicyContext& context);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override;
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] std::vector<std::string> needs_calendar() const override {
        return triggers_.needs_calendar();
    }
    [[nodiscard]] Duration period() const override { return period_; }
    control::ScalingDecision decide(const control::ScalingView& view) override;

    [[nodiscard]] Memory memory() const;
    void restore(Memory memory);

  private:
    enum class FallbackBehavior : std::uint8_t {
        fixed,
        current,
        current_if_higher,
        current_if_lower
    };
    struct Fallback {
        std::int64_t failure_threshold = 3;
        std::int64_t replicas = 0;
        FallbackBehavior behavior = FallbackBehavior::fixed;
    };

    static Fallback parse_fallback(const Parameters& parameters);
    void find_faults(const KedaScaleRules& rules, std::int64_t max_replicas);
    [[nodiscard]] control::ScalingDecision poll(const control::ScalingView& view,
                                                const std::vector<KedaReading>& readings);
    [[nodiscard]] control::ScalingDecision sync(const control::ScalingView& view,
                                                const std::vector<KedaReading>& readings);
    void fill_hpa_view(const control::ScalingView& view, const std::vector<KedaReading>& readings);
    [[nodiscard]] std::optional<std::int64_t> fallback_value(std::size_t trigger,
                                                             std::int64_t current,
                                                             std::int64_t ready) const;

    KedaTriggers triggers_;
    KedaScaleRules rules_;
    std::optional<Fallback> fallback_;
    Duration polling_interval_;
    Duration sync_period_;
    Duration period_;
    Hpa hpa_;
    control::ScalingView hpa_view_;  ///< kept for its memory
    std::vector<control::ScalingFault> faults_;
    Memory memory_;  ///< but the HPA's, which has its own
};

}  // namespace headroom::policies
