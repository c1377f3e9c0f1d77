#include "scenarios/catalogue/launch_work.hpp"

#include <algorithm>

#include "sim/serving/latency/transformer.hpp"

namespace headroom::scenarios {

namespace {

constexpr double kBf16Bytes = 2;

[[nodiscard]] double number(std::int64_t n) {
    return static_cast<double>(n);
}

/// A memory-bound launch over this many bf16 values.
[[nodiscard]] LaunchWork streamed(double values) {
    return {.bytes = kBf16Bytes * values};
}

}  // namespace

LaunchWork gemm_launch(std::int64_t n, std::int64_t k, std::int64_t m, bool fp8) {
    const serving::GemmWork work =
        serving::gemm_work({n, k, 1}, m, fp8 ? serving::DType::fp8 : serving::DType::bf16);
    return {.flop = work.flop, .bytes = work.weight_bytes + work.activation_bytes, .fp8 = fp8};
}

LaunchWork decode_attention_launch(const AttentionHeads& heads, std::int64_t batch,
                                   std::int64_t context) {
    const double attended = number(batch) * number(context);
    const double query_values = number(heads.query_heads) * number(heads.head_size);
    const double kv_values = number(heads.kv_heads) * number(heads.head_size);
    return {.flop = 4 * attended * query_values,
            .bytes = kBf16Bytes * (2 * attended * kv_values + 2 * number(batch) * query_values)};
}

LaunchWork prefill_attention_launch(const AttentionHeads& heads, std::int64_t tokens) {
    const double query_values = number(heads.query_heads) * number(heads.head_size);
    const double kv_values = number(heads.kv_heads) * number(heads.head_size);
    return {.flop = 2 * number(tokens) * number(tokens) * query_values,
            .bytes = kBf16Bytes * 2 * number(tokens) * (query_values + kv_values)};
}

LaunchWork rmsnorm_residual_launch(std::int64_t tokens, std::int64_t width) {
    return streamed(4 * number(tokens) * number(width));
}

LaunchWork rope_kv_append_launch(const AttentionHeads& heads, std::int64_t tokens) {
    const double values =
        (number(heads.query_heads) + 2 * number(heads.kv_heads)) * number(heads.head_size);
    return streamed(2 * number(tokens) * values);
}

LaunchWork swiglu_launch(std::int64_t tokens, std::int64_t width) {
    return streamed(3 * number(tokens) * number(width));
}

LaunchWork argmax_launch(std::int64_t tokens, std::int64_t width) {
    return streamed(number(tokens) * number(width));
}

double roofline_s(const LaunchWork& work, const serving::MeasuredCeilings& ceilings) {
    const double rate = work.fp8 ? ceilings.fp8_flops : ceilings.bf16_flops;
    const double arithmetic = work.flop > 0 && rate > 0 ? work.flop / rate : 0;
    const double traffic =
        ceilings.read_bytes_per_s > 0 ? work.bytes / ceilings.read_bytes_per_s : 0;
    return std::max(arithmetic, traffic);
}

bool is_impossible(const LaunchWork& work, double t_s, const serving::MeasuredCeilings& ceilings,
                   double l2_bytes) {
    return work.bytes > 2 * l2_bytes && roofline_s(work, ceilings) > (1 + kCeilingTolerance) * t_s;
}

}  // namespace headroom::scenarios
