/// xxHash64 (XXH64 of https://xxhash.com), through Debian's libxxhash-dev: the hash of Envoy's
/// consistent hashing, the same on every machine. Not meant to resist an adversary. O(length).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace headroom::policies {

[[nodiscard]] std::uint64_t xx_hash64(std::string_view bytes, std::uint64_t seed = 0);
/// Of the eight bytes of each, the least significant first.
[[nodiscard]] std::uint64_t xx_hash64(const std::vector<std::uint64_t>& words);

}  // namespace headroom::policies
