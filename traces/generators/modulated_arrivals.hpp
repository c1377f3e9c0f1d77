/// ModulatedArrivals: unit gaps seen through a rate profile, the common form of the processes whose
/// rate changes over time (see arrival_process.hpp). Profile offers `Time advance(Time from, double
/// area)` and `double integral(Time)`.
#pragma once

#include <utility>

#include "traces/generators/arrival_process.hpp"
#include "traces/generators/unit_gaps.hpp"

namespace headroom::traces {

template <class Profile>
class ModulatedArrivals : public ArrivalProcess {
  public:
    Time next() final {
        if (now_ != Time::max()) now_ = profile_.advance(now_, gaps_.next());
        return now_;
    }
    [[nodiscard]] double expected_by(Time t) const final { return profile_.integral(t); }
    [[nodiscard]] double gap_cv() const final { return gaps_.cv(); }

  protected:
    ModulatedArrivals(Profile profile, UnitGaps gaps)
        : profile_(std::move(profile)), gaps_(std::move(gaps)) {}

  private:
    Profile profile_;
    UnitGaps gaps_;
    Time now_;
};

/// A rate that never changes: the gap is the unit gap over the rate.
class SteadyRate {
  public:
    explicit SteadyRate(double rate) : rate_(rate) {}
    [[nodiscard]] Time advance(Time from, double area) const { return later(from, area / rate_); }
    [[nodiscard]] double integral(Time t) const { return rate_ * t.to_seconds(); }

  private:
    double rate_;
};

/// The parameter of every steady process.
[[nodiscard]] inline ParameterSpec rate_spec() {
    return ParameterSpec::number("rate", 1, "requests per second on average")
        .required()
        .above(0)
        .at_most(1e9)
        .in("requests/s");
}

}  // namespace headroom::traces
