/// A daily wave: mean * (1 + amplitude * cos(2 pi (t - peak_at) / period)). Its peak is at most
/// twice the mean; a sharper day is a list of points for `steps` with linear interpolation and a
/// period. (Peak over mean of production services: 1.9 to 3.3 within 14 days.)

#include "traces/generators/modulated_arrivals.hpp"
#include "traces/generators/rate_profile.hpp"

namespace headroom::traces {

class DiurnalArrivals final : public ModulatedArrivals<SinusoidRate> {
  public:
    DiurnalArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(SinusoidRate(p.number("rate"), amplitude(p), p.duration("period"),
                                         p.duration("peak_at")),
                            UnitGaps::from(p, context.random)) {}
    static ParameterSpecs parameter_specs() {
        ParameterSpecs specs = {
            rate_spec(),
            ParameterSpec::number("amplitude", 0.5, "swing around the mean, as a share of it")
                .at_least(0)
                .at_most(1),
            ParameterSpec::number("peak_to_mean", 1.5,
                                  "peak rate over mean rate; takes the place of amplitude")
                .optional_without_default()
                .at_least(1)
                .at_most(2),
            ParameterSpec::duration("period", Duration::hours(24), "length of a wave")
                .at_least(1)
                .at_most(8'640'000),
            ParameterSpec::duration("peak_at", Duration::hours(12), "when the rate is greatest")
                .at_most(8'640'000),
        };
        for (ParameterSpec& spec : UnitGaps::specs()) specs.push_back(std::move(spec));
        return specs;
    }

  private:
    static double amplitude(const Parameters& p) {
        return p.given("peak_to_mean") ? p.number("peak_to_mean") - 1 : p.number("amplitude");
    }
};

REGISTER_POLICY(ArrivalProcess, DiurnalArrivals, "diurnal", "a daily wave around a mean rate");

}  // namespace headroom::traces
