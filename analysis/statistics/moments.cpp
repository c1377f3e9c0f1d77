#include "analysis/statistics/moments.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"

namespace headroom::analysis {
namespace {

/// A sum and what its additions rounded away.
class CompensatedSum {
  public:
    void add(double x) {
        const double next = sum_ + x;
        lost_ += std::abs(sum_) >= std::abs(x) ? (sum_ - next) + x : (x - next) + sum_;
        sum_ = next;
    }
    [[nodiscard]] double value() const { return sum_ + lost_; }

  private:
    double sum_ = 0;
    double lost_ = 0;
};

}  // namespace

Moments moments_of(std::span<const double> values) {
    Moments moments{values.size()};
    if (values.empty()) return moments;
    const auto n = static_cast<double>(values.size());
    CompensatedSum sum;
    for (const double value : values) {
        HEADROOM_CHECK(std::isfinite(value), "a statistic of a value that is not finite");
        sum.add(value);
    }
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    moments.mean = std::clamp(sum.value() / n, *least, *greatest);
    CompensatedSum deviations;
    CompensatedSum squares;
    for (const double value : values) {
        const double deviation = value - moments.mean;
        deviations.add(deviation);
        squares.add(deviation * deviation);
    }
    moments.squares = squares.value() - deviations.value() * deviations.value() / n;
    if (!(moments.squares > 0)) moments.squares = 0;
    return moments;
}

}  // namespace headroom::analysis
