// PagedKvCache by hand, after the rules of vLLM's block pool and KV cache manager.
#include "sim/serving/paged_kv_cache.hpp"

#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {
namespace {

using serving::ContentsRef;
using serving::KvSequence;
using serving::PagedKvCache;
using Blocks = std::vector<std::uint32_t>;

KvSequence sequence(std::uint64_t identity, ContentsRef contents = {}, std::uint64_t salt = 0) {
    return {std::move(contents), identity, salt};
}

/// Admits a sequence of so many tokens and computes them; what it found in the cache.
std::int64_t admit(PagedKvCache& cache, KvSequence& s, std::int64_t tokens) {
    const std::int64_t cached = cache.cached_tokens(s, tokens);
    REQUIRE(cache.fits(s, cached, tokens));
    cache.share(s, cached);
    cache.hold(s, tokens);
    cache.enter(s, tokens);
    return cached;
}

}  // namespace

TEST_CASE("PagedKvCache: blocks that were never used come first, in ascending order") {
    PagedKvCache cache(5, 4, false);
    CHECK(cache.free_blocks() == 5);
    CHECK(cache.blocks_for(0) == 0);
    CHECK(cache.blocks_for(4) == 1);
    CHECK(cache.blocks_for(5) == 2);
    KvSequence a = sequence(1);
    cache.hold(a, 5);
    CHECK(a.blocks == Blocks{0, 1});
    CHECK(cache.free_blocks() == 3);
    cache.release(a);
    CHECK(a.blocks.empty());
    CHECK(cache.free_blocks() == 5);
    // 2, 3 and 4 are still fresh; then those given back, the last block of the sequence first.
    cache.hold(a, 20);
    CHECK(a.blocks == Blocks{2, 3, 4, 1, 0});
    CHECK(cache.free_blocks() == 0);
}

TEST_CASE("PagedKvCache: a sequence grows by blocks as its tokens do, and never shrinks") {
    PagedKvCache cache(4, 4, true);
    KvSequence a = sequence(1);
    cache.hold(a, 4);
    CHECK(a.blocks.size() == 1);
    cache.hold(a, 5);
    cache.hold(a, 8);
    CHECK(a.blocks.size() == 2);
    cache.hold(a, 1);
    CHECK(a.blocks.size() == 2);
    CHECK(cache.free_blocks() == 2);
}

TEST_CASE("PagedKvCache: blocks are reused in the order of their release") {
    PagedKvCache cache(6, 4, false);
    KvSequence a = sequence(1);
    KvSequence b = sequence(2);
    KvSequence c = sequence(3);
    cache.hold(a, 8);
    cache.hold(b, 8);
    cache.hold(c, 8);
    cache.release(b);
    cache.release(a);
    KvSequence d = sequence(4);
    cache.hold(d, 12);
    CHECK(d.blocks == Blocks{3, 2, 1});
    cache.release(c);
    KvSequence e = sequence(5);
    cache.hold(e, 12);
    CHECK(e.blocks == Blocks{0, 5, 4});
}

TEST_CASE("PagedKvCache: without caching nothing is found") {
    PagedKvCache cache(8, 4, false);
    const ContentsRef ids = contents_of({1, 2, 3}, 4);
    KvSequence a = sequence(1, ids);
    KvSequence b = sequence(2, ids);
    CHECK(admit(cache, a, 12) == 0);
    CHECK(admit(cache, b, 12) == 0);
    CHECK(cache.free_blocks() == 2);
}

