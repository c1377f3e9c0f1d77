/// Rates over time, in requests per second, that can be integrated and inverted: what a modulated
/// arrival process is driven by (see arrival_process.hpp).
///
///     PiecewiseLinearRate rate({{Time::zero(), 2}, {at, 2}, {at, 20}}, std::nullopt);
///     Time t = rate.advance(from, 0.7);     // the integral from `from` to t is 0.7
///
/// advance() must be called with times that do not go back. Both profiles round only the result, to
/// the nearest picosecond, and start afresh from it, so errors do not add up. Only + - * / sqrt and
/// rounding are used: equal bits with every compiler.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::traces {

/// Straight lines between knots; two knots of one time make a jump. 0 before the first knot; after
/// the last its rate stays, or, with a period, everything repeats (the knots then lie in [0,
/// period]). advance(): O(1) amortised, by the closed form of a quadratic.
class PiecewiseLinearRate {
  public:
    struct Knot {
        Time at;
        double rate = 0;  ///< >= 0
    };
    /// Knots in order of time, at least one.
    PiecewiseLinearRate(const std::vector<Knot>& knots, std::optional<Duration> period);

    /// The earliest t with an integral of `area` >= 0 over [from, t]; Time::max() past the horizon.
    [[nodiscard]] Time advance(Time from, double area);
    /// The integral over [0, t).
    [[nodiscard]] double integral(Time t) const;

  private:
    struct Segment {
        Time start, end;   ///< in the first cycle
        double rate = 0;   ///< at the start
        double slope = 0;  ///< per second
        [[nodiscard]] double rate_at(double seconds) const { return rate + slope * seconds; }
        [[nodiscard]] double area(double from_s, double to_s) const {
            return (to_s - from_s) * 0.5 * (rate_at(from_s) + rate_at(to_s));
        }
    };
    void next_segment(double& area);

    std::vector<Segment> segments_;
    std::optional<Duration> period_;
    double cycle_area_ = 0;
    std::size_t current_ = 0;  ///< where the last advance() ended
    Time cycle_start_;
    bool past_horizon_ = false;
};

/// mean * (1 + amplitude * cos(2 pi (t - peak_at) / period)), 0 <= amplitude <= 1. advance():
/// Newton's method kept inside a shrinking bracket, two or three steps, some 250 ns.
class SinusoidRate {
  public:
    SinusoidRate(double mean, double amplitude, Duration period, Duration peak_at);

    [[nodiscard]] Time advance(Time from, double area) const;
    [[nodiscard]] double integral(Time t) const;

  private:
    /// Of the time in turns, in [0, 1): exact but for one division.
    [[nodiscard]] double phase(Time t) const;
    /// The integral over `seconds` from a time of that phase.
    [[nodiscard]] double area_after(double phase, double seconds) const;

    double mean_;
    double amplitude_;
    Duration period_;
    Duration peak_at_;
    double period_s_;
};

/// sin(2 pi x), below 4e-16 off, from + - * and rounding alone.
[[nodiscard]] double sin_turns(double x);

}  // namespace headroom::traces
