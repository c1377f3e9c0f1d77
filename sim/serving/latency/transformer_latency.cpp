#include "sim/serving/latency/transformer_latency.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"

namespace headroom::serving {

namespace {

constexpr double kActivationBytes = 2;
// Of one logit: bf16 read, float32 written, read by the sampler.
constexpr double kSamplingBytesPerLogit = 10;
// Tables longer than this only cost memory: past them the same functions are evaluated.
constexpr std::int64_t kLongestTable = 1 << 17;

[[nodiscard]] Duration to_duration(double seconds) {
    return Duration::picoseconds(std::llround(seconds * 1e12));
}

}  // namespace

template <class Fn>
void TransformerLatency::Table::fill(std::int64_t size, Fn&& seconds_of) {
    values_.reserve(static_cast<std::size_t>(size + 1));
    values_.push_back(Duration::zero());  // nothing to do, nothing launched
    for (std::int64_t i = 1; i <= size; ++i) {
        values_.push_back(std::max(values_.back(), to_duration(seconds_of(i))));
    }
}

Duration TransformerLatency::Table::at(std::int64_t i, double seconds_beyond) const {
    return holds(i) ? (*this)[i] : std::max(values_.back(), to_duration(seconds_beyond));
}

TransformerLatency::TransformerLatency(const TransformerShape& shape,
                                       std::shared_ptr<const OperatorTimes> operators,
                                       const TransformerOptions& options)
    : operators_(std::move(operators)),
      options_(options),
      hidden_(shape.hidden),
      layers_(shape.layers),
      vocabulary_(shape.vocabulary) {
    const EngineShape& engine = options.engine;
    HEADROOM_CHECK(splits_over(shape, engine.tp), "the model does not split over so many ranks");
    gemms_ = token_gemms(shape, engine.tp);
    lm_head_ = lm_head_gemm(shape, engine.tp);
    elementwise_ = elementwise_kernels(shape, engine);
    attention_ = operators_->attention(attention_work(shape, engine), engine);

    const std::int64_t tokens =
        std::min(engine.max_num_batched_tokens + engine.max_num_seqs, kLongestTable);
    const std::int64_t sampled = std::min(engine.max_num_seqs, kLongestTable);
    gemm_table_.fill(tokens, [this](std::int64_t i) { return gemm_seconds(i); });
    elementwise_table_.fill(tokens, [this](std::int64_t i) { return elementwise_seconds(i); });
    all_reduce_table_.fill(tokens, [this](std::int64_t i) { return all_reduce_seconds(i); });
    lm_head_table_.fill(sampled, [this](std::int64_t i) { return lm_head_seconds(i); });
    sampling_table_.fill(sampled, [this](std::int64_t i) { return sampling_seconds(i); });
    gather_table_.fill(sampled, [this](std::int64_t i) { return gather_seconds(i); });
    for (std::int64_t i = 0; i <= tokens; ++i) token_table_.push_back(of_tokens(i));
    for (std::int64_t i = 0; i <= sampled; ++i) sampled_table_.push_back(of_sampled(i));
}

IterationCost TransformerLatency::iteration_cost(const IterationShape& shape) const {
    const auto look_up = [](const std::vector<Duration>& table, std::int64_t i) {
        return table[static_cast<std::size_t>(i)];
    };
    const std::int64_t tokens = shape.prefill_tokens + shape.decode_sequences;
    const std::int64_t sampled = shape.sampled_tokens;
    IterationCost cost;
    if (shape.decode_sequences > 0) {
        cost = attention_->decode(shape.decode_sequences, shape.context_tokens);
    }
    cost.fixed += tokens < static_cast<std::int64_t>(token_table_.size())
                      ? look_up(token_table_, tokens)
                      : of_tokens(tokens);
    cost.fixed += sampled < static_cast<std::int64_t>(sampled_table_.size())
                      ? look_up(sampled_table_, sampled)
                      : of_sampled(sampled);
    cost.fixed += host(shape);
    if (shape.prefill_tokens > 0) cost.fixed += attention_->prefill(shape);
    cost.fixed = std::max(cost.fixed, Duration::picoseconds(1));
    return cost;
}

OperatorBreakdown TransformerLatency::breakdown(const IterationShape& shape) const {
    const std::int64_t tokens = shape.prefill_tokens + shape.decode_sequences;
    const std::int64_t sampled = shape.sampled_tokens;
    OperatorBreakdown parts;
    parts.gemm = gemm_table_.at(tokens, gemm_seconds(tokens));
    parts.elementwise = elementwise_table_.at(tokens, elementwise_seconds(tokens));
    if (shape.decode_sequences > 0) {
        parts.decode_attention = attention_->decode(shape.decode_sequences, shape.context_tokens)
                                     .at(shape.context_tokens);
    }
    if (shape.prefill_tokens > 0) parts.prefill_attention = attention_->prefill(shape);
    parts.communication = all_reduce_table_.at(tokens, all_reduce_seconds(tokens)) +
                          gather_table_.at(sampled, gather_seconds(sampled));
    parts.lm_head = lm_head_table_.at(sampled, lm_head_seconds(sampled));
    parts.sampling = sampling_table_.at(sampled, sampling_seconds(sampled));
    parts.host = host(shape);
    return parts;
}

Duration TransformerLatency::of_tokens(std::int64_t tokens) const {
    if (gemm_table_.holds(tokens)) {
        return gemm_table_[tokens] + elementwise_table_[tokens] + all_reduce_table_[tokens];
    }
    return gemm_table_.at(tokens, gemm_seconds(tokens)) +
           elementwise_table_.at(tokens, elementwise_seconds(tokens)) +
           all_reduce_table_.at(tokens, all_reduce_seconds(tokens));
}

Duration TransformerLatency::of_sampled(std::int64_t sampled) const {
    if (lm_head_table_.holds(sampled)) {
        return lm_head_table_[sampled] + sampling_table_[sampled] + gather_table_[sampled];
    }
    return lm_head_table_.at(sampled, lm_head_seconds(sampled)) +
           sampling_table_.at(sampled, sampling_seconds(sampled)) +
           gather_table_.at(sampled, gather_seconds(sampled));
}

double TransformerLatency::gemm_seconds(std::int64_t tokens) const {
    double seconds = 0;
    for (const Gemm& gemm : gemms_) {
        seconds +=
            static_cast<double>(gemm.count) * operators_->gemm(gemm, tokens, options_.engine.dtype);
    }
    return seconds;
}

double TransformerLatency::elementwise_seconds(std::int64_t tokens) const {
    double seconds = 0;
    for (const ElementwiseKernel& kernel : elementwise_) {
        const double bytes = static_cast<double>(kernel.bytes_per_token * tokens);
        seconds += static_cast<double>(kernel.count) * operators_->elementwise(kernel.kind, bytes);
    }
    return seconds;
}

/// One for the embedding (split by vocabulary), two a layer.
double TransformerLatency::all_reduce_seconds(std::int64_t tokens) const {
    if (options_.engine.tp == 1) return 0;
    const double bytes = static_cast<double>(tokens * hidden_) * kActivationBytes;
    return static_cast<double>(2 * layers_ + 1) * operators_->all_reduce(bytes, options_.engine.tp);
}

double TransformerLatency::lm_head_seconds(std::int64_t sampled) const {
    return operators_->lm_head(lm_head_, sampled);
}

double TransformerLatency::sampling_seconds(std::int64_t sampled) const {
    const double bytes = static_cast<double>(sampled * vocabulary_) * kSamplingBytesPerLogit;
    return operators_->elementwise(ElementwiseKind::sampling, bytes);
}

/// Each rank has its part of the vocabulary; the sampler needs all of it.
double TransformerLatency::gather_seconds(std::int64_t sampled) const {
    if (options_.engine.tp == 1) return 0;
    const double bytes = static_cast<double>(sampled * vocabulary_) * kActivationBytes;
    return operators_->all_gather(bytes, options_.engine.tp);
}

Duration TransformerLatency::host(const IterationShape& shape) const {
    return options_.host_per_iteration +
           options_.host_per_sequence * (shape.decode_sequences + shape.prefill_chunks);
}

}  // namespace headroom::serving
