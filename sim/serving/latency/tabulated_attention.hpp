/// TabulatedAttention: measured attention as the engine's macro-steps need it: lines in whole
/// picoseconds between knots.
///
/// Decode: for every batch size D up to max_num_seqs a value at each knot of the context a
/// sequence, a quarter of an octave apart, and a whole-ps slope to the next, rounded down, so time
/// never falls over a knot. A row is never below the row of one sequence less. Past the last knot
/// the last line goes on.
///
/// Prefill: t(L), the time of a whole prompt, convex and piecewise linear, a sixteenth of an octave
/// between knots; a chunk of n tokens after p tokens costs t(p + n) - t(p), and an iteration the
/// launch once. Of several chunks the step's shape knows the sums only: they count as equal chunks
/// of the mean length and position, exact where they are.
///
/// Immutable; construction O(max_num_seqs * knots) calls of `decode_s`, O(knots) of `prefill_s`;
/// decode() and prefill() O(log knots).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/serving/latency/operator_times.hpp"

namespace headroom::serving {

/// Seconds, all layers. `decode_s(batch, context)`: each of `batch` sequences attends to `context`
/// >= 1 tokens. `prefill_s(tokens)`: one causal prompt.
struct AttentionSeconds {
    std::function<double(std::int64_t batch, double context)> decode_s;
    std::function<double(double tokens)> prefill_s;
};

class TabulatedAttention final : public AttentionTimes {
  public:
    /// `contexts` and `prompts` > 0: further knots, for what was measured there comes back as it
    /// was.
    TabulatedAttention(const AttentionSeconds& seconds, std::int64_t max_num_seqs,
                       const std::vector<std::int64_t>& contexts,
                       const std::vector<std::int64_t>& prompts);

    [[nodiscard]] IterationCost decode(std::int64_t sequences,
                                       std::int64_t context_tokens) const override;
    [[nodiscard]] Duration prefill(const IterationShape& shape) const override;

  private:
    struct Line {
        Duration at_knot;
        Duration slope;
    };

    void tabulate_decode(const AttentionSeconds& seconds);
    void tabulate_row(std::int64_t sequences, const std::vector<Duration>& values);
    void tabulate_prefill(const AttentionSeconds& seconds, const std::vector<std::int64_t>& knots);
    [[nodiscard]] double prompt_ps(double tokens) const;

    std::int64_t rows_;
    std::vector<std::int64_t> contexts_;  ///< knots: tokens computed by each sequence, from 0 on
    std::vector<Line> lines_;             ///< by sequences - 1, then knot
    std::vector<double> prompts_;         ///< knots of the prefill table, tokens, from 0 on
    std::vector<double> prompts_ps_;      ///< time above the launch: 0 at no tokens
    double launch_ps_ = 0;
};

}  // namespace headroom::serving
