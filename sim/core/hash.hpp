/// Deterministic 64-bit hashing of names and integers. Same result on every machine and run; used
/// for stream names and the digest, never for the order of anything.
#pragma once

#include <cstdint>
#include <string_view>

namespace headroom::inline core {

/// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    x ^= x >> 31;
    return x;
}

/// FNV-1a over the bytes, then mixed. For names: not meant to resist an adversary.
[[nodiscard]] constexpr std::uint64_t hash_name(std::string_view name) {
    std::uint64_t h = 0xcbf29ce484222325ULL;
    for (const char c : name) {
        h ^= static_cast<unsigned char>(c);
        h *= 0x100000001b3ULL;
    }
    return mix64(h);
}

}  // namespace headroom::inline core
