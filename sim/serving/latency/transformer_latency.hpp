/// TransformerLatency: the time of one iteration of a transformer on tensor-parallel GPUs, the sum
/// over the kernels that one rank launches (transformer.hpp says which, OperatorTimes how long each
/// takes) and the host's own time, a + b a sequence.
///
/// Invariants: fixed + slope * K is the sum of the parts that breakdown() returns; time never falls
/// as tokens, sequences or their context grow (what an operator reports below its value for less
/// work counts as that value); each part is rounded once to whole ps. Immutable. Construction:
/// O(tokens) calls of the operators; a call: O(log knots) at most, no allocation (past
/// max_num_batched_tokens + max_num_seqs: O(kernels) calls of the operators).
///
///     TransformerLatency latency{shape, operators, {.engine = {.tp = 2, .dtype = DType::fp8}}};
///     Duration t = latency.iteration_cost({.decode_sequences = 32, ...}).at(32'000);
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/serving/latency/latency_model.hpp"
#include "sim/serving/latency/operator_times.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::serving {

struct TransformerOptions {
    EngineShape engine;
    Duration host_per_iteration = Duration::milliseconds(1);
    Duration host_per_sequence = Duration::microseconds(5);
};

/// The parts of one iteration.
struct OperatorBreakdown {
    Duration gemm;         ///< projections, feed-forward, router
    Duration elementwise;  ///< embedding, norms, rotary and KV append, activation
    Duration decode_attention;
    Duration prefill_attention;
    Duration communication;  ///< all-reduces and the gather of the logits
    Duration lm_head;
    Duration sampling;
    Duration host;

    [[nodiscard]] Duration total() const {
        return gemm + elementwise + decode_attention + prefill_attention + communication + lm_head +
               sampling + host;
    }
};

class TransformerLatency final : public LatencyModel {
  public:
    /// The shape must split over engine.tp (a programmer error otherwise).
    TransformerLatency(const TransformerShape& shape,
                       std::shared_ptr<const OperatorTimes> operators,
                       const TransformerOptions& options);

    [[nodiscard]] IterationCost iteration_cost(const IterationShape& shape) const override;
    [[nodiscard]] OperatorBreakdown breakdown(const IterationShape& shape) const;

  private:
    /// Times of i tokens or sampled rows, made monotone; past the table by the function itself.
    using Seconds = double (TransformerLatency::*)(std::int64_t) const;
    struct Table {
        Seconds seconds_of;
        std::vector<Duration> values{};
    };
    void fill(Table& table, std::int64_t size) const;
    [[nodiscard]] Duration at(const Table& table, std::int64_t i) const;

    [[nodiscard]] double gemm_seconds(std::int64_t tokens) const;
    [[nodiscard]] double elementwise_seconds(std::int64_t tokens) const;
    [[nodiscard]] double all_reduce_seconds(std::int64_t tokens) const;
    [[nodiscard]] double lm_head_seconds(std::int64_t sampled) const;
    [[nodiscard]] double sampling_seconds(std::int64_t sampled) const;
    [[nodiscard]] double gather_seconds(std::int64_t sampled) const;
    [[nodiscard]] Duration of_tokens(std::int64_t tokens) const;
    [[nodiscard]] Duration of_sampled(std::int64_t sampled) const;
    [[nodiscard]] Duration host(const IterationShape& shape) const;

    std::shared_ptr<const OperatorTimes> operators_;
    TransformerOptions options_;
    std::int64_t hidden_ = 0;
    std::int64_t layers_ = 0;
    std::int64_t vocabulary_ = 0;
    std::vector<Gemm> gemms_;
    Gemm lm_head_;
    std::vector<ElementwiseKernel> elementwise_;
    std::unique_ptr<const AttentionTimes> attention_;
    Table gemm_table_{&TransformerLatency::gemm_seconds};
    Table elementwise_table_{&TransformerLatency::elementwise_seconds};
    Table all_reduce_table_{&TransformerLatency::all_reduce_seconds};
    Table lm_head_table_{&TransformerLatency::lm_head_seconds};
    Table sampling_table_{&TransformerLatency::sampling_seconds};
    Table gather_table_{&TransformerLatency::gather_seconds};
    std::vector<Duration> token_table_;    ///< of_tokens(i)
    std::vector<Duration> sampled_table_;  ///< of_sampled(i)
};

}  // namespace headroom::serving
