/// ArrivalProcess: the times at which requests come, one after the other. Registered by name in
/// Registry<ArrivalProcess>, one file each in this folder; its PolicyContext's stream must be
/// RandomStream{seed, "source/<name>/arrival"}.
///
/// Every process here is a renewal process of unit rate (its gaps have mean 1: exponential, gamma,
/// Weibull or constant) looked at through a clock that runs at the wanted rate: arrival i lies
/// where the integral of the rate over time, counted from arrival i-1, reaches gap i. Each arrival
/// so uses exactly one uniform number, draw i, and two rate profiles see the same randomness.
/// (Time change of a point process: Daley and Vere-Jones, An Introduction to the Theory of Point
/// Processes, 2nd ed., section 7.4.) The first gap starts at time 0, as if request -1 came then.
///
/// next() is O(1) amortised and allocates nothing. A constructor throws std::invalid_argument on
/// parameters that contradict each other, which the specs cannot say; so it may run only while
/// loading.
#pragma once

#include <stdexcept>

#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"

namespace headroom::traces {

class ArrivalProcess {
  public:
    virtual ~ArrivalProcess() = default;
    /// Never earlier than the one before; Time::max() for good once none comes within the horizon
    /// limit.
    virtual Time next() = 0;
    /// The integral of the rate over [0, t): the number of arrivals to expect by then.
    [[nodiscard]] virtual double expected_by(Time t) const = 0;
    /// Coefficient of variation (standard deviation over mean) of the gaps at a steady rate; 1 is a
    /// Poisson process.
    [[nodiscard]] virtual double gap_cv() const { return 1; }
};

/// `from` + `seconds`, to the nearest picosecond; Time::max() past the horizon limit.
[[nodiscard]] inline Time later(Time from, double seconds) {
    const Duration gap = Duration::from_seconds(seconds);
    return gap > Time::horizon_limit() - from ? Time::max() : from + gap;
}

}  // namespace headroom::traces
