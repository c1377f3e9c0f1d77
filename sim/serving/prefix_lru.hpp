/// PrefixLru: which prefixes were met lately: a set of 64-bit keys that holds at most `capacity` of
/// them and gives up the one touched longest ago. A key stands for a piece of a text together with
/// all that is before it: prefix_key() makes it of the key before and the piece's own id.
///
///     PrefixLru cache(31'250);
///     std::size_t cached = cache.match(keys);            // leading keys that are there
///     for (std::uint64_t key : keys) cache.touch(key);   // the last one is now the newest
///
/// The order is that of the touches alone: a prefix touched from its first piece to its last gives
/// up the beginning before the end, one touched backwards keeps the beginning longer. Touches,
/// look-ups and erasures are O(1) on average (KeyMap). 16 bytes of list and 32 to 64 of table a
/// key; memory grows with what is held, doubling, and not with the capacity. Different keys are
/// taken for different prefixes: with n of them two coincide with probability n^2 / 2^65.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "sim/core/hash.hpp"
#include "sim/core/key_map.hpp"

namespace headroom::serving {

/// The key of a piece with that id after the prefix `before` (0: none).
[[nodiscard]] constexpr std::uint64_t prefix_key(std::uint64_t before, std::uint64_t id) {
    return mix64(mix64(before + 0x9e3779b97f4a7c15ULL) ^ mix64(id));
}

class PrefixLru {
  public:
    static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max() - 1;

    /// 1 <= capacity <= kUnlimited.
    explicit PrefixLru(std::uint32_t capacity = kUnlimited);

    [[nodiscard]] bool contains(std::uint64_t key) const { return table_.find(key) != nullptr; }
    /// How many of the keys, from the first on without a gap, are held. Touches none.
    [[nodiscard]] std::size_t match(std::span<const std::uint64_t> keys) const;
    /// Makes the key the newest; says whether it was held. A new one displaces the oldest where
    /// there is no room.
    bool touch(std::uint64_t key);
    /// Says whether it was held.
    bool erase(std::uint64_t key);
    void clear();

    /// What would be given up next.
    [[nodiscard]] std::optional<std::uint64_t> oldest() const;
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(table_.size()); }
    [[nodiscard]] std::uint32_t capacity() const { return capacity_; }

  private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    struct Node {
        std::uint64_t key = 0;
        std::uint32_t newer = kNone;  ///< of a free node: the next free one
        std::uint32_t older = kNone;
    };
    void link_newest(std::uint32_t node);
    void unlink(std::uint32_t node);

    std::uint32_t capacity_;
    std::uint32_t newest_ = kNone;
    std::uint32_t oldest_ = kNone;
    std::uint32_t free_ = kNone;
    std::vector<Node> nodes_;
    KeyMap<std::uint32_t> table_;  ///< index of a key's node
};

}  // namespace headroom::serving
