/// Weibull gaps, given by their coefficient of variation or by their shape (below 1: bursty).

#include "traces/generators/modulated_arrivals.hpp"

namespace headroom::traces {

class WeibullArrivals final : public ModulatedArrivals<SteadyRate> {
  public:
    WeibullArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(SteadyRate(p.number("rate")), gaps(p, context.random)) {}
    static ParameterSpecs parameter_specs() {
        return {rate_spec(),
                ParameterSpec::number("cv", 2, "coefficient of variation of the gaps")
                    .at_least(kLeastCv)
                    .at_most(kMostCv),
                ParameterSpec::number("shape", 1, "Weibull shape; takes the place of cv")
                    .optional_without_default()
                    .at_least(0.1)
                    .at_most(100)};
    }

  private:
    static UnitGaps gaps(const Parameters& p, RandomStream stream) {
        return p.given("shape") ? UnitGaps::weibull_of_shape(p.number("shape"), stream)
                                : UnitGaps::weibull(p.number("cv"), stream);
    }
};

REGISTER_POLICY(ArrivalProcess, WeibullArrivals, "weibull",
                "Weibull gaps, by coefficient of variation or shape");

}  // namespace headroom::traces
