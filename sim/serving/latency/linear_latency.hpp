/// LinearLatency: t = c0 + c1 P + c2 D + c3 K + c4 A, the five-coefficient form fitted to engine
/// logs and used by the reference cases. P prefill tokens, D decode sequences, K context tokens of
/// the decode sequences, A = sum over prefill chunks of n (context before + n/2). Coefficients are
/// whole picoseconds; c4 A is rounded down once per iteration (2 A is whole).
#pragma once

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
        Duration fixed = c_.per_iteration + c_.per_prefill_token * shape.prefill_tokens +
                         c_.per_decode_sequence * shape.decode_sequences;
        if (shape.prefill_attention_doubled > 0) {
            const Int128 doubled = static_cast<Int128>(c_.per_prefill_attention.ps()) *
                                   shape.prefill_attention_doubled;
            fixed += Duration::picoseconds(static_cast<std::int64_t>(doubled / 2));
        }
        return {fixed, c_.per_context_token};
    }

  private:
    LinearCoefficients c_;
};

}  // namespace headroom::serving
