/// What a character of ASCII is, whatever the locale. Others are neither letter nor digit.
#pragma once

namespace headroom::inline core {

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace headroom::inline core
