/// Exact numbers out of text. A time in seconds becomes whole picoseconds by decimal arithmetic, so
/// that no double rounds on the way: digits beyond the twelfth after the point are rounded half up
/// at the thirteenth. Exponents ("9.5e-05", as data frames write them) are accepted.
///
///     std::int64_t ps = 0;
///     parse_seconds("0.0000000000015", ps)  -> NumberProblem::none, ps == 2
///     parse_whole("12x", n)                 -> NumberProblem::not_a_number
///
/// O(length), no allocation, no locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headroom::traces {

enum class NumberProblem : std::uint8_t { none, not_a_number, negative, too_large };

/// Seconds >= 0 and at most Time::horizon_limit(). "-0.0" is zero.
[[nodiscard]] NumberProblem parse_seconds(std::string_view text, std::int64_t& ps);
/// Digits only, 0 <= n <= limit.
[[nodiscard]] NumberProblem parse_whole(std::string_view text, std::int64_t limit,
                                        std::int64_t& value);

/// Appends picoseconds >= 0 as decimal seconds without trailing zeros; parse_seconds gives them
/// back.
void append_seconds(std::string& text, std::int64_t ps);
[[nodiscard]] std::string seconds_text(std::int64_t ps);

}  // namespace headroom::traces
