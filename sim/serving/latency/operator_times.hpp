/// OperatorTimes: how long the kernels of an iteration take on one GPU, whoever knows it: first
/// principles (estimated_operators.hpp) or a benchmark (measured_operators.hpp). TransformerLatency
/// adds them up for a model.
///
/// All times are seconds of one launch on one tensor-parallel rank, > 0, and need not be monotone:
/// who tabulates them makes them so. Implementations are immutable and see only + - * / sqrt and
/// core/math.hpp, so any IEEE compiler without contraction gives the same bits. O(log points).
#pragma once

#include <cstdint>
#include <memory>

#include "sim/serving/latency/latency_model.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::serving {

/// Attention as the engine's macro-steps need it: lines in whole picoseconds.
class AttentionTimes {
  public:
    virtual ~AttentionTimes() = default;
    /// The line that holds for `sequences` >= 1 decoding at this sum of context, up to valid_until.
    /// O(log knots), no allocation.
    [[nodiscard]] virtual IterationCost decode(std::int64_t sequences,
                                               std::int64_t context_tokens) const = 0;
    /// What the prefill chunks of an iteration add.
    [[nodiscard]] virtual Duration prefill(const IterationShape& shape) const = 0;
};

class OperatorTimes {
  public:
    virtual ~OperatorTimes() = default;
    /// A matrix product over `tokens` tokens (Gemm::count is ignored). `dtype` of the weights.
    [[nodiscard]] virtual double gemm(const Gemm& gemm, std::int64_t tokens, DType dtype) const = 0;
    /// The same for the product with the vocabulary.
    [[nodiscard]] virtual double lm_head(const Gemm& gemm, std::int64_t rows) const = 0;
    [[nodiscard]] virtual double elementwise(ElementwiseKind kind, double bytes) const = 0;
    /// Bytes of one rank's tensor; of the gathered one.
    [[nodiscard]] virtual double all_reduce(double bytes, std::int64_t ranks) const = 0;
    [[nodiscard]] virtual double all_gather(double bytes, std::int64_t ranks) const = 0;
    /// Tabulated up to the limits of `engine`.
    [[nodiscard]] virtual std::unique_ptr<const AttentionTimes> attention(
        const AttentionWork& work, const EngineShape& engine) const = 0;
};

}  // namespace headroom::serving
