// BlockSize: counting tokens in blocks, by shifts or divisions.
#include "sim/serving/block_size.hpp"

#include "tests/catch.hpp"

namespace headroom::serving {

TEST_CASE("BlockSize: whole blocks, blocks needed and the place within one, for any size") {
    for (const std::int64_t tokens : {1, 7, 16, 64, 100}) {
        const BlockSize size(tokens);
        CHECK(size.tokens() == tokens);
        for (std::int64_t n = 0; n < 300; ++n) {
            CHECK(size.whole_blocks(n) == n / tokens);
            CHECK(size.blocks_for(n) == (n + tokens - 1) / tokens);
            CHECK(size.within_block(n) == n % tokens);
        }
    }
}

}  // namespace headroom::serving
