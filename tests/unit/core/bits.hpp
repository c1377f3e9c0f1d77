/// The bits of a double, for tests that ask for the very same number.
#pragma once

#include <bit>
#include <cstdint>

namespace headroom::tests {

constexpr std::uint64_t bits(double x) {
    return std::bit_cast<std::uint64_t>(x);
}

}  // namespace headroom::tests
