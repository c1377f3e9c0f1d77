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
/// join, leave, advance and due are O(1), the others O(phases in use), at most O(block_size). No
/// allocation after construction.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/prefetch.hpp"

namespace headroom::serving {

class BlockPhases {
  public:
    /// Blocks that the next iterations take: their number, and the sums of j and of j^2 over them,
    /// where j counts the iterations before the one that takes the block.
    struct Taken {
        std::int64_t count = 0;
        std::int64_t sum_j = 0;
        std::int64_t sum_j2 = 0;
    };

    explicit BlockPhases(std::int64_t block_size)
        : block_size_(block_size), due_(static_cast<std::size_t>(2 * block_size), 0) {
        HEADROOM_CHECK(block_size >= 1, "a KV block holds a token");
        if (std::has_single_bit(static_cast<std::uint64_t>(block_size))) {
            shift_ = std::countr_zero(static_cast<std::uint64_t>(block_size));
        }
    }

    /// n / block_size for n >= 0: a shift where the size is a power of two.
    [[nodiscard]] std::int64_t whole_blocks(std::int64_t n) const {
        return shift_ >= 0 ? n >> shift_ : n / block_size_;
    }
    [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const {
        return whole_blocks(tokens + block_size_ - 1);
    }
    /// n modulo block_size, for n >= 0.
    [[nodiscard]] std::int64_t within_block(std::int64_t n) const {
        return shift_ >= 0 ? n & (block_size_ - 1) : n % block_size_;
    }

    /// A sequence of which `computed` tokens are in the cache decodes from now on. Its phase.
    [[nodiscard]] std::int64_t join(std::int64_t computed) {
        const std::int64_t into_block = within_block(computed);
        const std::int64_t ahead = into_block == 0 ? 0 : block_size_ - into_block;
        const std::int64_t phase = within_block(now_ + ahead);
        change(phase, 1);
        return phase;
    }
    void leave(std::int64_t phase) { change(phase, -1); }
    /// A sequence is left out of the next iteration. Its new phase.
    [[nodiscard]] std::int64_t delay(std::int64_t phase) {
        leave(phase);
        const std::int64_t later = within_block(phase + 1);
        change(later, 1);
        return later;
    }
    /// `count` iterations are over.
    void advance(std::int64_t count) { now_ = within_block(now_ + count); }

    /// Blocks that the next iteration takes, and the one j later.
    [[nodiscard]] std::int64_t due() const { return due_[static_cast<std::size_t>(now_)]; }
    [[nodiscard]] std::int64_t due_after(std::int64_t j) const {
        return due_[static_cast<std::size_t>(within_block(now_ + j))];
    }
    /// Blocks that the next `count` iterations take.
    [[nodiscard]] Taken taken(std::int64_t count) const {
        if (count == 1) return {due(), 0, 0};
        const std::int64_t cycles = whole_blocks(count);
        const std::int64_t rest = count - cycles * block_size_;
        const std::int64_t reach = cycles > 0 ? block_size_ : rest;
        // A phase whose first block comes at j takes blocks at j + k * block_size for all
        // k < cycles, and one more if j lies within the rest.
        const std::int64_t pairs = cycles * (cycles - 1) / 2;
        const std::int64_t sum = block_size_ * pairs;
        const std::int64_t sum2 = block_size_ * block_size_ * (pairs * (2 * cycles - 1) / 3);
        const std::int64_t past = cycles * block_size_;
        Taken taken;
        const auto visit = [&](std::int64_t j) {
            const std::int64_t n = due_[static_cast<std::size_t>(now_ + j)];
            const std::int64_t more = j < rest ? n : 0;
            taken.count += n * cycles + more;
            taken.sum_j += n * (cycles * j + sum) + more * (j + past);
            taken.sum_j2 +=
                n * (j * (cycles * j + 2 * sum) + sum2) + more * (j + past) * (j + past);
        };
        if (block_size_ < 64) {
            const std::uint64_t turned = mask_ >> now_ | mask_ << (block_size_ - now_);
            for (auto left = turned & ((1ULL << reach) - 1); left != 0; left &= left - 1) {
                visit(std::countr_zero(left));
            }
        } else {
            for (std::int64_t first = 0; first < reach; ++first) visit(first);
        }
        return taken;
    }
    /// How many of the next iterations find their blocks in `room`, at most `at_most`, where
    /// `sequences` have joined.
    [[nodiscard]] std::int64_t iterations_within(std::int64_t room, std::int64_t sequences,
                                                 std::int64_t at_most) const {
        if ((whole_blocks(at_most) + 1) * sequences <= room) return at_most;
        if (room < 0) return 0;
        // A whole cycle of phases takes one block of each sequence.
        const std::int64_t cycles = room / sequences;
        room -= cycles * sequences;
        std::int64_t count = cycles * block_size_;
        for (auto phase = static_cast<std::size_t>(now_); count < at_most; ++phase) {
            room -= due_[phase];
            if (room < 0) break;
            ++count;
        }
        return std::min(count, at_most);
    }

    /// Its counts may be looked at soon.
    void prefetch() const { core::prefetch_bytes<128>(due_.data()); }

  private:
    void change(std::int64_t phase, std::int64_t by) {
        const auto at = static_cast<std::size_t>(phase);
        due_[at] += by;
        due_[at + static_cast<std::size_t>(block_size_)] = due_[at];
        if (phase >= 64) return;
        const std::uint64_t bit = 1ULL << phase;
        mask_ = due_[at] > 0 ? mask_ | bit : mask_ & ~bit;
    }

    std::int64_t block_size_;
    std::int64_t now_ = 0;           ///< phase of the next iteration
    int shift_ = -1;                 ///< log2 of it, -1 when it is no power of two
    std::vector<std::int64_t> due_;  ///< sequences by phase, twice over: no wrapping around
    std::uint64_t mask_ = 0;         ///< phases in use, of use when block_size_ < 64
};

}  // namespace headroom::serving