TEST_CASE("PagedKvCache: full blocks of equal contents are shared, but never the last token") {
    PagedKvCache cache(8, 4, true);
    const ContentsRef ids = contents_of({1, 2, 3, 4}, 4);
    KvSequence a = sequence(1, ids);
    CHECK(admit(cache, a, 14) == 0);
    KvSequence b = sequence(2, ids);
    CHECK(cache.cached_tokens(b, 16) == 12);  // the fourth block is not full
    CHECK(cache.cached_tokens(b, 13) == 12);
    CHECK(cache.cached_tokens(b, 12) == 8);  // a whole block is computed anew
    CHECK(cache.cached_tokens(b, 9) == 8);
    CHECK(cache.cached_tokens(b, 5) == 4);
    CHECK(cache.cached_tokens(b, 4) == 0);
    CHECK(cache.cached_tokens(b, 1) == 0);
    CHECK(admit(cache, b, 12) == 8);
    CHECK(b.blocks == Blocks{0, 1, 4});
    CHECK(cache.free_blocks() == 3);
    // Two use blocks 0 and 1: they are free when both have given them back.
    cache.release(a);
    CHECK(cache.free_blocks() == 5);
    cache.release(b);
    CHECK(cache.free_blocks() == 8);
}

TEST_CASE("PagedKvCache: what is held but was not entered cannot be found") {
    PagedKvCache cache(8, 4, true);
    const ContentsRef ids = contents_of({1, 2, 3}, 4);
    KvSequence a = sequence(1, ids);
    cache.hold(a, 12);
    KvSequence b = sequence(2, ids);
    CHECK(cache.cached_tokens(b, 12) == 0);
    cache.enter(a, 7);
    CHECK(cache.cached_tokens(b, 12) == 4);
    cache.enter(a, 8);
    CHECK(cache.cached_tokens(b, 12) == 8);
    cache.enter(a, 4);  // not taken back
    CHECK(cache.cached_tokens(b, 12) == 8);
}

TEST_CASE("PagedKvCache: ids name contents, which are equal only after equal prefixes") {
    PagedKvCache cache(16, 4, true);
    KvSequence a = sequence(1, contents_of({1, 2, 3}, 4));
    (void)admit(cache, a, 12);
    KvSequence b = sequence(2, contents_of({9, 2, 3}, 4));
    CHECK(admit(cache, b, 12) == 0);
    KvSequence c = sequence(3, contents_of({1, 9, 3, 4}, 4));
    CHECK(admit(cache, c, 16) == 4);
    KvSequence d = sequence(4, contents_of({2, 3, 1}, 4));
    CHECK(cache.cached_tokens(d, 12) == 0);
}

TEST_CASE("PagedKvCache: another salt shares nothing") {
    PagedKvCache cache(16, 4, true);
    const ContentsRef ids = contents_of({1, 2, 3}, 4);
    KvSequence a = sequence(1, ids, 5);
    (void)admit(cache, a, 12);
    KvSequence b = sequence(2, ids, 6);
    CHECK(admit(cache, b, 12) == 0);
    KvSequence c = sequence(3, ids, 5);
    CHECK(cache.cached_tokens(c, 12) == 8);
}

TEST_CASE("PagedKvCache: tokens without ids are like no others, but the sequence's own") {
    PagedKvCache cache(16, 4, true);
    KvSequence a = sequence(1);
    (void)admit(cache, a, 12);
    KvSequence b = sequence(2);
    CHECK(cache.cached_tokens(b, 12) == 0);
    cache.release(a);
    CHECK(admit(cache, a, 12) == 8);
    // Past the last id likewise: here 8 tokens have contents.
    KvSequence c = sequence(3, contents_of({1, 2}, 4));
    (void)admit(cache, c, 16);
    KvSequence d = sequence(4, contents_of({1, 2}, 4));
    CHECK(cache.cached_tokens(d, 16) == 8);
    cache.release(c);
    CHECK(cache.cached_tokens(c, 16) == 12);
}

TEST_CASE("PagedKvCache: small ids and salts do not meet by accident") {
    for (std::uint64_t salt = 0; salt < 4; ++salt) {
        for (std::uint64_t first = 0; first < 8; ++first) {
            PagedKvCache cache(8, 1, true);
            KvSequence a = sequence(1, contents_of({first}, 1), salt);
            (void)admit(cache, a, 1);
            for (std::uint64_t x = 0; x < 8; ++x) {
                for (std::uint64_t y = 0; y < 8; ++y) {
                    INFO("salt " << salt << ": " << first << " and " << x << " " << y);
                    KvSequence b = sequence(2, contents_of({x, y}, 1), salt);
                    CHECK(cache.cached_tokens(b, 3) == (x == first ? 1 : 0));
                }
            }
        }
    }
}

