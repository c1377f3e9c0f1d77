/// `capacity-ratio`: as many replicas as the load needs at a known capacity of one, and some to
/// spare:
///
///     additive   ceil(load / capacity_per_replica + safety)
///     factor     ceil(load * safety_factor / capacity_per_replica)
///
/// Both in integers, so that no rounding of a fraction adds a replica: 0.3 / 0.1 is 3. At 1000/s
/// and 500/s a replica, safety_factor 1.2 wants ceil(2.4) = 3, safety 1.2 wants ceil(3.2) = 4. More
/// replicas come at once, fewer after scale_down_delay (replica_demand.hpp). O(1).
#include <fmt/format.h>

#include "policies/scaling/decision_text.hpp"
#include "policies/scaling/replica_demand.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

using control::ScalingPolicy;

class CapacityRatio final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        ParameterSpecs specs;
        append_load_specs(specs);
        specs.push_back(
            ParameterSpec::choice("form", {"additive", "factor"}, "additive",
                                  "additive: ceil(load / capacity_per_replica + safety); factor: "
                                  "ceil(load * safety_factor / capacity_per_replica)"));
        specs.push_back(ParameterSpec::quantity("safety", 1000, "m",
                                                "replicas to spare, for the form additive"));
        specs.push_back(ParameterSpec::quantity("safety_factor", 1200, "m",
                                                "load to prepare for, for the form factor")
                            .above(0));
        ReplicaDemand::append_specs(specs, Duration::minutes(5));
        return specs;
    }
    CapacityRatio(const Parameters& parameters, const PolicyContext&)
        : metric_(parameters.text("metric")),
          capacity_milli_(capacity_of(parameters)),
          additive_(parameters.text("form") == "additive"),
          safety_milli_(parameters.integer("safety")),
          factor_milli_(parameters.integer("safety_factor")),
          demand_(parameters) {
        demand_.append_faults(faults_);
    }

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override {
        return {{.kind = control::MetricKind::external, .name = metric_, .pointer = "/metric"}};
    }
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] Duration period() const override { return demand_.period(); }
    control::ScalingDecision decide(const control::ScalingView& view) override;

  private:
    std::string metric_;
    std::int64_t capacity_milli_;
    bool additive_;
    std::int64_t safety_milli_;
    std::int64_t factor_milli_;
    ReplicaDemand demand_;
    std::vector<control::ScalingFault> faults_;
};

control::ScalingDecision CapacityRatio::decide(const control::ScalingView& view) {
    const auto load = view.metrics.empty() ? std::nullopt : load_of(view.metrics.front());
    if (!load) {
        const bool silent = view.metrics.empty() || view.metrics[0].error.empty();
        return demand_.keep(view, metric_ + ": " + (silent ? "no value" : view.metrics[0].error));
    }
    // Over the denominator capacity * 1000, in milli-units of the metric times thousandths.
    const Int128 denominator = Int128{capacity_milli_} * 1000;
    const Int128 numerator = additive_
                                 ? Int128{*load} * 1000 + Int128{safety_milli_} * capacity_milli_
                                 : Int128{*load} * factor_milli_;
    const std::string amount = amount_text(*load);
    const std::string capacity = amount_text(capacity_milli_);
    return demand_.settle(
        view,
        {.wanted = replicas_to_carry(numerator, denominator),
         .why = additive_
                    ? fmt::format("{} / {} + {}", amount, capacity, amount_text(safety_milli_))
                    : fmt::format("{} x {} / {}", amount, amount_text(factor_milli_), capacity),
         .inputs = fmt::format("{} {}; {} a replica", metric_, amount, capacity)});
}

REGISTER_POLICY(ScalingPolicy, CapacityRatio, "capacity-ratio",
                "load over the capacity of one replica, with some to spare");

}  // namespace headroom::policies
