/// LaunchWork: the least that one launch of a measured operator must do, and how long that takes at
/// the ceilings of the same run: the roofline (Williams, Waterman and Patterson 2009). A measured
/// time is judged against it, in per cent and for being possible at all.
///
///     LaunchWork work = gemm_launch(4096, 4096, 16, false);      // n, k, m, fp8
///     double share = roofline_s(work, ceilings) / t_s;           // 0.86 of the ceiling
///
/// Each byte of input is read once, each byte of output written once; activations, norms and KV in
/// bf16, weights and inputs of an fp8 product in one byte. Causal attention over t tokens computes
/// t^2 / 2 pairs. Flop, bytes, seconds. O(1).
#pragma once

#include <cstdint>

#include "sim/serving/latency/operator_tables.hpp"

namespace headroom::scenarios {

struct LaunchWork {
    double flop = 0;
    double bytes = 0;
    bool fp8 = false;  ///< against the fp8 ceiling
};

/// m tokens times a k x n matrix of weights.
[[nodiscard]] LaunchWork gemm_launch(std::int64_t n, std::int64_t k, std::int64_t m, bool fp8);

struct AttentionHeads {
    std::int64_t query_heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_size = 0;
};
/// One layer: every sequence of the batch attends to `context` tokens.
[[nodiscard]] LaunchWork decode_attention_launch(const AttentionHeads& heads, std::int64_t batch,
                                                 std::int64_t context);
/// One layer, one causal prompt.
[[nodiscard]] LaunchWork prefill_attention_launch(const AttentionHeads& heads, std::int64_t tokens);

/// Input and residual read, both written.
[[nodiscard]] LaunchWork rmsnorm_residual_launch(std::int64_t tokens, std::int64_t width);
/// Queries, keys and values read; queries written back, keys and values into their pages.
[[nodiscard]] LaunchWork rope_kv_append_launch(const AttentionHeads& heads, std::int64_t tokens);
/// Gate and up read, their product written.
[[nodiscard]] LaunchWork swiglu_launch(std::int64_t tokens, std::int64_t width);
/// Logits read.
[[nodiscard]] LaunchWork argmax_launch(std::int64_t tokens, std::int64_t width);

/// The longer of the arithmetic and the traffic at the ceilings; 0 for work without either.
[[nodiscard]] double roofline_s(const LaunchWork& work, const serving::MeasuredCeilings& ceilings);

/// Faster than the roofline by more than kCeilingTolerance, though at least half of what it touches
/// cannot have stood in the L2 cache: a mistake of the measurement.
[[nodiscard]] bool is_impossible(const LaunchWork& work, double t_s,
                                 const serving::MeasuredCeilings& ceilings, double l2_bytes);

inline constexpr double kCeilingTolerance = 0.05;
/// Where a file does not say: the H100's.
inline constexpr std::int64_t kDefaultL2Bytes = 50 << 20;

}  // namespace headroom::scenarios
