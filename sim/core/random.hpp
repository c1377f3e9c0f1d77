/// RandomStream: counter-based random numbers (Philox4x32-10, Salmon et al., SC'11, through
/// Random123), keyed by the scenario's seed and the hash of the stream's *name*.
///
/// A draw is a pure function of (seed, name, index, draw): there is no state to share or advance,
/// so a new service, feature or thread shifts nobody else's numbers, and two policies see the same
/// arrivals. By convention `index` is what is drawn for (the request's number, the tick) and `draw`
/// the n-th number drawn for it (the attempt, the component).
///
///     RandomStream lengths{seed, "source/users/prompt"};
///     double u = lengths.uniform(request);          // in (0, 1), both ends excluded
///
/// O(1); about 10 ns a block of two draws.
#pragma once

#include <Random123/philox.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sim/core/hash.hpp"
#include "sim/core/time.hpp"

namespace headroom::inline core {

class RandomStream {
  public:
    RandomStream() : RandomStream(0, "") {}
    RandomStream(std::uint64_t seed, std::string_view name) {
        const std::uint64_t key = mix64(seed + 0x9e3779b97f4a7c15ULL) ^ hash_name(name);
        key_ = {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
    }

    /// Draws 2 * pair and 2 * pair + 1 at once: what two separate bits() calls would return.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> bits2(std::uint64_t index,
                                                                std::uint64_t pair = 0) const {
        r123::Philox4x32::ctr_type counter = {
            {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
             static_cast<std::uint32_t>(pair), static_cast<std::uint32_t>(pair >> 32)}};
        const auto block = r123::Philox4x32{}(counter, key_);
        return {static_cast<std::uint64_t>(block[0]) | static_cast<std::uint64_t>(block[1]) << 32,
                static_cast<std::uint64_t>(block[2]) | static_cast<std::uint64_t>(block[3]) << 32};
    }
    /// Blocks that fill() makes at once.
    static constexpr std::size_t kBlocks = 8;
    /// Fills `draws` from draw 2 * first_pair on: what kBlocks calls of bits2() return, in half the
    /// instructions.
    void fill(std::uint64_t index, std::uint64_t first_pair,
              std::array<std::uint64_t, 2 * kBlocks>& draws) const;
    [[nodiscard]] std::uint64_t bits(std::uint64_t index, std::uint64_t draw = 0) const {
        const auto [even, odd] = bits2(index, draw / 2);
        return draw % 2 == 0 ? even : odd;
    }
    /// Uniform in (0, 1): (k + 1/2) / 2^52 for a 52-bit k, so neither end occurs.
    [[nodiscard]] double uniform(std::uint64_t index, std::uint64_t draw = 0) const {
        return to_uniform(bits(index, draw));
    }
    /// Uniform in [0, n), by the high half of a 128-bit product (bias below n / 2^64). n > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t n, std::uint64_t index,
                                      std::uint64_t draw = 0) const {
        return static_cast<std::uint64_t>((static_cast<Uint128>(bits(index, draw)) * n) >> 64);
    }
    [[nodiscard]] static double to_uniform(std::uint64_t bits) {
        return (static_cast<double>(bits >> 12) + 0.5) * 0x1.0p-52;
    }

  private:
    r123::Philox4x32::key_type key_{};
};

/// The draws uniform(index, 0), uniform(index, 1), ... of a stream in their order, at a quarter of
/// the cost of asking for each: one block of the generator holds two, and some blocks are made at
/// once.
class UniformSequence {
  public:
    UniformSequence() = default;
    explicit UniformSequence(RandomStream stream, std::uint64_t index = 0)
        : stream_(stream), index_(index) {}

    [[nodiscard]] double next() {
        if (next_ == ahead_.size()) {
            stream_.fill(index_, next_pair_, ahead_);
            next_pair_ += RandomStream::kBlocks;
            next_ = 0;
        }
        return RandomStream::to_uniform(ahead_[next_++]);
    }

  private:
    RandomStream stream_;
    std::uint64_t index_ = 0;
    std::uint64_t next_pair_ = 0;
    std::array<std::uint64_t, 2 * RandomStream::kBlocks> ahead_{};
    std::size_t next_ = ahead_.size();
};

}  // namespace headroom::inline core
