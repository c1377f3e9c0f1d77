/// Digest: the fingerprint of a run, a sum mod 2^128 of a hash of every outcome and decision. A
/// sum, so neither the order of adding nor the split into cells and threads matters: digests merge.
///
///     digest.add(DigestRecord{kFinished}.add(request).add(finish).add(outcome));
///     digest.hex();                                   // 32 lower-case hex digits
///
/// Only integers enter (a double does not compile), so equal digests mean equal decisions, not
/// nearly equal ones. A record's hash depends on its kind, the number of its words and the place of
/// each: the sum of widening products of two keyed words each, NH of Black, Halevi, Krawczyk,
/// Krovetz and Rogaway, "UMAC: Fast and Secure Message Authentication" (CRYPTO '99), mixed at the
/// end. The multiplications do not wait for each other. Not meant to resist an adversary. Same bits
/// on every machine.
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
    explicit constexpr DigestRecord(Kind kind) : kind_(static_cast<std::uint64_t>(kind)) {}

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
        Uint128 sum = sum_;
        if (words_ % 2 == 1) sum += product(first_, 0, words_ - 1);  // words_ tells it from a 0
        const std::uint64_t shape = words_ * kGolden + kind_;
        // The upper half of a product hardly sees small words: both halves enter either hash.
        const auto upper = static_cast<std::uint64_t>(sum >> 64) + shape;
        const auto lower = static_cast<std::uint64_t>(sum);
        const std::uint64_t high = mix64(upper ^ (lower << 32 | lower >> 32));
        const std::uint64_t low = mix64(lower ^ high);
        return static_cast<Uint128>(high) << 64 | low;
    }

  private:
    static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;  ///< 2^64 / golden ratio
    /// First digits of the fraction of the square root of 2.
    static constexpr std::uint64_t kFirstKey = 0x6a09e667f3bcc908ULL;

    /// The key of the word at `place`: a constant where the compiler knows the place.
    static constexpr std::uint64_t key(std::uint64_t place) {
        return kFirstKey + (place + 1) * kGolden;
    }
    static constexpr Uint128 product(std::uint64_t a, std::uint64_t b, std::uint64_t place) {
        return static_cast<Uint128>(a + key(place)) * (b + key(place + 1));
    }
    constexpr DigestRecord& add_word(std::uint64_t word) {
        // In a chain of add() the compiler knows the number of words: no branch is left.
        if (words_++ % 2 == 0) {
            first_ = word;
        } else {
            sum_ += product(first_, word, words_ - 2);
        }
        return *this;
    }

    std::uint64_t kind_;
    Uint128 sum_ = 0;
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
