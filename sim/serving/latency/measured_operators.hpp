/// MeasuredOperators: kernel times of one GPU from a benchmark's tables.
///
/// Of each measured point the efficiency is kept, roofline time / time, where the roofline is
/// max(flop / rate, bytes / bandwidth) at the ceilings that the same run reached; its logarithm is
/// interpolated over the logarithms of the shape (log_table.hpp) and the time is the roofline over
/// that. So every measured point is returned, and between points the known part of the law holds.
///
///   - matrix products over (n, k, m), bf16 and fp8, the vocabulary's from a table of their own;
///     grouped products of a mixture of experts as one product with the touched experts side by
///     side, at the mean number of rows each;
///   - attention over (query heads a KV head, KV heads, batch, context) and (query heads, KV heads,
///     prompt tokens); below the smallest measured context or prompt the time there holds; fp8 KV
///     as the context of as many bytes;
///   - memory-bound kernels floor + bytes / rate.
///
/// What one GPU cannot measure is the estimate: collectives, and attention of another kind (latent,
/// another head size). Immutable; a call is O(log points).
#pragma once

#include "sim/serving/latency/estimated_operators.hpp"
#include "sim/serving/latency/log_table.hpp"
#include "sim/serving/latency/operator_tables.hpp"

namespace headroom::serving {

class MeasuredOperators final : public OperatorTimes {
  public:
    /// Tables without gemm_bf16, attention or ceilings are a programmer error; fp8 may be missing,
    /// then gemm() must not be asked for it.
    MeasuredOperators(const OperatorTables& tables, const GpuSpec& gpu);

    [[nodiscard]] bool has_fp8() const { return !gemm_fp8_.empty(); }

    [[nodiscard]] double gemm(const Gemm& gemm, std::int64_t tokens, DType dtype) const override;
    [[nodiscard]] double lm_head(const Gemm& gemm, std::int64_t rows) const override;
    [[nodiscard]] double elementwise(ElementwiseKind kind, double bytes) const override;
    [[nodiscard]] double all_reduce(double bytes, std::int64_t ranks) const override;
    [[nodiscard]] double all_gather(double bytes, std::int64_t ranks) const override;
    [[nodiscard]] std::unique_ptr<const AttentionTimes> attention(
        const AttentionWork& work, const EngineShape& engine) const override;
    /// One layer, as measured: each of `batch` sequences attends to `context` tokens.
    [[nodiscard]] double decode_attention(std::int64_t query_heads, std::int64_t kv_heads,
                                          double kv_bytes_per_token, std::int64_t batch,
                                          double context) const;
    /// One layer, one causal prompt.
    [[nodiscard]] double prefill_attention(std::int64_t query_heads, std::int64_t kv_heads,
                                           double tokens) const;

  private:
    using GemmTable = LogTable<3>;  ///< n, k, m

    [[nodiscard]] GemmTable gemm_table(const std::vector<GemmColumn>& columns, DType dtype);
    [[nodiscard]] double gemm_roofline(const GemmWork& work, bool fp8) const;

    EstimatedOperators estimate_;
    MeasuredCeilings ceilings_;
    GemmTable gemm_bf16_;
    GemmTable gemm_fp8_;
    GemmTable lm_head_;
    LogTable<4> decode_;   ///< query heads a KV head, KV heads, batch, context
    LogTable<3> prefill_;  ///< query heads, KV heads, tokens
    double shortest_gemm_s_ = 0;
    double least_context_ = 0;
    double least_prompt_ = 0;
    MemoryBoundFit norm_;
    MemoryBoundFit rotary_;
    MemoryBoundFit activation_;
    MemoryBoundFit sampling_;
    std::int64_t head_size_;
    std::vector<std::int64_t> contexts_;  ///< that were measured
    std::vector<std::int64_t> prompts_;   ///< likewise
};

}  // namespace headroom::serving
