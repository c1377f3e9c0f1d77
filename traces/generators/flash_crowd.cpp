/// A flash crowd: from the base rate up a straight ramp to `multiplier` times it, held, and down a
/// straight line again; once, or every `every`.

#include <optional>
#include <vector>

#include "traces/generators/modulated_arrivals.hpp"
#include "traces/generators/rate_profile.hpp"

namespace headroom::traces {

class FlashCrowdArrivals final : public ModulatedArrivals<PiecewiseLinearRate> {
  public:
    FlashCrowdArrivals(const Parameters& p, const PolicyContext& context)
        : ModulatedArrivals(profile(p), UnitGaps::from(p, context.random)) {}
    static ParameterSpecs parameter_specs() {
        ParameterSpecs specs = {
            rate_spec(),
            ParameterSpec::number("multiplier", 5, "rate of the surge over the base rate")
                .at_least(0)
                .at_most(1e6),
            ParameterSpec::duration("start", Duration::minutes(5), "when the surge begins")
                .at_most(kMostSeconds),
            ParameterSpec::duration("ramp", Duration::seconds(30), "from base to surge")
                .at_most(kMostSeconds),
            ParameterSpec::duration("hold", Duration::minutes(5), "at the surge")
                .at_most(kMostSeconds),
            ParameterSpec::duration("decay", Duration::minutes(2), "from surge to base")
                .at_most(kMostSeconds),
            ParameterSpec::duration("every", Duration::hours(24), "repeats with this period")
                .optional_without_default()
                .at_least(1)
                .at_most(8'640'000),
        };
        specs.front().help = "requests per second outside the surge";
        for (ParameterSpec& spec : UnitGaps::specs()) specs.push_back(std::move(spec));
        return specs;
    }

  private:
    static constexpr double kMostSeconds = 2'160'000;  // four of them make 100 days

    static PiecewiseLinearRate profile(const Parameters& p) {
        const double base = p.number("rate");
        const double surge = base * p.number("multiplier");
        const Time start = Time::zero() + p.duration("start");
        const Time top = start + p.duration("ramp");
        const Time fall = top + p.duration("hold");
        const Time end = fall + p.duration("decay");
        std::optional<Duration> period;
        if (p.given("every")) period = p.duration("every");
        if (period && end > Time::zero() + *period) {
            throw std::invalid_argument(
                "start + ramp + hold + decay is longer than every; expected at most as long");
        }
        return {{{Time::zero(), base}, {start, base}, {top, surge}, {fall, surge}, {end, base}},
                period};
    }
};

REGISTER_POLICY(ArrivalProcess, FlashCrowdArrivals, "flash-crowd",
                "a base rate with a surge: ramp, hold, decay");

}  // namespace headroom::traces
