/// LinearLatency: t = c0 + c1 P + c2 D + c3 K + c4 A, the five-coefficient form fitted to engine
/// logs and used by the reference cases. P prefill tokens, D decode sequences, K context tokens of
/// the decode sequences, A = sum over prefill chunks of n (context before + n/2). Coefficients are
/// whole picoseconds; c4 A is rounded down once per iteration (2 A is whole). The sum saturates.
#pragma once

#include <cstdint>

#include "sim/serving/latency/latency_model.hpp"

namespace headroom::serving {

struct LinearCoefficients {
    Duration per_iteration;          ///< c0 >= 1 ps
    Duration per_prefill_token;      ///< c1
    Duration per_decode_sequence;    ///< c2
    Duration per_context_token;      ///< c3
    Duration per_prefill_attention;  ///< c4
};

class LinearLatency final : public LatencyModel {
  public:
    explicit LinearLatency(const LinearCoefficients& c) : c_(c) {}

    [[nodiscard]] IterationCost iteration_cost(const IterationShape& shape) const override {
        std::int64_t prefill = 0;
        std::int64_t decode = 0;
        std::int64_t fixed = 0;
        bool over =
            __builtin_mul_overflow(c_.per_prefill_token.ps(), shape.prefill_tokens, &prefill);
        over |=
            __builtin_mul_overflow(c_.per_decode_sequence.ps(), shape.decode_sequences, &decode);
        over |= __builtin_add_overflow(c_.per_iteration.ps(), prefill, &fixed);
        over |= __builtin_add_overflow(fixed, decode, &fixed);
        if (shape.prefill_attention_doubled > 0) {
            const Int128 doubled = static_cast<Int128>(c_.per_prefill_attention.ps()) *
                                   shape.prefill_attention_doubled;
            over |= __builtin_add_overflow(fixed, doubled / 2, &fixed);
        }
        return {over ? Duration::max() : Duration::picoseconds(fixed), c_.per_context_token};
    }

  private:
    LinearCoefficients c_;
};

}  // namespace headroom::serving
