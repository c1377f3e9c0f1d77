/// as_number: a condition as 0 or 1 to calculate with, where a jump would be mispredicted.
///
///     kept += 1 - as_number(ends);      // not: if (!ends) ++kept;
///
/// Compilers otherwise turn such sums back into jumps.
#pragma once

#include <cstddef>

namespace headroom::inline core {

[[nodiscard]] inline std::size_t as_number(bool condition) {
    std::size_t number = condition ? 1 : 0;
#if defined(__GNUC__)
    asm("" : "+r"(number));  // from here on it may be anything, for all the compiler knows
#endif
    return number;
}

}  // namespace headroom::inline core
