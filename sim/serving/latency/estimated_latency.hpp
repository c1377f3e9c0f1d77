/// EstimatedLatency: the time of one iteration from first principles, operator by operator, for a
/// GPU nobody has measured. Sum over the kernels of one tensor-parallel rank:
///
///     matrix product  3 us + max(flop / (0.60 P), bytes / (0.80 BW))
///     elementwise     3 us + bytes / (0.80 BW)
///     attention       5 us a layer + max(KV bytes / (0.80 BW), flop / (0.50 P_bf16)) for decodes
///                     + flop / (0.50 P_bf16) for prefill
///     all-reduce      4 us + 2 (n-1)/n bytes / (330 GB/s * link / 450 GB/s)
///     host            1 ms + 5 us a sequence
///
/// P and BW are the datasheet's dense rate and memory bandwidth. Of a mixture of experts those
/// experts are read that a batch of T tokens touches when the router is even: E (1 - (1 - a/E)^T).
/// The factors were checked against public throughput tables of Hopper GPUs (10 to 14 % mean
/// error); error_band() says what to expect.
///
/// Invariants: fixed + slope * K is the sum of the parts that breakdown() returns; time never falls
/// as any field of the shape grows; doubles see only + - * / and are rounded once to ps per part,
/// so any IEEE compiler without contraction gives the same table. Immutable. Construction:
/// O(tokens); a call: O(1), no allocation (past the tables: O(kernels log tokens), by the same
/// functions).
///
///     EstimatedLatency latency{shape, gpu, {.engine = {.tp = 2, .dtype = DType::fp8}}};
///     Duration t = latency.iteration_cost({.decode_sequences = 32, ...}).at(32'000);
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/serving/latency/latency_model.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::serving {

/// What an API server adds to a request's first token, where nobody measured it (10 to 25 ms).
inline constexpr Duration kEstimatedFrontEnd = Duration::milliseconds(15);

struct EstimateOptions {
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

/// Expected relative error of the estimate: 0.15 for Hopper GPUs joined by NVLink, 0.25 elsewhere.
[[nodiscard]] double error_band(const GpuSpec& gpu);

/// One matrix product over `tokens` tokens, `count` ignored. `dtype` of the weights.
[[nodiscard]] double gemm_seconds(const Gemm& gemm, std::int64_t tokens, const GpuSpec& gpu,
                                  DType dtype);
/// Bytes it moves and flop it does: weights read, input read, output written.
struct GemmWork {
    double flop = 0;
    double weight_bytes = 0;
    double activation_bytes = 0;
};
[[nodiscard]] GemmWork gemm_work(const Gemm& gemm, std::int64_t tokens, DType dtype);

class EstimatedLatency final : public LatencyModel {
  public:
    /// The shape must split over engine.tp, and a GPU without fp8 be given bf16 (programmer
    /// errors).
    EstimatedLatency(const TransformerShape& shape, const GpuSpec& gpu,
                     const EstimateOptions& options);

    [[nodiscard]] IterationCost iteration_cost(const IterationShape& shape) const override;
    [[nodiscard]] OperatorBreakdown breakdown(const IterationShape& shape) const;

  private:
    [[nodiscard]] Duration gemms(std::int64_t tokens) const;
    [[nodiscard]] Duration elementwise(std::int64_t tokens) const;
    [[nodiscard]] Duration all_reduces(std::int64_t tokens) const;
    [[nodiscard]] Duration lm_head(std::int64_t sampled) const;
    [[nodiscard]] Duration sampling(std::int64_t sampled) const;
    [[nodiscard]] Duration logits_gather(std::int64_t sampled) const;
    [[nodiscard]] Duration attention_floor(const IterationShape& shape) const;
    [[nodiscard]] Duration prefill_attention(std::int64_t attention_doubled) const;
    [[nodiscard]] Duration host(const IterationShape& shape) const;
    [[nodiscard]] Duration of_tokens(std::int64_t tokens) const {
        return gemms(tokens) + elementwise(tokens) + all_reduces(tokens);
    }
    [[nodiscard]] Duration of_sampled(std::int64_t sampled) const {
        return lm_head(sampled) + sampling(sampled) + logits_gather(sampled);
    }

    GpuSpec gpu_;
    EstimateOptions options_;
    std::int64_t hidden_ = 0;
    std::int64_t layers_ = 0;
    std::int64_t vocabulary_ = 0;
    std::vector<Gemm> gemms_;
    Gemm lm_head_;
    std::vector<ElementwiseKernel> elementwise_;
    Duration per_context_token_;
    /// ps per unit of prefill_attention_doubled, times 2^kFractionBits, rounded down.
    std::int64_t prefill_attention_scaled_ = 0;
    std::vector<Duration> token_table_;    ///< of_tokens(i)
    std::vector<Duration> sampled_table_;  ///< of_sampled(i)

    static constexpr int kFractionBits = 20;
};

}  // namespace headroom::serving
