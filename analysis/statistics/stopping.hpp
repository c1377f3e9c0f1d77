/// How many replications a wanted precision takes: the rule behind `--replications auto`.
///
///     std::size_t count = goal.minimum;
///     while (true) {
///         ... run up to `count` replications ...
///         const PrecisionVerdict verdict = judge_precision(metrics, goal);   // a vector each
///         if (verdict.stop()) break;              // reached, or there may be no more
///         count = verdict.next;
///     }
///
/// Reached when for every metric half-width <= g / (1 + g) |mean|, g = `relative`: then the mean is
/// off by no more than g of the true one with the wanted confidence (Law, Simulation Modeling and
/// Analysis, 5th ed., 9.4.1; each metric for itself, not all at once). Which metrics those are is
/// the caller's choice. Where it is not reached, the next look is at the number that the present
/// variance asks for, but at most at twice as many replications as there are. A small variance by
/// luck ends a study early, so it starts with ten (Law's minimum): measured, the mean is then
/// within g in 95 % of studies, and the final interval covers in 93 to 95 %; starting with three,
/// in 91 %.
///
/// A pure function of the values, so the number of replications cannot depend on threads or time.
/// Values are finite. O(values), plus some tens of quantiles of t a metric.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "analysis/statistics/interval.hpp"

namespace headroom::analysis {

struct PrecisionGoal {
    double relative = 0.05;  ///< of the true mean, > 0
    double confidence = kDefaultConfidence;
    std::size_t minimum = 10;    ///< replications before the first look, at least 2
    std::size_t maximum = 1000;  ///< never more
};

struct PrecisionVerdict {
    bool reached = false;
    std::size_t count = 0;  ///< replications there are
    std::size_t next = 0;   ///< how many there should be at the next look; `count`: stop
    std::size_t worst = 0;  ///< index of the metric that needs most (the first of them)
    /// What that metric needs in all; nullopt: cannot be said (its mean is 0, or there are fewer
    /// than two replications).
    std::optional<std::size_t> needed;

    [[nodiscard]] bool stop() const { return next == count; }
};

/// One vector of values a metric, all of one length; at least one metric.
[[nodiscard]] PrecisionVerdict judge_precision(std::span<const std::vector<double>> metrics,
                                               const PrecisionGoal& goal);

/// Half-width over |mean|: 0 where the half-width is, infinite where only the mean is 0.
[[nodiscard]] double relative_half_width(const Interval& interval);

/// Replications that `goal` takes, at least 2, if the variance of `pilot` is the true one; what
/// `goal` says of minimum and maximum apart. nullopt: fewer than two values, a mean of 0 among
/// values that differ, or more than 10^9.
[[nodiscard]] std::optional<std::size_t> replications_needed(std::span<const double> pilot,
                                                             const PrecisionGoal& goal);

}  // namespace headroom::analysis
