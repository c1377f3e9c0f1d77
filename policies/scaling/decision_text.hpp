/// Numbers as the reasons and inputs of decisions tell them. Made for each decision of thousands of
/// autoscalers: from integers, a third of the time of formatting a double.
#pragma once

#include <cstdint>
#include <string>

#include "sim/core/time.hpp"

namespace headroom::policies {

/// 1500 is "1.5".
[[nodiscard]] std::string amount_text(std::int64_t milli);
/// 0.9 is "0.90", rounded to the nearest.
[[nodiscard]] std::string hundredths_text(double value);
/// 2.667 is "2.7", 3 is "3".
[[nodiscard]] std::string tenths_text(double value);
/// "90 s", "1.5 s".
[[nodiscard]] std::string span_text(Duration duration);

}  // namespace headroom::policies
