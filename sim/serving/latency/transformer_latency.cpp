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

void TransformerLatency::fill(Table& table, std::int64_t size) const {
    table.values.reserve(static_cast<std::size_t>(size + 1));
    table.values.push_back(Duration::zero());  // nothing to do, nothing launched
    for (std::int64_t i = 1; i <= size; ++i) {
        const Duration time = to_duration((this->*table.seconds_of)(i));
        table.values.push_back(std::max(table.values.back(), time));
    }
}

Duration TransformerLatency::at(const Table& table, std::int64_t i) const {
    if (i < static_cast<std::int64_t>(table.values.size())) {
        return table.values[static_cast<std::size_t>(i)];
    }
    return std::max(table.values.back(), to_duration((this->*table.seconds_of)(i)));
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
    for (Table* table : {&gemm_table_, &elementwise_table_, &all_reduce_table_}) {
        fill(*table, tokens);
    }
    for (Table* table : {&lm_head_table_, &sampling_table_, &gather_table_}) fill(*table, sampled);
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
    parts.gemm = at(gemm_table_, tokens);
    parts.elementwise = at(elementwise_table_, tokens);
    if (shape.decode_sequences > 0) {
        parts.decode_attention = attention_->decode(shape.decode_sequences, shape.context_tokens)
                                     .at(shape.context_tokens);
    }
    if (shape.prefill_tokens > 0) parts.prefill_attention = attention_->prefill(shape);
    parts.communication = at(all_reduce_table_, tokens) + at(gather_table_, sampled);
    parts.lm_head = at(lm_head_table_, sampled);
    parts.sampling = at(sampling_table_, sampled);
    parts.host = host(shape);
    return parts;
}

Duration TransformerLatency::of_tokens(std::int64_t tokens) const {
    return at(gemm_table_, tokens) + at(elementwise_table_, tokens) + at(all_reduce_table_, tokens);
}

Duration TransformerLatency::of_sampled(std::int64_t sampled) const {
    return at(lm_head_table_, sampled) + at(sampling_table_, sampled) + at(gather_table_, sampled);
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
