#include "sim/serving/latency/estimated_latency.hpp"

#include <algorithm>
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
constexpr double kActivationBytes = 2;
// Of one logit: bf16 read, float32 written, read by the sampler.
constexpr double kSamplingBytesPerLogit = 10;
// Tables longer than this only cost memory: past them the same functions are evaluated.
constexpr std::int64_t kLongestTable = 1 << 17;

[[nodiscard]] double larger(double a, double b) {
    return a < b ? b : a;
}

[[nodiscard]] Duration to_duration(double seconds) {
    return Duration::picoseconds(std::llround(seconds * 1e12));
}

/// base^n by squaring: the same products in the same order everywhere.
[[nodiscard]] double power(double base, std::int64_t n) {
    double result = 1;
    for (; n > 0; n >>= 1) {
        if ((n & 1) != 0) result *= base;
        base *= base;
    }
    return result;
}

/// Experts that at least one of `tokens` tokens visits, each choosing `active` of `experts` evenly.
[[nodiscard]] double touched_experts(const Gemm& gemm, std::int64_t tokens) {
    const double experts = static_cast<double>(gemm.experts);
    const double missed = 1.0 - static_cast<double>(gemm.rows_per_token) / experts;
    return experts * (1.0 - power(missed, tokens));
}

}  // namespace

double error_band(const GpuSpec& gpu) {
    const bool hopper = gpu.compute_capability == 90;
    return hopper && gpu.link == LinkKind::nvlink ? 0.15 : 0.25;
}

GemmWork gemm_work(const Gemm& gemm, std::int64_t tokens, DType dtype) {
    const double n = static_cast<double>(gemm.n);
    const double k = static_cast<double>(gemm.k);
    const double rows = static_cast<double>(tokens * gemm.rows_per_token);
    const double value = gemm.quantised ? static_cast<double>(bytes_of(dtype)) : kActivationBytes;
    const double matrices = gemm.experts > 0 ? touched_experts(gemm, tokens) : 1.0;
    return {2.0 * rows * n * k, matrices * n * k * value,
            rows * k * value + rows * n * kActivationBytes};
}

double gemm_seconds(const Gemm& gemm, std::int64_t tokens, const GpuSpec& gpu, DType dtype) {
    const GemmWork work = gemm_work(gemm, tokens, dtype);
    const bool fp8 = gemm.quantised && dtype == DType::fp8;
    const double rate = fp8 ? gpu.fp8_flops : gpu.bf16_flops;
    return kGemmFloorS + larger(work.flop / (kGemmFlopEfficiency * rate),
                                (work.weight_bytes + work.activation_bytes) /
                                    (kMemoryEfficiency * gpu.memory_bytes_per_s));
}

EstimatedLatency::EstimatedLatency(const TransformerShape& shape, const GpuSpec& gpu,
                                   const EstimateOptions& options)
    : gpu_(gpu),
      options_(options),
      hidden_(shape.hidden),
      layers_(shape.layers),
      vocabulary_(shape.vocabulary) {
    const EngineShape& engine = options.engine;
    HEADROOM_CHECK(splits_over(shape, engine.tp), "the model does not split over so many ranks");
    HEADROOM_CHECK(engine.dtype != DType::fp8 || gpu.fp8_flops > 0, "the GPU computes no fp8");
    HEADROOM_CHECK(gpu.memory_bytes_per_s > 0 && gpu.bf16_flops > 0 &&
                       (engine.tp == 1 || gpu.link_bytes_per_s > 0),
                   "a GPU's rates must be positive");
    gemms_ = token_gemms(shape, engine.tp);
    lm_head_ = lm_head_gemm(shape, engine.tp);
    elementwise_ = elementwise_kernels(shape, engine);

    const double attention_rate = kAttentionFlopEfficiency * gpu.bf16_flops;
    const double kv_bytes =
        static_cast<double>(kv_bytes_per_token(shape, engine.kv_dtype, engine.tp).count());
    const double per_context_s = larger(kv_bytes / (kMemoryEfficiency * gpu.memory_bytes_per_s),
                                        decode_attention_flop(shape, engine.tp) / attention_rate);
    per_context_token_ =
        Duration::picoseconds(static_cast<std::int64_t>(std::floor(per_context_s * 1e12)));
    const double per_pair_s = prefill_attention_flop(shape, engine.tp) / attention_rate;
    prefill_attention_scaled_ = static_cast<std::int64_t>(
        std::floor(per_pair_s * 0.5e12 * static_cast<double>(1 << kFractionBits)));

    const std::int64_t tokens =
        std::min(engine.max_num_batched_tokens + engine.max_num_seqs, kLongestTable);
    const std::int64_t sampled = std::min(engine.max_num_seqs, kLongestTable);
    token_table_.reserve(static_cast<std::size_t>(tokens + 1));
    for (std::int64_t i = 0; i <= tokens; ++i) token_table_.push_back(of_tokens(i));
    sampled_table_.reserve(static_cast<std::size_t>(sampled + 1));
    for (std::int64_t i = 0; i <= sampled; ++i) sampled_table_.push_back(of_sampled(i));
}

