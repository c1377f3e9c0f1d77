/// BlockPhases: when the decoding sequences of an engine take their next KV blocks.
///
/// Every decoding sequence computes one token an iteration, so it takes a block every `block_size`
/// iterations: at those whose number is its *phase*, modulo block_size. Kept is only how many
/// sequences have each phase, which answers in closed form how many blocks the iterations to come
/// take, when (as sums, for integrals over time), and how far the free blocks last.
///
///     BlockPhases phases(16);
///     const auto phase = phases.join(13);  // 13 tokens computed: takes a block at j = 3
///     phases.taken(20).count;              // 2: at j = 3 and at j = 19
///     phases.advance(20);                  // those iterations are over
///     phases.leave(phase);
///
/// join, leave, advance and due are O(1), the others O(block_size). No allocation after
/// construction, but for once when a phase comes to have 2^13 sequences.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/prefetch.hpp"
#include "sim/serving/block_size.hpp"

namespace headroom::serving {

class BlockPhases {
  public:
    /// Blocks that the next iterations take: their number, and the sums of j and of j^2 over them,
    /// where j counts the iterations before the one that takes the block.
    struct Taken {
        std::int64_t count = 0;
        std::int64_t sum_j = 0;
        std::int64_t sum_j2 = 0;

        Taken& operator+=(const Taken& o) {
            count += o.count;
            sum_j += o.sum_j;
            sum_j2 += o.sum_j2;
            return *this;
        }
    };

    explicit BlockPhases(std::int64_t block_size)
        : size_(block_size),
          narrow_(kCanBeNarrow && block_size % 8 == 0 && block_size <= kNarrowSize) {
        const auto places = static_cast<std::size_t>(2 * block_size);
        if (narrow_) {
            counts_.assign(places, 0);
        } else {
            wide_.assign(places, 0);
        }
    }

    /// A sequence of which `computed` tokens are in the cache decodes from now on. Its phase.
    [[nodiscard]] std::int64_t join(std::int64_t computed) {
        const std::int64_t into_block = size_.within_block(computed);
        const std::int64_t ahead = into_block == 0 ? 0 : size_.tokens() - into_block;
        const std::int64_t phase = size_.within_block(now_ + ahead);
        change(phase, 1);
        return phase;
    }
    void leave(std::int64_t phase) { change(phase, -1); }
    /// A sequence is left out of the next iteration. Its new phase.
    [[nodiscard]] std::int64_t delay(std::int64_t phase) {
        leave(phase);
        const std::int64_t later = size_.within_block(phase + 1);
        change(later, 1);
        return later;
    }
    /// `count` iterations are over.
    void advance(std::int64_t count) { now_ = size_.within_block(now_ + count); }

    /// Blocks that the next iteration takes, and the one j later.
    [[nodiscard]] std::int64_t due() const { return count_at(now_); }
    [[nodiscard]] std::int64_t due_after(std::int64_t j) const {
        return count_at(size_.within_block(now_ + j));
    }
    /// Blocks that the next `count` iterations take.
    [[nodiscard]] Taken taken(std::int64_t count) const {
        if (count == 1) return {due(), 0, 0};
        const std::int64_t cycles = size_.whole_blocks(count);
        const std::int64_t rest = count - cycles * size_.tokens();
        // A phase whose first block comes at j takes blocks at j + k * block_size for all
        // k < cycles, and one more if j lies within the rest.
        const FirstBlocks first = narrow_ ? narrow_first_blocks(rest) : first_blocks(rest);
        const Taken& all = first.all;
        const Taken& early = first.early;
        // The sums of k * block_size and of its square over k < cycles.
        const std::int64_t pairs = cycles * (cycles - 1) / 2;
        const std::int64_t sum = size_.tokens() * pairs;
        const std::int64_t sum2 = size_.tokens() * size_.tokens() * (pairs * (2 * cycles - 1) / 3);
        const std::int64_t past = cycles * size_.tokens();
        return {cycles * all.count + early.count,
                cycles * all.sum_j + sum * all.count + early.sum_j + past * early.count,
                cycles * all.sum_j2 + 2 * sum * all.sum_j + sum2 * all.count + early.sum_j2 +
                    past * (2 * early.sum_j + past * early.count)};
    }
    /// How many of the next iterations find their blocks in `room`, at most `at_most`, where
    /// `sequences` have joined.
    [[nodiscard]] std::int64_t iterations_within(std::int64_t room, std::int64_t sequences,
                                                 std::int64_t at_most) const {
        if ((size_.whole_blocks(at_most) + 1) * sequences <= room) return at_most;
        if (room < 0) return 0;
        // A whole cycle of phases takes one block of each sequence.
        const std::int64_t cycles = room / sequences;
        room -= cycles * sequences;
        std::int64_t count = cycles * size_.tokens();
        for (std::int64_t place = now_; count < at_most; ++place) {
            room -= count_at(place);
            if (room < 0) break;
            ++count;
        }
        return std::min(count, at_most);
    }

