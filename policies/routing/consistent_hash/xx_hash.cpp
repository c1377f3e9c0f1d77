#include "policies/routing/consistent_hash/xx_hash.hpp"

// Compiled in: nothing to link with.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

namespace headroom::policies {

std::uint64_t xx_hash64(std::string_view bytes, std::uint64_t seed) {
    return XXH64(bytes.data(), bytes.size(), seed);
}

std::uint64_t xx_hash64(const std::vector<std::uint64_t>& words) {
    static_assert(std::endian::native == std::endian::little,
                  "the words' bytes are hashed in place");
    return XXH64(words.data(), sizeof(std::uint64_t) * words.size(), 0);
}

}  // namespace headroom::policies