IterationCost EstimatedLatency::iteration_cost(const IterationShape& shape) const {
    const auto look_up = [](const std::vector<Duration>& table, std::int64_t i) {
        return table[static_cast<std::size_t>(i)];
    };
    const std::int64_t tokens = shape.prefill_tokens + shape.decode_sequences;
    const std::int64_t sampled = shape.sampled_tokens;
    Duration fixed = tokens < static_cast<std::int64_t>(token_table_.size())
                         ? look_up(token_table_, tokens)
                         : of_tokens(tokens);
    fixed += sampled < static_cast<std::int64_t>(sampled_table_.size())
                 ? look_up(sampled_table_, sampled)
                 : of_sampled(sampled);
    fixed += attention_floor(shape) + host(shape);
    fixed += per_context_token_ * shape.decode_sequences;  // each new token attends to itself
    fixed += prefill_attention(shape.prefill_attention_doubled);
    return {std::max(fixed, Duration::picoseconds(1)), per_context_token_};
}

OperatorBreakdown EstimatedLatency::breakdown(const IterationShape& shape) const {
    const std::int64_t tokens = shape.prefill_tokens + shape.decode_sequences;
    OperatorBreakdown parts;
    parts.gemm = gemms(tokens);
    parts.elementwise = elementwise(tokens);
    parts.decode_attention = per_context_token_ * (shape.context_tokens + shape.decode_sequences);
    parts.prefill_attention = prefill_attention(shape.prefill_attention_doubled);
    (shape.decode_sequences > 0 ? parts.decode_attention : parts.prefill_attention) +=
        attention_floor(shape);
    parts.communication = all_reduces(tokens) + logits_gather(shape.sampled_tokens);
    parts.lm_head = lm_head(shape.sampled_tokens);
    parts.sampling = sampling(shape.sampled_tokens);
    parts.host = host(shape);
    return parts;
}

Duration EstimatedLatency::gemms(std::int64_t tokens) const {
    if (tokens == 0) return Duration::zero();
    double seconds = 0;
    for (const Gemm& gemm : gemms_) {
        seconds += static_cast<double>(gemm.count) *
                   gemm_seconds(gemm, tokens, gpu_, options_.engine.dtype);
    }
    return to_duration(seconds);
}

Duration EstimatedLatency::elementwise(std::int64_t tokens) const {
    if (tokens == 0) return Duration::zero();
    double seconds = 0;
    for (const ElementwiseKernel& kernel : elementwise_) {
        const double bytes = static_cast<double>(kernel.bytes_per_token * tokens);
        seconds += static_cast<double>(kernel.count) *
                   (kElementwiseFloorS + bytes / (kMemoryEfficiency * gpu_.memory_bytes_per_s));
    }
    return to_duration(seconds);
}

/// One for the embedding (split by vocabulary), two a layer.
Duration EstimatedLatency::all_reduces(std::int64_t tokens) const {
    const std::int64_t tp = options_.engine.tp;
    if (tokens == 0 || tp == 1) return Duration::zero();
    const double n = static_cast<double>(tp);
    const double rate =
        kReferenceAllReduceBytesPerS * (gpu_.link_bytes_per_s / kReferenceLinkBytesPerS);
    const double bytes = static_cast<double>(tokens * hidden_) * kActivationBytes;
    const double one = kLinkFloorS + 2.0 * (n - 1.0) / n * bytes / rate;
    return to_duration(static_cast<double>(2 * layers_ + 1) * one);
}

Duration EstimatedLatency::lm_head(std::int64_t sampled) const {
    if (sampled == 0) return Duration::zero();
    return to_duration(gemm_seconds(lm_head_, sampled, gpu_, options_.engine.dtype));
}

Duration EstimatedLatency::sampling(std::int64_t sampled) const {
    if (sampled == 0) return Duration::zero();
    const double bytes = static_cast<double>(sampled * vocabulary_) * kSamplingBytesPerLogit;
    return to_duration(kElementwiseFloorS + bytes / (kMemoryEfficiency * gpu_.memory_bytes_per_s));
}

/// Each rank has its part of the vocabulary; the sampler needs all of it. Half of an all-reduce.
Duration EstimatedLatency::logits_gather(std::int64_t sampled) const {
    const std::int64_t tp = options_.engine.tp;
    if (sampled == 0 || tp == 1) return Duration::zero();
    const double n = static_cast<double>(tp);
    const double rate =
        kReferenceAllReduceBytesPerS * (gpu_.link_bytes_per_s / kReferenceLinkBytesPerS);
    const double bytes = static_cast<double>(sampled * vocabulary_) * kActivationBytes;
    return to_duration(kLinkFloorS + (n - 1.0) / n * bytes / rate);
}

/// One launch a layer serves prefills and decodes together (variable-length attention).
Duration EstimatedLatency::attention_floor(const IterationShape& shape) const {
    const bool any = shape.decode_sequences > 0 || shape.prefill_tokens > 0;
    return any ? kAttentionFloor * layers_ : Duration::zero();
}

Duration EstimatedLatency::prefill_attention(std::int64_t attention_doubled) const {
    const Int128 scaled = static_cast<Int128>(prefill_attention_scaled_) * attention_doubled;
    return Duration::picoseconds(static_cast<std::int64_t>(scaled >> kFractionBits));
}

Duration EstimatedLatency::host(const IterationShape& shape) const {
    return options_.host_per_iteration +
           options_.host_per_sequence * (shape.decode_sequences + shape.prefill_chunks);
}

}  // namespace headroom::serving