TEST_CASE("PagedKvCache: an id may name more or fewer tokens than a block has") {
    for (const std::int64_t piece : {512, 48, 24, 16, 8, 3}) {
        INFO("tokens an id: " << piece);
        PagedKvCache cache(200, 16, true);
        std::vector<std::uint64_t> ids;
        for (std::int64_t at = 0; at < 1100; at += piece) {
            ids.push_back(static_cast<std::uint64_t>(at) + 7);
        }
        KvSequence a = sequence(1, contents_of(ids, piece));
        (void)admit(cache, a, 1024);
        KvSequence b = sequence(2, contents_of(ids, piece));
        CHECK(cache.cached_tokens(b, 1100) == 1024);
        // Another piece is other tokens from its beginning on: blocks before it are equal.
        const std::int64_t changed = 600 / piece;
        ids[static_cast<std::size_t>(changed)] = 5;
        KvSequence c = sequence(3, contents_of(ids, piece));
        CHECK(cache.cached_tokens(c, 1100) == changed * piece / 16 * 16);
    }
}

TEST_CASE("PagedKvCache: one id for several blocks does not make these equal") {
    PagedKvCache cache(100, 16, true);
    KvSequence a = sequence(1, contents_of({1, 1}, 64));
    (void)admit(cache, a, 128);
    CHECK(a.blocks.size() == 8);
    CHECK(cache.free_blocks() == 92);
    KvSequence b = sequence(2, contents_of({1, 2}, 64));
    CHECK(cache.cached_tokens(b, 128) == 64);
}

TEST_CASE("PagedKvCache: ids speak for the covered tokens only") {
    PagedKvCache cache(100, 16, true);
    // 40 tokens of the 64 are known, so blocks 0 and 1, and of block 2 only a half.
    KvSequence a = sequence(1, contents_of({1}, 64, 40));
    (void)admit(cache, a, 64);
    KvSequence b = sequence(2, contents_of({1}, 64, 40));
    CHECK(cache.cached_tokens(b, 64) == 32);
    // Whose ids speak for more finds no more, nor does it give more.
    KvSequence c = sequence(3, contents_of({1}, 64));
    CHECK(admit(cache, c, 64) == 32);
    CHECK(cache.cached_tokens(b, 64) == 32);
    KvSequence d = sequence(4, contents_of({1}, 64, 48));
    CHECK(cache.cached_tokens(d, 64) == 48);  // of what c entered
    KvSequence e = sequence(5, contents_of({1}, 64, 15));
    CHECK(cache.cached_tokens(e, 64) == 0);
}

TEST_CASE("PagedKvCache: a block keeps its contents until it is taken, tail of a sequence first") {
    PagedKvCache cache(4, 4, true);
    const ContentsRef ids = contents_of({1, 2, 3, 4}, 4);
    KvSequence a = sequence(1, ids);
    (void)admit(cache, a, 12);
    cache.release(a);
    KvSequence probe = sequence(2, ids);
    KvSequence x = sequence(3);
    cache.hold(x, 4);  // the fresh one
    CHECK(cache.cached_tokens(probe, 16) == 12);
    cache.hold(x, 8);
    CHECK(cache.cached_tokens(probe, 16) == 8);
    cache.hold(x, 12);
    CHECK(cache.cached_tokens(probe, 16) == 4);
    cache.hold(x, 16);
    CHECK(cache.cached_tokens(probe, 16) == 0);
}

