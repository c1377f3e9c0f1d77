/// A Poisson process: exponential gaps, what many independent users make together.

#include "traces/generators/modulated_arrivals.hpp"

namespace headroom::traces {

class PoissonArrivals final : public ModulatedArrivals<SteadyRate> {
  public:
    PoissonArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(SteadyRate(p.number("rate")), UnitGaps::poisson(context.random)) {}
    static ParameterSpecs parameter_specs() { return {rate_spec()}; }
};

REGISTER_POLICY(ArrivalProcess, PoissonArrivals, "poisson",
                "independent users: exponential gaps, coefficient of variation 1");

}  // namespace headroom::traces
