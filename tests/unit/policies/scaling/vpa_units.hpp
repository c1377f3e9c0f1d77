/// Amounts and moments as the tests of the vertical pod autoscaler write them down.
#pragma once

#include <cstdint>
#include <limits>

#include "sim/core/time.hpp"

namespace headroom::policies {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr std::int64_t kMebi = 1 << 20;

constexpr Time at_hour(std::int64_t hour) {
    return Time::zero() + Duration::hours(hour);
}

}  // namespace headroom::policies
