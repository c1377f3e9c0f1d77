/// Draws: one whole number after another from a stream, for tests that make things up.
#pragma once

#include <cstdint>

#include "sim/core/random.hpp"

namespace headroom::tests {

struct Draws {
    RandomStream stream;
    std::uint64_t next = 0;
    std::int64_t below(std::int64_t n) {
        return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(n), next++));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + below(high - low + 1);
    }
    bool one_in(std::int64_t n) { return below(n) == 0; }
};

}  // namespace headroom::tests
