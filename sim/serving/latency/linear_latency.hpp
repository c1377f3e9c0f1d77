/// LinearLatency: t = c0 + c1 P + c2 D + c3 K + c4 A + c5 U(P + D), the form fitted to engine logs
/// and, without c5, used by the reference cases. P prefill tokens, D decode sequences, K context
/// tokens of the decode sequences, A = sum over prefill chunks of n (context before + n/2).
///
/// U(T) is what is not linear, in a mixture of experts: how many experts T tokens touch
/// (transformer.hpp), each of whose weights are read once. Other models have none: U = 0.
///
/// Coefficients are whole picoseconds; c4 A is rounded down once per iteration (2 A is whole), and
/// so is c5 U. The sum saturates. O(1) an iteration; a table of U is made at construction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/serving/latency/latency_model.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::serving {

struct LinearCoefficients {
    Duration per_iteration;          ///< c0 >= 1 ps
    Duration per_prefill_token;      ///< c1
    Duration per_decode_sequence;    ///< c2
    Duration per_context_token;      ///< c3
    Duration per_prefill_attention;  ///< c4
    Duration per_touched_expert{};   ///< c5, of all layers together
};

class LinearLatency final : public LatencyModel {
  public:
    explicit LinearLatency(const LinearCoefficients& c,
                           const std::optional<MixtureOfExperts>& moe = std::nullopt);

    [[nodiscard]] IterationCost iteration_cost(const IterationShape& shape) const override;

  private:
    LinearCoefficients c_;
    std::vector<std::int64_t> expert_reads_;  ///< ps by tokens, up to all that are told apart
};

}  // namespace headroom::serving
