/// Id<Tag>: the name of a record in a Slab, an index plus a generation that changes whenever the
/// index is used again, so a name kept too long is recognised instead of naming a stranger.
/// Ids are ordered by index: iterate and break ties in id order. 8 bytes, trivially copyable.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace headroom::inline core {

template <class Tag>
struct Id {
    std::uint32_t index = kNone;
    std::uint32_t generation = 0;

    [[nodiscard]] static constexpr Id none() { return {}; }
    [[nodiscard]] constexpr bool valid() const { return index != kNone; }
    constexpr auto operator<=>(const Id&) const = default;

    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
};

}  // namespace headroom::inline core
