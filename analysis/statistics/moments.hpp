/// Mean and variance of some values.
///
/// The mean is the compensated sum over the number (Neumaier, ZAMM 54, 1974), never outside the
/// values; the squares are taken about it and corrected for its rounding (the corrected two-pass
/// algorithm: Chan, Golub, LeVeque, The American Statistician 37, 1983). So equal values have
/// exactly their own value as their mean and exactly no variance, whole numbers a correctly rounded
/// mean, and a large offset costs no digits. O(n); sums run in the order of the values.
#pragma once

#include <cstddef>
#include <span>

namespace headroom::analysis {

struct Moments {
    std::size_t count = 0;
    double mean = 0;     ///< 0 without values
    double squares = 0;  ///< sum of (value - mean)^2

    /// Of the sample, over count - 1; 0 with fewer than two values.
    [[nodiscard]] double variance() const {
        return count < 2 ? 0.0 : squares / static_cast<double>(count - 1);
    }
};

/// Every value must be finite.
[[nodiscard]] Moments moments_of(std::span<const double> values);

}  // namespace headroom::analysis
