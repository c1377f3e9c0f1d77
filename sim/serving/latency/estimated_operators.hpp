/// EstimatedOperators: kernel times from first principles, for a GPU nobody has measured.
///
///     matrix product  3 us + max(flop / (0.60 P), bytes / (0.80 BW))
///     elementwise     3 us + bytes / (0.80 BW)
///     attention       5 us a layer + max(KV bytes / (0.80 BW), flop / (0.50 P_bf16)) for decodes
///                     + flop / (0.50 P_bf16) for prefill; one launch serves both
///     all-reduce      4 us + 2 (n-1)/n bytes / (330 GB/s * link / 450 GB/s); a gather half of it
///
/// P and BW are the datasheet's dense rate and memory bandwidth. Of a mixture of experts those
/// experts are read that a batch of T tokens touches when the router is even: E (1 - (1 - a/E)^T).
/// The factors were checked against public throughput tables of Hopper GPUs (10 to 14 % mean
/// error); error_band() says what to expect. Decode attention is one line in the context, its
/// slope whole ps, rounded down. Every time grows with the work.
///
///     EstimatedOperators operators{h100};
///     double seconds = operators.gemm(gate_up, 64, DType::fp8);
#pragma once

#include "sim/serving/latency/operator_times.hpp"

namespace headroom::serving {

/// What an API server adds to a request's first token, where nobody measured it (10 to 25 ms).
inline constexpr Duration kEstimatedFrontEnd = Duration::milliseconds(15);

/// Expected relative error of the estimate: 0.15 for Hopper GPUs joined by NVLink, 0.25 elsewhere.
[[nodiscard]] double error_band(const GpuSpec& gpu);

/// Attention of which every byte and flop costs the same.
class AffineAttention final : public AttentionTimes {
  public:
    /// Seconds for a token of context and for a query-context pair, all layers.
    AffineAttention(Duration floor, double per_context_s, double per_pair_s);
    [[nodiscard]] IterationCost decode(std::int64_t sequences,
                                       std::int64_t context_tokens) const override;
    [[nodiscard]] Duration prefill(const IterationShape& shape) const override;

  private:
    Duration floor_;
    Duration per_context_token_;
    /// ps per unit of prefill_attention_doubled, times 2^kFractionBits, rounded down.
    std::int64_t prefill_scaled_ = 0;

    static constexpr int kFractionBits = 20;
};

class EstimatedOperators final : public OperatorTimes {
  public:
    /// Memory bandwidth and bf16 rate must be positive.
    explicit EstimatedOperators(const GpuSpec& gpu);

    [[nodiscard]] double gemm(const Gemm& gemm, std::int64_t tokens, DType dtype) const override;
    [[nodiscard]] double lm_head(const Gemm& gemm, std::int64_t rows) const override;
    [[nodiscard]] double elementwise(ElementwiseKind kind, double bytes) const override;
    [[nodiscard]] double all_reduce(double bytes, std::int64_t ranks) const override;
    [[nodiscard]] double all_gather(double bytes, std::int64_t ranks) const override;
    [[nodiscard]] std::unique_ptr<const AttentionTimes> attention(
        const AttentionWork& work, const EngineShape& engine) const override;

  private:
    GpuSpec gpu_;
};

}  // namespace headroom::serving
