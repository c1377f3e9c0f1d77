/// Attention in float64 on the host, straight from its definition: what the kernels are checked
/// against. out = softmax(q k^T / sqrt(head_size)) v; query head h reads KV head
/// h / (query_heads / kv_heads) (grouped-query attention, Ainslie et al. 2023).
///
///     std::vector<double> out = prefill_attention_reference(problem, q, k, v);
///     CHECK(reference::relative_l2(reference::widen_bf16(bits), out) < 1e-2);
///
/// Numbers come as the bits of bf16, in the layouts that each function states, sizes as the problem
/// says; fewer elements than that are a programmer's error and abort. Work is O(batch * context)
/// and O(tokens^2), both times heads * head size, on one core.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace headroom::kernels::attention {

struct DecodeProblem {
    int batch = 1;
    int context = 1;
    int query_heads = 1;
    int kv_heads = 1;
    int head_size = 128;
    int page_tokens = 16;

    [[nodiscard]] int group() const { return query_heads / kv_heads; }
    [[nodiscard]] int pages() const { return (context + page_tokens - 1) / page_tokens; }
};

/// q and the result: [sequence][query head][head_size]; k, v: [block][KV head][page_tokens]
/// [head_size]; table: [sequence][page], the block that holds a page. What a block holds behind the
/// context is not read.
[[nodiscard]] std::vector<double> decode_attention_reference(const DecodeProblem& problem,
                                                             std::span<const std::uint16_t> q,
                                                             std::span<const std::uint16_t> k,
                                                             std::span<const std::uint16_t> v,
                                                             std::span<const std::int32_t> table);

struct PrefillProblem {
    int tokens = 1;
    int query_heads = 1;
    int kv_heads = 1;
    int head_size = 128;

    [[nodiscard]] int group() const { return query_heads / kv_heads; }
};

/// Causal: token t sees the tokens 0..t. q and the result: [token][query head][head_size]; k, v:
/// [token][KV head][head_size].
[[nodiscard]] std::vector<double> prefill_attention_reference(const PrefillProblem& problem,
                                                              std::span<const std::uint16_t> q,
                                                              std::span<const std::uint16_t> k,
                                                              std::span<const std::uint16_t> v);

/// A random order of 0..count-1, the same for the same seed: which block holds which page.
[[nodiscard]] std::vector<std::int32_t> shuffled_blocks(int count, std::uint64_t seed);

}  // namespace headroom::kernels::attention
