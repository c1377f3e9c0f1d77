/// Moments of a run, as tests write them down: so many seconds after its start.
#pragma once

#include <concepts>
#include <cstdint>

#include "sim/core/time.hpp"

namespace headroom::tests {

constexpr Time at(std::integral auto seconds) {
    return Time::zero() + Duration::seconds(static_cast<std::int64_t>(seconds));
}
/// The nearest picosecond.
constexpr Time at(std::floating_point auto seconds) {
    return Time::from_seconds(seconds);
}

}  // namespace headroom::tests
