/// Confidence intervals of means and quantiles, from independent values of one distribution.
///
///     const Interval wait = mean_interval(values);            // 95 %, Student's t
///     const Interval gain = paired_difference(a, b);          // a - b under common random numbers
///     const Interval same = welch_difference(a, b);           // a - b of independent samples
///     const auto p99 = quantile_interval(values, 0.99);       // order statistics; may not exist
///
/// Two-sided, `confidence` in (0, 1). With fewer than two values the half-width is infinite; where
/// all values are equal it is exactly 0. Sums run in the order of the values, so equal input gives
/// equal bits. Values are finite (quantiles: no NaN). O(n); quantiles O(n log n).
///
/// Sources: Student's t: Law, Simulation Modeling and Analysis (5th ed.), 9.4; Welch: 10.2.2;
/// quantiles by the binomial distribution of order statistics: David and Nagaraja, Order Statistics
/// (3rd ed.), 7.1; sign test: Conover, Practical Nonparametric Statistics (3rd ed.), 3.4. The
/// quantile of t and the binomial distribution are Boost.Math's: the one place where a result rests
/// on mathematics not ours.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace headroom::analysis {

inline constexpr double kDefaultConfidence = 0.95;

struct Interval {
    double mean = 0;
    double half_width = 0;  ///< infinite: too few values to say
    std::size_t count = 0;  ///< values it was made of

    [[nodiscard]] double low() const { return mean - half_width; }
    [[nodiscard]] double high() const { return mean + half_width; }
    [[nodiscard]] bool covers(double x) const { return low() <= x && x <= high(); }
};

/// Quantile of Student's t with `degrees` > 0 degrees of freedom (need not be whole).
[[nodiscard]] double student_t_quantile(double probability, double degrees);

[[nodiscard]] Interval mean_interval(std::span<const double> values,
                                     double confidence = kDefaultConfidence);
/// Of mean(a) - mean(b), value i of both under the same draws; the same number of values.
[[nodiscard]] Interval paired_difference(std::span<const double> a, std::span<const double> b,
                                         double confidence = kDefaultConfidence);
[[nodiscard]] Interval welch_difference(std::span<const double> a, std::span<const double> b,
                                        double confidence = kDefaultConfidence);

/// How likely pairs that differ in one of two ways are to split as unevenly as `one_way` against
/// `other_way` or more, either way, when both ways are equally likely: the exact sign test.
[[nodiscard]] double sign_test(std::size_t one_way, std::size_t other_way);

/// Low and high order statistic around the q-quantile, and the sample's own (the smallest value
/// with at least q of the sample at or below it). Either side is missed by at most half of what
/// `confidence` leaves, whatever the distribution. nullopt when there are too few values for that:
/// at 95 %, fewer than 6 for the median, 72 for q = 0.95, 368 for q = 0.99.
struct QuantileInterval {
    double quantile = 0;
    double low = 0;
    double high = 0;
};
[[nodiscard]] std::optional<QuantileInterval> quantile_interval(
    std::span<const double> values, double q, double confidence = kDefaultConfidence);

}  // namespace headroom::analysis