TEST_CASE("PagedKvCache: a hole in the middle ends the prefix that is found") {
    PagedKvCache cache(3, 4, true);
    KvSequence a = sequence(1, contents_of({1, 2, 3}, 4));
    (void)admit(cache, a, 12);
    KvSequence b = sequence(2, contents_of({1}, 4));
    CHECK(cache.cached_tokens(b, 5) == 4);
    cache.share(b, 4);  // block 0 stays in use
    cache.release(a);   // 2, 1
    KvSequence c = sequence(3);
    cache.hold(c, 4);
    CHECK(c.blocks == Blocks{2});
    CHECK(cache.cached_tokens(a, 12) == 8);
    cache.hold(c, 8);
    CHECK(cache.cached_tokens(a, 12) == 4);
}

TEST_CASE("PagedKvCache: a hit takes a free block out of the list, and its release puts it last") {
    PagedKvCache cache(4, 4, true);
    KvSequence a = sequence(1, contents_of({1}, 4));
    KvSequence b = sequence(2, contents_of({2}, 4));
    (void)admit(cache, a, 8);  // blocks 0, 1
    (void)admit(cache, b, 8);  // blocks 2, 3
    cache.release(a);
    cache.release(b);  // 1 0 3 2
    KvSequence again = sequence(3, contents_of({1}, 4));
    CHECK(cache.cached_tokens(again, 5) == 4);
    cache.share(again, 4);
    CHECK(again.blocks == Blocks{0});
    CHECK(cache.free_blocks() == 3);
    cache.release(again);  // 1 3 2 0
    KvSequence c = sequence(4);
    cache.hold(c, 16);
    CHECK(c.blocks == Blocks{1, 3, 2, 0});
}

TEST_CASE("PagedKvCache: of equal blocks the first entered is found, then the second") {
    PagedKvCache cache(6, 4, true);
    const ContentsRef ids = contents_of({1}, 4);
    KvSequence a = sequence(1, ids);
    KvSequence b = sequence(2, ids);
    // Both computed the same at once: a whole block, so neither could share it.
    (void)admit(cache, a, 4);
    CHECK(admit(cache, b, 4) == 0);
    CHECK(b.blocks == Blocks{1});
    KvSequence c = sequence(3, ids);
    CHECK(admit(cache, c, 5) == 4);
    CHECK(c.blocks == Blocks{0, 2});
    cache.release(c);
    cache.release(a);
    KvSequence x = sequence(4);
    cache.hold(x, 16);
    CHECK(x.blocks == Blocks{3, 4, 5, 2});
    CHECK(cache.cached_tokens(c, 5) == 4);
    cache.hold(x, 20);  // takes block 0
    CHECK(cache.free_blocks() == 0);
    CHECK(cache.cached_tokens(c, 5) == 4);
    cache.share(c, 4);
    CHECK(c.blocks == Blocks{1});
    cache.release(c);
    cache.release(b);
    KvSequence y = sequence(5);
    cache.hold(y, 4);
    CHECK(y.blocks == Blocks{1});
    CHECK(cache.cached_tokens(c, 5) == 0);
}

TEST_CASE("PagedKvCache: hits without users need a place, those in use do not") {
    PagedKvCache cache(4, 4, true);
    const ContentsRef ids = contents_of({1, 2}, 4);
    KvSequence a = sequence(1, ids);
    (void)admit(cache, a, 12);
    KvSequence b = sequence(2, ids);
    REQUIRE(cache.cached_tokens(b, 12) == 8);
    CHECK(cache.fits(b, 8, 12));        // one more block, and one is free
    CHECK_FALSE(cache.fits(b, 8, 13));  // two more
    CHECK_FALSE(cache.fits(b, 0, 8));
    cache.release(a);
    KvSequence x = sequence(3);
    cache.hold(x, 4);  // 3 free, two of which are hits
    CHECK(cache.fits(b, 8, 12));
    CHECK_FALSE(cache.fits(b, 8, 13));
    CHECK(cache.fits(b, 8, 8));
    cache.hold(x, 8);  // takes a's third block
    REQUIRE(cache.cached_tokens(b, 12) == 8);
    CHECK_FALSE(cache.fits(b, 8, 12));
    CHECK(cache.fits(b, 8, 8));
}

}  // namespace headroom::tests
