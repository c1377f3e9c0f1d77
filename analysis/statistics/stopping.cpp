#include "analysis/statistics/stopping.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/statistics/moments.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {
namespace {

constexpr std::size_t kMostNeeded = 1'000'000'000;

/// Whether `count` values of that mean and variance are as precise as wanted.
bool precise(const Moments& moments, std::size_t count, const PrecisionGoal& goal) {
    if (moments.squares == 0) return true;
    const auto n = static_cast<double>(count);
    const double half_width =
        student_t_quantile(0.5 + goal.confidence / 2, n - 1) * std::sqrt(moments.variance() / n);
    return half_width <= goal.relative / (1 + goal.relative) * std::abs(moments.mean);
}

}  // namespace

double relative_half_width(const Interval& interval) {
    if (interval.half_width == 0) return 0;
    if (interval.mean == 0) return std::numeric_limits<double>::infinity();
    return interval.half_width / std::abs(interval.mean);
}

std::optional<std::size_t> replications_needed(std::span<const double> pilot,
                                               const PrecisionGoal& goal) {
    HEADROOM_CHECK(goal.relative > 0, "a precision that is not positive");
    HEADROOM_CHECK(goal.confidence > 0 && goal.confidence < 1, "a confidence outside (0, 1)");
    const Moments moments = moments_of(pilot);
    if (moments.count < 2) return std::nullopt;
    std::size_t high = 2;  // the half-width falls with the number: double, then bisect
    while (!precise(moments, high, goal)) {
        if (high >= kMostNeeded) return std::nullopt;
        high = std::min(2 * high, kMostNeeded);
    }
    std::size_t low = 2;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (precise(moments, middle, goal)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

PrecisionVerdict judge_precision(std::span<const std::vector<double>> metrics,
                                 const PrecisionGoal& goal) {
    HEADROOM_CHECK(!metrics.empty(), "a precision of no metric");
    HEADROOM_CHECK(goal.minimum >= 2 && goal.minimum <= goal.maximum,
                   "a minimum of replications outside [2, maximum]");
    PrecisionVerdict verdict;
    verdict.count = metrics[0].size();
    verdict.needed = 0;
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        HEADROOM_CHECK(metrics[i].size() == verdict.count, "metrics of different replications");
        const std::optional<std::size_t> needed = replications_needed(metrics[i], goal);
        if (!verdict.needed || (needed && *needed <= *verdict.needed)) continue;
        verdict.needed = needed;
        verdict.worst = i;
    }
    if (verdict.count < goal.minimum) {
        verdict.next = goal.minimum;
        return verdict;
    }
    verdict.reached = verdict.needed && *verdict.needed <= verdict.count;
    verdict.next = verdict.count;
    if (verdict.reached || verdict.count >= goal.maximum) return verdict;
    const std::size_t most = std::min(2 * verdict.count, goal.maximum);
    verdict.next = std::min(verdict.needed.value_or(most), most);
    return verdict;
}

}  // namespace headroom::analysis
