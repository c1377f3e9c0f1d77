/// UnitGaps: the gaps of a renewal process of rate 1, gap i from draw i of a stream by
/// the inverse distribution function. The coefficient of variation (standard deviation over mean)
/// tells how bursty it is: exponential gaps have 1; gamma has shape 1/cv^2 and scale cv^2;
/// Weibull's shape k solves 1 + cv^2 = Gamma(1 + 2/k) / Gamma(1 + 1/k)^2, its scale is 1 / Gamma(1
/// + 1/k).
///
///     UnitGaps gaps = UnitGaps::gamma(3.5, stream);
///     double gap = gaps.next();                       // mean 1
///
/// O(1): 15 ns exponential, 50 ns the others. No allocation after construction.
#pragma once

#include <cstdint>
#include <utility>

#include "sim/core/distribution.hpp"
#include "sim/core/math.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/random.hpp"

namespace headroom::traces {

/// What `cv` of gamma and Weibull gaps may be (at 30 a gamma's shape is 0.0011).
inline constexpr double kLeastCv = 0.02;
inline constexpr double kMostCv = 30;

class UnitGaps {
  public:
    [[nodiscard]] static UnitGaps poisson(RandomStream stream);
    [[nodiscard]] static UnitGaps gamma(double cv, RandomStream stream);
    [[nodiscard]] static UnitGaps weibull(double cv, RandomStream stream);
    [[nodiscard]] static UnitGaps weibull_of_shape(double shape, RandomStream stream);
    [[nodiscard]] static UnitGaps constant(RandomStream stream);
    /// From "gaps" and "cv", see specs().
    [[nodiscard]] static UnitGaps from(const Parameters& parameters, RandomStream stream);
    [[nodiscard]] static ParameterSpecs specs();

    [[nodiscard]] double next() {
        switch (kind_) {
            case Kind::exponential:
                return -det_log(1.0 - draws_.next());  // 1 - u is exact
            case Kind::constant:
                return 1.0;
            case Kind::other:
                break;
        }
        return distribution_.quantile(draws_.next());
    }
    [[nodiscard]] double cv() const { return distribution_.cv(); }

  private:
    enum class Kind : std::uint8_t { exponential, constant, other };
    UnitGaps(Kind kind, Distribution distribution, RandomStream stream)
        : kind_(kind), draws_(stream), distribution_(std::move(distribution)) {}

    Kind kind_;
    UniformSequence draws_;
    Distribution distribution_;
};

/// The Weibull shape whose coefficient of variation is `cv`.
[[nodiscard]] double weibull_shape(double cv);

}  // namespace headroom::traces
