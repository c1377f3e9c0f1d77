#include "sim/serving/latency/estimated_operators.hpp"

#include <cmath>

#include "sim/core/check.hpp"

namespace headroom::serving {

namespace {

constexpr double kGemmFloorS = 3e-6;
constexpr double kGemmFlopEfficiency = 0.60;
constexpr double kMemoryEfficiency = 0.80;
constexpr double kElementwiseFloorS = 3e-6;
constexpr double kAttentionFlopEfficiency = 0.50;
constexpr Duration kAttentionFloor = Duration::microseconds(5);
constexpr double kLinkFloorS = 4e-6;
constexpr double kReferenceLinkBytesPerS = 450e9;       // NVLink 4, one direction
constexpr double kReferenceAllReduceBytesPerS = 330e9;  // reached on it

[[nodiscard]] double larger(double a, double b) {
    return a < b ? b : a;
}

}  // namespace

double error_band(const GpuSpec& gpu) {
    const bool hopper = gpu.compute_capability == 90;
    return hopper && gpu.link == LinkKind::nvlink ? 0.15 : 0.25;
}

AffineAttention::AffineAttention(Duration floor, double per_context_s, double per_pair_s)
    : floor_(floor),
      per_context_token_(
          Duration::picoseconds(static_cast<std::int64_t>(std::floor(per_context_s * 1e12)))),
      prefill_scaled_(static_cast<std::int64_t>(
          std::floor(per_pair_s * 0.5e12 * static_cast<double>(1 << kFractionBits)))) {}

IterationCost AffineAttention::decode(std::int64_t sequences,
                                      std::int64_t /*context_tokens*/) const {
    return {floor_ + per_context_token_ * sequences,  // each new token attends to itself
            per_context_token_};
}

Duration AffineAttention::prefill(const IterationShape& shape) const {
    const Int128 scaled = static_cast<Int128>(prefill_scaled_) * shape.prefill_attention_doubled;
    const Duration pairs =
        Duration::picoseconds(static_cast<std::int64_t>(scaled >> kFractionBits));
    // One launch a layer serves prefills and decodes together (variable-length attention).
    const bool alone = shape.decode_sequences == 0 && shape.prefill_tokens > 0;
    return alone ? pairs + floor_ : pairs;
}

EstimatedOperators::EstimatedOperators(const GpuSpec& gpu) : gpu_(gpu) {
    HEADROOM_CHECK(gpu.memory_bytes_per_s > 0 && gpu.bf16_flops > 0,
                   "a GPU's rates must be positive");
}

double EstimatedOperators::gemm(const Gemm& gemm, std::int64_t tokens, DType dtype) const {
    const GemmWork work = gemm_work(gemm, tokens, dtype);
    const bool fp8 = gemm.quantised && dtype == DType::fp8;
    const double rate = fp8 ? gpu_.fp8_flops : gpu_.bf16_flops;
    HEADROOM_CHECK(rate > 0, "the GPU computes no fp8");
    return kGemmFloorS + larger(work.flop / (kGemmFlopEfficiency * rate),
                                (work.weight_bytes + work.activation_bytes) /
                                    (kMemoryEfficiency * gpu_.memory_bytes_per_s));
}

double EstimatedOperators::lm_head(const Gemm& gemm, std::int64_t rows) const {
    return this->gemm(gemm, rows, DType::bf16);
}

double EstimatedOperators::elementwise(ElementwiseKind /*kind*/, double bytes) const {
    return kElementwiseFloorS + bytes / (kMemoryEfficiency * gpu_.memory_bytes_per_s);
}

double EstimatedOperators::all_reduce(double bytes, std::int64_t ranks) const {
    HEADROOM_CHECK(gpu_.link_bytes_per_s > 0, "a GPU's link rate must be positive");
    const double n = static_cast<double>(ranks);
    const double rate =
        kReferenceAllReduceBytesPerS * (gpu_.link_bytes_per_s / kReferenceLinkBytesPerS);
    return kLinkFloorS + 2.0 * (n - 1.0) / n * bytes / rate;
}

double EstimatedOperators::all_gather(double bytes, std::int64_t ranks) const {
    HEADROOM_CHECK(gpu_.link_bytes_per_s > 0, "a GPU's link rate must be positive");
    const double n = static_cast<double>(ranks);
    const double rate =
        kReferenceAllReduceBytesPerS * (gpu_.link_bytes_per_s / kReferenceLinkBytesPerS);
    return kLinkFloorS + (n - 1.0) / n * bytes / rate;
}

std::unique_ptr<const AttentionTimes> EstimatedOperators::attention(
    const AttentionWork& work, const EngineShape& /*engine*/) const {
    const double rate = kAttentionFlopEfficiency * gpu_.bf16_flops;
    const double per_context_s =
        larger(work.kv_bytes_per_token / (kMemoryEfficiency * gpu_.memory_bytes_per_s),
               work.decode_flop / rate);
    return std::make_unique<const AffineAttention>(kAttentionFloor * work.layers, per_context_s,
                                                   work.prefill_flop / rate);
}

}  // namespace headroom::serving
