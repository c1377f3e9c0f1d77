/// `static`: a fixed number of replicas, whatever the load. The baseline of a comparison.
#include <fmt/format.h>

#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

using control::ScalingPolicy;

class StaticReplicas final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        return {control::replica_count("replicas", 1, "replicas at all times"),
                ParameterSpec::duration("sync_period", Duration::seconds(15),
                                        "how often a departure from it is put right")
                    .above(0)};
    }
    StaticReplicas(const Parameters& parameters, const PolicyContext&)
        : replicas_(parameters.integer("replicas")),
          sync_period_(parameters.duration("sync_period")) {}

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override { return {}; }
    [[nodiscard]] Duration period() const override { return sync_period_; }
    control::ScalingDecision decide(const control::ScalingView& view) override {
        const bool changed = view.spec_replicas != replicas_;
        return {.desired = replicas_,
                .wanted = replicas_,
                .outcome =
                    changed ? control::ScalingOutcome::scaled : control::ScalingOutcome::unchanged,
                .reason = fmt::format("{} replicas, fixed", replicas_)};
    }

  private:
    std::int64_t replicas_;
    Duration sync_period_;
};

REGISTER_POLICY(ScalingPolicy, StaticReplicas, "static", "a fixed number of replicas");

}  // namespace headroom::policies
