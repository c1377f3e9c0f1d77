/// Gamma gaps: bursty above a coefficient of variation of 1, regular below. What ServeGen (Xiang et
/// al., 2025) found to fit the clients of production LLM services, with 2.2 to 12.

#include "traces/generators/modulated_arrivals.hpp"

namespace headroom::traces {

class GammaArrivals final : public ModulatedArrivals<SteadyRate> {
  public:
    GammaArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(SteadyRate(p.number("rate")),
                            UnitGaps::gamma(p.number("cv"), context.random)) {}
    static ParameterSpecs parameter_specs() {
        return {rate_spec(), ParameterSpec::number("cv", 2, "coefficient of variation of the gaps")
                                 .at_least(kLeastCv)
                                 .at_most(kMostCv)};
    }
};

REGISTER_POLICY(ArrivalProcess, GammaArrivals, "gamma",
                "gamma gaps: bursts by their coefficient of variation");

}  // namespace headroom::traces
