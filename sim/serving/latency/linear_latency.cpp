#include "sim/serving/latency/linear_latency.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::serving {

LinearLatency::LinearLatency(const LinearCoefficients& c,
                             const std::optional<MixtureOfExperts>& moe)
    : c_(c) {
    if (!moe || c.per_touched_expert <= Duration::zero()) return;
    HEADROOM_CHECK(moe->active >= 1 && moe->active <= moe->experts, "a token visits experts");
    const auto all = static_cast<double>(moe->experts);
    const auto each = static_cast<double>(c.per_touched_expert.ps());
    const double most = static_cast<double>(Duration::max().ps()) / 2;
    double touched = 0;
    for (std::int64_t tokens = 0; touched < all; ++tokens) {
        // The last bit of U may fall where U hardly rises.
        touched = std::max(touched, touched_experts(moe->experts, moe->active, tokens));
        expert_reads_.push_back(static_cast<std::int64_t>(std::min(each * touched, most)));
    }
}

IterationCost LinearLatency::iteration_cost(const IterationShape& shape) const {
    std::int64_t prefill = 0;
    std::int64_t decode = 0;
    std::int64_t fixed = 0;
    bool over = __builtin_mul_overflow(c_.per_prefill_token.ps(), shape.prefill_tokens, &prefill);
    over |= __builtin_mul_overflow(c_.per_decode_sequence.ps(), shape.decode_sequences, &decode);
    over |= __builtin_add_overflow(c_.per_iteration.ps(), prefill, &fixed);
    over |= __builtin_add_overflow(fixed, decode, &fixed);
    if (shape.prefill_attention_doubled > 0) {
        const Int128 doubled =
            static_cast<Int128>(c_.per_prefill_attention.ps()) * shape.prefill_attention_doubled;
        over |= __builtin_add_overflow(fixed, doubled / 2, &fixed);
    }
    if (!expert_reads_.empty()) {
        const auto last = static_cast<std::int64_t>(expert_reads_.size()) - 1;
        const std::int64_t tokens = std::min(shape.prefill_tokens + shape.decode_sequences, last);
        over |=
            __builtin_add_overflow(fixed, expert_reads_[static_cast<std::size_t>(tokens)], &fixed);
    }
    return {over ? Duration::max() : Duration::picoseconds(fixed), c_.per_context_token};
}

}  // namespace headroom::serving
