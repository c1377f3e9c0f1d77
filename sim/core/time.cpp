#include "sim/core/time.hpp"

#include <cmath>

#include "sim/core/check.hpp"

namespace headroom::inline core {

Duration Duration::from_seconds(double s) {
    HEADROOM_CHECK(!std::isnan(s), "a duration cannot be NaN");
    constexpr double kLimit = 9.2e18;
    const double ps = s * static_cast<double>(kPerSecond);
    if (ps >= kLimit) return max();
    if (ps <= -kLimit) return -max();
    // llround without the call: the part behind the point is exact, as is the sum.
    const auto whole = static_cast<std::int64_t>(ps);
    const double rest = ps - static_cast<double>(whole);
    return picoseconds(whole + (rest >= 0.5 ? 1 : 0) - (rest <= -0.5 ? 1 : 0));
}

Time Time::from_seconds(double s) {
    return zero() + Duration::from_seconds(s);
}

}  // namespace headroom::inline core
