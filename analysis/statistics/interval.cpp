#include "analysis/statistics/interval.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

void check_confidence(double confidence) {
    HEADROOM_CHECK(confidence > 0 && confidence < 1, "a confidence outside (0, 1)");
}

/// What lies beyond t on both sides together is 1 - confidence.
double two_sided_t(double confidence, double degrees) {
    return student_t_quantile(0.5 + confidence / 2, degrees);
}

/// The smallest k in [0, n] from which on `holds`, which it does at n.
template <class Predicate>
std::size_t smallest(std::size_t n, Predicate holds) {
    std::size_t low = 0;
    std::size_t high = n;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (holds(static_cast<double>(middle))) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

}  // namespace

double student_t_quantile(double probability, double degrees) {
    HEADROOM_CHECK(probability > 0 && probability < 1, "a probability outside (0, 1)");
    HEADROOM_CHECK(degrees > 0, "Student's t without degrees of freedom");
    return boost::math::quantile(boost::math::students_t(degrees), probability);
}

Interval mean_interval(std::span<const double> values, double confidence) {
    check_confidence(confidence);
    const Moments moments = moments_of(values);
    Interval interval{moments.mean, kInfinite, moments.count};
    if (moments.count < 2) return interval;
    const auto n = static_cast<double>(moments.count);
    interval.half_width = moments.squares == 0
                              ? 0.0
                              : two_sided_t(confidence, n - 1) * std::sqrt(moments.variance() / n);
    return interval;
}

Interval paired_difference(std::span<const double> a, std::span<const double> b,
                           double confidence) {
    HEADROOM_CHECK(a.size() == b.size(), "pairs of different numbers of values");
    std::vector<double> differences(a.size());
    std::transform(a.begin(), a.end(), b.begin(), differences.begin(),
                   [](double x, double y) { return x - y; });
    return mean_interval(differences, confidence);
}

Interval welch_difference(std::span<const double> a, std::span<const double> b, double confidence) {
    check_confidence(confidence);
    const Moments of_a = moments_of(a);
    const Moments of_b = moments_of(b);
    Interval interval{of_a.mean - of_b.mean, kInfinite, of_a.count + of_b.count};
    if (of_a.count < 2 || of_b.count < 2) return interval;
    const double from_a = of_a.variance() / static_cast<double>(of_a.count);
    const double from_b = of_b.variance() / static_cast<double>(of_b.count);
    const double variance = from_a + from_b;
    interval.half_width = 0;
    if (variance == 0) return interval;
    // Shares of the variance, not variances: the square of a small one would underflow.
    const double share = from_a / variance;
    const double degrees = 1 / (share * share / static_cast<double>(of_a.count - 1) +
                                (1 - share) * (1 - share) / static_cast<double>(of_b.count - 1));
    interval.half_width = two_sided_t(confidence, degrees) * std::sqrt(variance);
    return interval;
}

double sign_test(std::size_t one_way, std::size_t other_way) {
    const std::size_t n = one_way + other_way;
    if (n == 0) return 1;
    const boost::math::binomial fair(static_cast<double>(n), 0.5);
    const auto fewer = static_cast<double>(std::min(one_way, other_way));
    return std::min(1.0, 2 * cdf(fair, fewer));
}

std::optional<QuantileInterval> quantile_interval(std::span<const double> values, double q,
                                                  double confidence) {
    check_confidence(confidence);
    HEADROOM_CHECK(q > 0 && q < 1, "a quantile outside (0, 1)");
    HEADROOM_CHECK(
        std::all_of(values.begin(), values.end(), [](double x) { return !std::isnan(x); }),
        "a quantile of a value that is none");
    const std::size_t n = values.size();
    if (n < 2) return std::nullopt;
    // With B of the values below the quantile, the l-th is above it where B < l, the u-th below it
    // where B >= u. Each side gets half of what may be missed; ranks count from 1.
    const boost::math::binomial below(static_cast<double>(n), q);
    const double tail = (1 - confidence) / 2;
    const std::size_t lower = smallest(n, [&](double k) { return cdf(below, k) > tail; });
    const std::size_t upper =
        smallest(n, [&](double k) { return cdf(complement(below, k)) <= tail; }) + 1;
    if (lower == 0 || upper > n) return std::nullopt;
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    // The product of 100 and 0.07 is a little above 7.
    const double rank = std::ceil(static_cast<double>(n) * q * (1 - 1e-12));
    const auto own = std::clamp<std::size_t>(static_cast<std::size_t>(rank), 1, n);
    return QuantileInterval{sorted[own - 1], sorted[lower - 1], sorted[upper - 1]};
}

}  // namespace headroom::analysis
