/// BlockPhases: when the decoding sequences of an engine take their next KV blocks.
///
/// Every decoding sequence computes one token an iteration, so it takes a block every `block_size`
/// iterations: at those whose counter is its *phase*, modulo block_size. Kept is only how many
/// sequences have each phase, which answers in closed form how many blocks a run of iterations
/// takes, when (as sums, for integrals over time), and how far the free blocks last.
///
///     BlockPhases phases(16);
///     phases.add(phases.phase_of(iteration + 3));      // its next block: three iterations ahead
///     phases.taken(iteration, 20).count;               // 2: after 3 and after 19
///
/// add, remove and due are O(1), the others O(phases in use), at most O(block_size). No allocation
/// after construction.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/check.hpp"

namespace headroom::serving {

class BlockPhases {
  public:
    /// Blocks that a run of iterations takes: their number, and the sums of j and of j^2 over
    /// them, where j counts the iterations of the run before the one that takes the block.
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
    [[nodiscard]] std::int64_t phase_of(std::int64_t n) const {
        return n - whole_blocks(n) * block_size_;
    }
    /// The phase of a sequence that has `computed` tokens when the counter stands at `joined`.
    [[nodiscard]] std::int64_t phase_of(std::int64_t computed, std::int64_t joined) const {
        // It takes a block at counter i when computed + (i - joined) is a multiple of the size.
        const std::int64_t ahead = joined - computed;
        return ahead >= 0 ? phase_of(ahead) : phase_of(block_size_ - phase_of(-ahead));
    }

    void add(std::int64_t phase) { change(phase, 1); }
    void remove(std::int64_t phase) { change(phase, -1); }

    /// Blocks that the iteration with this counter takes.
    [[nodiscard]] std::int64_t due(std::int64_t iteration) const {
        return due_[static_cast<std::size_t>(phase_of(iteration))];
    }
    /// Blocks that `count` iterations take, the first with counter `iteration`.
    [[nodiscard]] Taken taken(std::int64_t iteration, std::int64_t count) const {
        if (count == 1) return {due(iteration), 0, 0};
        const std::int64_t start = phase_of(iteration);
        const std::int64_t cycles = whole_blocks(count);
        const std::int64_t rest = count - cycles * block_size_;
        const std::int64_t reach = cycles > 0 ? block_size_ : rest;
        // A phase whose first block is the run's j-th takes blocks at j + k * block_size for all
        // k < cycles, and one more if j lies within the rest.
        const std::int64_t pairs = cycles * (cycles - 1) / 2;
        const std::int64_t sum = block_size_ * pairs;
        const std::int64_t sum2 = block_size_ * block_size_ * (pairs * (2 * cycles - 1) / 3);
        const std::int64_t past = cycles * block_size_;
        Taken taken;
        const auto visit = [&](std::int64_t j) {
            const std::int64_t n = due_[static_cast<std::size_t>(start + j)];
            const std::int64_t more = j < rest ? n : 0;
            taken.count += n * cycles + more;
            taken.sum_j += n * (cycles * j + sum) + more * (j + past);
            taken.sum_j2 +=
                n * (j * (cycles * j + 2 * sum) + sum2) + more * (j + past) * (j + past);
        };
        if (block_size_ < 64) {
            const std::uint64_t turned = mask_ >> start | mask_ << (block_size_ - start);
            for (auto left = turned & ((1ULL << reach) - 1); left != 0; left &= left - 1) {
                visit(std::countr_zero(left));
            }
        } else {
            for (std::int64_t first = 0; first < reach; ++first) visit(first);
        }
        return taken;
    }
    /// Iterations from `iteration` on whose blocks fit into `room`, at most `at_most`, of
    /// `sequences` decoding ones.
    [[nodiscard]] std::int64_t iterations_within(std::int64_t iteration, std::int64_t room,
                                                 std::int64_t sequences,
                                                 std::int64_t at_most) const {
        if ((whole_blocks(at_most) + 1) * sequences <= room) return at_most;
        if (room < 0) return 0;
        // A whole cycle of phases takes one block of each sequence.
        const std::int64_t cycles = room / sequences;
        room -= cycles * sequences;
        std::int64_t count = cycles * block_size_;
        for (auto phase = static_cast<std::size_t>(phase_of(iteration)); count < at_most; ++phase) {
            room -= due_[phase];
            if (room < 0) break;
            ++count;
        }
        return std::min(count, at_most);
    }

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
    int shift_ = -1;                 ///< log2 of it, -1 when it is no power of two
    std::vector<std::int64_t> due_;  ///< sequences by phase, twice over: no wrapping around
    std::uint64_t mask_ = 0;         ///< phases in use, of use when block_size_ < 64
};

}  // namespace headroom::serving
