#include "analysis/calibration/kernels/attention_reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "analysis/calibration/kernels/reference.hpp"
#include "tests/catch.hpp"

namespace headroom::kernels::attention {
namespace {

using Bits = std::vector<std::uint16_t>;

/// For numbers that bf16 holds exactly.
std::uint16_t bits_of(double value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    REQUIRE((bits & 0xffffu) == 0);
    return static_cast<std::uint16_t>(bits >> 16);
}

/// Small whole numbers, quarters apart, from an arbitrary rule.
Bits pattern(std::size_t count, std::size_t seed) {
    Bits bits;
    for (std::size_t index = 0; index < count; ++index) {
        const auto step = static_cast<double>((index * 37 + seed * 101 + index / 7) % 17);
        bits.push_back(bits_of(step / 4 - 2));
    }
    return bits;
}

bool near(double a, double b) {
    return std::abs(a - b) < 1e-12;
}

}  // namespace

TEST_CASE("AttentionReference: one token's output is its value, whatever the query") {
    const PrefillProblem problem{.tokens = 1, .query_heads = 2, .kv_heads = 1, .head_size = 4};
    const Bits v = {bits_of(1), bits_of(-2), bits_of(0.5), bits_of(8)};
    const std::vector<double> out =
        prefill_attention_reference(problem, pattern(8, 1), pattern(4, 2), v);
    CHECK(out == std::vector<double>{1, -2, 0.5, 8, 1, -2, 0.5, 8});
}

TEST_CASE("AttentionReference: equal keys give the mean of the values seen so far") {
    const PrefillProblem problem{.tokens = 4, .query_heads = 1, .kv_heads = 1, .head_size = 2};
    const Bits k(8, bits_of(3));
    const Bits v = {bits_of(1), bits_of(0), bits_of(3),  bits_of(0),
                    bits_of(5), bits_of(0), bits_of(-1), bits_of(4)};
    const std::vector<double> out = prefill_attention_reference(problem, pattern(8, 3), k, v);
    const std::vector<double> expected = {1, 0, 2, 0, 3, 0, 2, 1};
    for (std::size_t at = 0; at < expected.size(); ++at) CHECK(near(out[at], expected[at]));
}

TEST_CASE("AttentionReference: scores are divided by the root of the head size") {
    // Scores 0 and 4 / sqrt(4) = 2: weights 1 and e^2.
    const PrefillProblem problem{.tokens = 2, .query_heads = 1, .kv_heads = 1, .head_size = 4};
    Bits q(8, bits_of(0));
    q[4] = bits_of(2);
    Bits k(8, bits_of(0));
    k[4] = bits_of(2);
    Bits v(8, bits_of(0));
    v[4] = bits_of(1);
    const std::vector<double> out = prefill_attention_reference(problem, q, k, v);
    CHECK(out[0] == 0);
    CHECK(near(out[4], std::exp(2.0) / (1 + std::exp(2.0))));
}

TEST_CASE("AttentionReference: causal prefill never sees a later token") {
    const PrefillProblem problem{.tokens = 5, .query_heads = 4, .kv_heads = 2, .head_size = 8};
    const std::size_t q_size = 5 * 4 * 8;
    const std::size_t kv_size = 5 * 2 * 8;
    const Bits q = pattern(q_size, 1);
    Bits k = pattern(kv_size, 2);
    Bits v = pattern(kv_size, 3);
    const std::vector<double> before = prefill_attention_reference(problem, q, k, v);
    for (std::size_t head = 0; head < 4; ++head) {  // the first row is the first value
        for (std::size_t d = 0; d < 8; ++d) {
            CHECK(before[head * 8 + d] == reference::bf16_value(v[head / 2 * 8 + d]));
        }
    }
    for (std::size_t at = 3 * 2 * 8; at < kv_size; ++at) k[at] = v[at] = bits_of(64);
    const std::vector<double> after = prefill_attention_reference(problem, q, k, v);
    const auto third = static_cast<std::ptrdiff_t>(3 * 4 * 8);
    CHECK(std::equal(before.begin(), before.begin() + third, after.begin()));
    CHECK_FALSE(std::equal(before.begin() + third, before.end(), after.begin() + third));
}

TEST_CASE("AttentionReference: query heads share the KV head of their group") {
    const DecodeProblem problem{.batch = 1,
                                .context = 1,
                                .query_heads = 6,
                                .kv_heads = 2,
                                .head_size = 2,
                                .page_tokens = 1};
    const Bits v = {bits_of(1), bits_of(2), bits_of(3), bits_of(4)};
    const std::vector<std::int32_t> table = {0};
    const std::vector<double> out =
        decode_attention_reference(problem, pattern(12, 1), pattern(4, 2), v, table);
    CHECK(out == std::vector<double>{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4});
}

TEST_CASE("AttentionReference: paged decode of the last token is the last row of causal prefill") {
    const PrefillProblem whole{.tokens = 11, .query_heads = 4, .kv_heads = 2, .head_size = 8};
    const Bits q = pattern(11 * 4 * 8, 1);
    const Bits k = pattern(11 * 2 * 8, 2);
    const Bits v = pattern(11 * 2 * 8, 3);
    const std::vector<double> expected = prefill_attention_reference(whole, q, k, v);

    const DecodeProblem paged{.batch = 1,
                              .context = 11,
                              .query_heads = 4,
                              .kv_heads = 2,
                              .head_size = 8,
                              .page_tokens = 4};
    REQUIRE(paged.pages() == 3);
    const std::vector<std::int32_t> table = {4, 0, 2};  // out of order, with holes
    const std::uint16_t nan = 0x7fff;                   // what no token wrote
    Bits k_cache(5 * 2 * 4 * 8, nan);
    Bits v_cache(5 * 2 * 4 * 8, nan);
    for (std::size_t token = 0; token < 11; ++token) {
        for (std::size_t head = 0; head < 2; ++head) {
            for (std::size_t d = 0; d < 8; ++d) {
                const auto block = static_cast<std::size_t>(table[token / 4]);
                const std::size_t to = ((block * 2 + head) * 4 + token % 4) * 8 + d;
                k_cache[to] = k[(token * 2 + head) * 8 + d];
                v_cache[to] = v[(token * 2 + head) * 8 + d];
            }
        }
    }
    const Bits last_q(q.end() - 32, q.end());
    const std::vector<double> out =
        decode_attention_reference(paged, last_q, k_cache, v_cache, table);
    CHECK(std::equal(out.begin(), out.end(), expected.end() - 32));
}

TEST_CASE("AttentionReference: every sequence of a batch reads its own pages") {
    const DecodeProblem both{.batch = 2,
                             .context = 6,
                             .query_heads = 2,
                             .kv_heads = 1,
                             .head_size = 4,
                             .page_tokens = 4};
    const Bits q = pattern(16, 1);
    const Bits k = pattern(4 * 16, 2);
    const Bits v = pattern(4 * 16, 3);
    const std::vector<std::int32_t> table = {3, 0, 1, 2};
    const std::vector<double> out = decode_attention_reference(both, q, k, v, table);
    DecodeProblem one = both;
    one.batch = 1;
    for (std::ptrdiff_t sequence = 0; sequence < 2; ++sequence) {
        const Bits own_q(q.begin() + sequence * 8, q.begin() + (sequence + 1) * 8);
        const std::vector<std::int32_t> own_table(table.begin() + sequence * 2,
                                                  table.begin() + (sequence + 1) * 2);
        const std::vector<double> alone = decode_attention_reference(one, own_q, k, v, own_table);
        CHECK(std::equal(alone.begin(), alone.end(), out.begin() + sequence * 8));
    }
}

TEST_CASE("AttentionReference: shuffled blocks are an order of all blocks, fixed by the seed") {
    std::vector<std::int32_t> blocks = shuffled_blocks(1000, 7);
    CHECK(blocks == shuffled_blocks(1000, 7));
    CHECK(blocks != shuffled_blocks(1000, 8));
    CHECK_FALSE(std::is_sorted(blocks.begin(), blocks.end()));
    std::sort(blocks.begin(), blocks.end());
    for (std::size_t at = 0; at < blocks.size(); ++at) {
        REQUIRE(blocks[at] == static_cast<std::int32_t>(at));
    }
    CHECK(shuffled_blocks(0, 1).empty());
    CHECK(shuffled_blocks(1, 1) == std::vector<std::int32_t>{0});
}

}  // namespace headroom::kernels::attention