    /// Its counts may be looked at soon.
    void prefetch() const { core::prefetch_bytes<64>(counts_.data()); }

  private:
    /// Of every sequence its first block to come, and those that come at j < rest.
    struct FirstBlocks {
        Taken all;
        Taken early;
    };
    [[nodiscard]] FirstBlocks first_blocks(std::int64_t rest) const {
        FirstBlocks first;
        for (std::int64_t j = 0; j < size_.tokens(); ++j) {
            const std::int64_t n = count_at(now_ + j);
            const Taken here{n, n * j, n * j * j};
            first.all += here;
            if (j < rest) first.early += here;
        }
        return first;
    }

    // The same sums for the usual block sizes, eight phases at a time: how many phases are in use,
    // and which, cannot be predicted, so looking for them costs more than to look at all.
#ifdef __SSE2__
    struct Sums {
        __m128i count = _mm_setzero_si128();
        __m128i j = _mm_setzero_si128();
        __m128i j2 = _mm_setzero_si128();

        void add(__m128i n, __m128i place, __m128i square) {
            count = _mm_add_epi32(count, _mm_madd_epi16(n, _mm_set1_epi16(1)));
            j = _mm_add_epi32(j, _mm_madd_epi16(n, place));
            j2 = _mm_add_epi32(j2, _mm_madd_epi16(n, square));
        }
        static std::int64_t across(__m128i four) {
            const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
            return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
        }
        [[nodiscard]] Taken taken() const { return {across(count), across(j), across(j2)}; }
    };
    [[nodiscard]] FirstBlocks narrow_first_blocks(std::int64_t rest) const {
        const __m128i end = _mm_set1_epi16(static_cast<std::int16_t>(rest));
        __m128i place = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
        Sums all;
        Sums early;
        const std::int16_t* first = &counts_[static_cast<std::size_t>(now_)];
        const std::int16_t* const past = first + size_.tokens();
        do {
            const __m128i n = _mm_loadu_si128(reinterpret_cast<const __m128i*>(first));
            const __m128i square = _mm_mullo_epi16(place, place);
            all.add(n, place, square);
            early.add(_mm_and_si128(n, _mm_cmpgt_epi16(end, place)), place, square);
            place = _mm_add_epi16(place, _mm_set1_epi16(8));
            first += 8;
        } while (first != past);
        return {all.taken(), early.taken()};
    }
    static constexpr bool kCanBeNarrow = true;
#else
    [[nodiscard]] FirstBlocks narrow_first_blocks(std::int64_t rest) const {
        return first_blocks(rest);
    }
    static constexpr bool kCanBeNarrow = false;
#endif
    static constexpr std::int64_t kNarrowSize = 64;
    static constexpr std::int64_t kNarrowCount = 1 << 13;  ///< times 63^2, 64 times: below 2^31

    [[nodiscard]] std::int64_t count_at(std::int64_t place) const {
        const auto at = static_cast<std::size_t>(place);
        return narrow_ ? counts_[at] : wide_[at];
    }
    void change(std::int64_t phase, std::int64_t by) {
        const std::int64_t count = count_at(phase) + by;
        if (narrow_ && count >= kNarrowCount) [[unlikely]] {
            wide_.assign(counts_.begin(), counts_.end());
            narrow_ = false;
        }
        const auto at = static_cast<std::size_t>(phase);
        const std::size_t again = at + static_cast<std::size_t>(size_.tokens());
        if (narrow_) {
            counts_[at] = counts_[again] = static_cast<std::int16_t>(count);
        } else {
            wide_[at] = wide_[again] = count;
        }
    }

    BlockSize size_;
    std::int64_t now_ = 0;  ///< phase of the next iteration
    bool narrow_;           ///< a size for narrow_first_blocks(), and no count was ever too large
    // Sequences by phase, twice over: no wrapping around.
    std::vector<std::int16_t> counts_;  ///< while narrow_
    std::vector<std::int64_t> wide_;    ///< and otherwise
};

}  // namespace headroom::serving
