/// BlockSize: how many tokens a KV block holds, and counting tokens in blocks: shifts where the
/// size is a power of two, as it mostly is.
///
///     BlockSize size(16);
///     size.blocks_for(17);    // 2
///     size.whole_blocks(17);  // 1
///     size.within_block(17);  // 1
#pragma once

#include <bit>
#include <cstdint>

#include "sim/core/check.hpp"

namespace headroom::serving {

class BlockSize {
  public:
    explicit BlockSize(std::int64_t tokens) : tokens_(tokens) {
        HEADROOM_CHECK(tokens >= 1, "a KV block holds a token");
        const auto bits = static_cast<std::uint64_t>(tokens);
        if (std::has_single_bit(bits)) shift_ = std::countr_zero(bits);
    }
    [[nodiscard]] std::int64_t tokens() const { return tokens_; }
    /// All for n >= 0.
    [[nodiscard]] std::int64_t whole_blocks(std::int64_t n) const {
        return shift_ >= 0 ? n >> shift_ : n / tokens_;
    }
    [[nodiscard]] std::int64_t blocks_for(std::int64_t n) const {
        return whole_blocks(n + tokens_ - 1);
    }
    /// n modulo the size.
    [[nodiscard]] std::int64_t within_block(std::int64_t n) const {
        return shift_ >= 0 ? n & (tokens_ - 1) : n % tokens_;
    }

  private:
    std::int64_t tokens_;
    int shift_ = -1;  ///< log2 of it, -1 when it is no power of two
};

}  // namespace headroom::serving
