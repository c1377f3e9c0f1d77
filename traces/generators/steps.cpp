/// A rate given by a list of {at, rate}: it holds until the next entry (interpolation "step") or
/// runs straight to it ("linear"). 0 before the first entry; after the last its rate stays, or the
/// list repeats with `period`.

#include <optional>
#include <vector>

#include "traces/generators/modulated_arrivals.hpp"
#include "traces/generators/rate_profile.hpp"

namespace headroom::traces {

class StepArrivals final : public ModulatedArrivals<PiecewiseLinearRate> {
  public:
    StepArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(profile(p), UnitGaps::from(p, context.random)) {}
    static ParameterSpecs parameter_specs() {
        constexpr double kMostSeconds = 8'640'000;
        ParameterSpecs step = {
            ParameterSpec::duration("at", Duration::zero(), "from when")
                .required()
                .at_most(kMostSeconds),
            ParameterSpec::number("rate", 1, "requests per second")
                .required()
                .at_least(0)
                .at_most(1e9)
                .in("requests/s"),
        };
        ParameterSpecs specs = {
            ParameterSpec::list("steps", ParameterSpec::object("step", std::move(step), "one rate"),
                                "rates in order of time")
                .required(),
            ParameterSpec::choice("interpolation", {"step", "linear"}, "step",
                                  "the rate holds until the next entry, or runs straight to it"),
            ParameterSpec::duration("period", Duration::hours(24), "the list repeats after this")
                .optional_without_default()
                .at_least(1)
                .at_most(kMostSeconds),
        };
        for (ParameterSpec& spec : UnitGaps::specs()) specs.push_back(std::move(spec));
        return specs;
    }

  private:
    static PiecewiseLinearRate profile(const Parameters& p) {
        const bool linear = p.text("interpolation") == "linear";
        std::optional<Duration> period;
        if (p.given("period")) period = p.duration("period");
        std::vector<PiecewiseLinearRate::Knot> knots;
        for (const ParameterValue& entry : p.list("steps")) {
            const Parameters& step = *std::get<std::shared_ptr<const Parameters>>(entry.data);
            const Time at = Time::zero() + step.duration("at");
            const double rate = step.number("rate");
            if (!knots.empty() && at <= knots.back().at) {
                throw std::invalid_argument(
                    "steps are out of order; expected each `at` later than "
                    "the one before");
            }
            if (!linear && !knots.empty()) knots.push_back({at, knots.back().rate});
            knots.push_back({at, rate});
        }
        if (knots.empty()) throw std::invalid_argument("no steps; expected at least one");
        if (period && knots.back().at > Time::zero() + *period) {
            throw std::invalid_argument("a step lies after the period; expected all within it");
        }
        return {knots, period};
    }
};

REGISTER_POLICY(ArrivalProcess, StepArrivals, "steps", "a list of rates over time");

}  // namespace headroom::traces
