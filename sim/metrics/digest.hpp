/// Digest: the fingerprint of a run, a sum mod 2^128 of a hash of every outcome and decision. A
/// sum, so neither the order of adding nor the split into cells and threads matters: digests merge.
///
///     digest.add(DigestRecord{kFinished}.add(request).add(finish).add(outcome));
///     digest.hex();                                   // 32 lower-case hex digits
///
/// Only integers enter (a double does not compile), so equal digests mean equal decisions, not
/// nearly equal ones. A record's hash depends on its kind, the number of its words and the place of
/// each. Two lanes of 64 bits, each adding a widening multiply of two keyed words (folded as in
/// wyhash) to a rotating sum, so that the multiplications do not wait for each other: about 0.5 ns
/// a word. Not meant to resist an adversary. Same bits on every machine.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "sim/core/hash.hpp"
#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::metrics {

/// One outcome or decision on its way into a digest.
class DigestRecord {
  public:
    /// `kind` tells records with equal words apart: an enumerator or any number.
    template <class Kind>
    requires std::is_enum_v<Kind> || std::integral<Kind>
    explicit constexpr DigestRecord(Kind kind)
        : left_(mix64(static_cast<std::uint64_t>(kind) + kLeftKey)),
          right_(mix64(static_cast<std::uint64_t>(kind) + kRightKey)) {}

    template <std::integral T>
    constexpr DigestRecord& add(T word) {
        return add_word(static_cast<std::uint64_t>(word));
    }
    template <class T>
    requires std::is_enum_v<T>
    constexpr DigestRecord& add(T word) { return add_word(static_cast<std::uint64_t>(word)); }
    constexpr DigestRecord& add(Time t) { return add(t.ps()); }
    constexpr DigestRecord& add(Duration d) { return add(d.ps()); }
    template <class Tag>
    constexpr DigestRecord& add(Quantity<Tag> quantity) {
        return add(quantity.count());
    }
    template <class Tag>
    constexpr DigestRecord& add(Id<Tag> id) {
        return add_word(static_cast<std::uint64_t>(id.generation) << 32 | id.index);
    }
    /// Rounding differs between ways of computing the same thing: no double enters a digest.
    template <std::floating_point T>
    DigestRecord& add(T) = delete;

    [[nodiscard]] constexpr Uint128 hash() const {
        DigestRecord whole = *this;
        if (words_ % 2 == 1) whole.add_pair(0);  // words_ tells it from a word that is 0
        const std::uint64_t high = mix64(whole.left_ + words_ * kCountFactor);
        const std::uint64_t low = mix64(whole.right_ ^ high);
        return static_cast<Uint128>(high) << 64 | low;
    }

  private:
    // Odd constants with about as many ones as zeros: the first digits of the fractions of the
    // square roots of 2, 3, 5 and 7 (as in SHA-512), made odd.
    static constexpr std::uint64_t kLeftKey = 0x6a09e667f3bcc909ULL;
    static constexpr std::uint64_t kRightKey = 0xbb67ae8584caa73bULL;
    static constexpr std::uint64_t kLeftPairKey = 0x3c6ef372fe94f82bULL;
    static constexpr std::uint64_t kRightPairKey = 0xa54ff53a5f1d36f1ULL;
    static constexpr std::uint64_t kCountFactor = 0x9e3779b97f4a7c15ULL;  ///< 2^64 / golden ratio

    static constexpr std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        const Uint128 product = static_cast<Uint128>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    static constexpr std::uint64_t rotate(std::uint64_t x, int by) {
        return x << by | x >> (64 - by);
    }
    constexpr DigestRecord& add_word(std::uint64_t word) {
        // In a chain of add() the compiler knows the number of words: no branch is left.
        if (words_++ % 2 == 0) {
            first_ = word;
        } else {
            add_pair(word);
        }
        return *this;
    }
    constexpr void add_pair(std::uint64_t second) {
        left_ = rotate(left_, 23) + fold(first_ ^ kLeftKey, second ^ kLeftPairKey);
        right_ = rotate(right_, 41) + fold(first_ ^ kRightKey, second ^ kRightPairKey);
    }

    std::uint64_t left_;
    std::uint64_t right_;
    std::uint64_t first_ = 0;  ///< of the pair to come, when the number of words is odd
    std::uint64_t words_ = 0;
};

class Digest {
  public:
    [[nodiscard]] static constexpr Uint128 hash(std::initializer_list<std::uint64_t> words) {
        DigestRecord record{0};
        for (const std::uint64_t word : words) record.add(word);
        return record.hash();
    }

    constexpr void add(const DigestRecord& record) { sum_ += record.hash(); }
    constexpr void add(Uint128 hash) { sum_ += hash; }
    constexpr void merge(const Digest& other) { sum_ += other.sum_; }

    [[nodiscard]] constexpr Uint128 value() const { return sum_; }
    [[nodiscard]] std::string hex() const {
        std::string text(32, '0');
        Uint128 rest = sum_;
        for (auto digit = text.rbegin(); digit != text.rend(); ++digit, rest >>= 4) {
            *digit = "0123456789abcdef"[static_cast<unsigned>(rest & 15U)];
        }
        return text;
    }
    constexpr bool operator==(const Digest&) const = default;

  private:
    Uint128 sum_ = 0;
};

}  // namespace headroom::metrics
