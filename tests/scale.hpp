/// How much of its work a long test does: HEADROOM_TEST_SCALE, a factor, 1 when it is not set. The
/// sanitizers run at a tenth; a hunt for a rare case runs at 100. Only how many random cases or
/// requests a test takes may depend on it, never what it expects; where a bound depends on the
/// number of samples, it is computed from the number taken.
///
///     for (std::int64_t i = 0; i < scaled(2000, 50); ++i) check_random_case(i);
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace headroom::tests {

/// n times the scale, `at_least` at the least. A scale that is no positive number counts as 1.
[[nodiscard]] inline std::int64_t scaled(std::int64_t n, std::int64_t at_least = 1) {
    const char* text = std::getenv("HEADROOM_TEST_SCALE");
    double scale = text == nullptr ? 1.0 : std::strtod(text, nullptr);
    if (!(scale > 0.0) || !std::isfinite(scale)) scale = 1.0;
    return std::max<std::int64_t>(at_least, std::llround(static_cast<double>(n) * scale));
}

}  // namespace headroom::tests
