/// At which shapes attention is timed and checked. No CUDA here: the sweeps are tested everywhere.
///
///     for (const DecodeProblem& problem : decode_sweep(Mode::full)) ...
///
/// The full decode sweep has about 500 points: batch and context in powers of two, whole for the
/// head counts that serving meets most (a model on one device, or split over eight), thinned to a
/// 4 x 4 grid with its corners for the others; KV caches of at most 8 GB. The prefill sweep has
/// about 50. Quick sweeps are parts of the full ones.
#pragma once

#include <vector>

#include "analysis/calibration/kernels/attention_reference.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels::attention {

[[nodiscard]] std::vector<DecodeProblem> decode_sweep(Mode mode);
[[nodiscard]] std::vector<PrefillProblem> prefill_sweep(Mode mode);

/// Small ones with odd sizes, against the reference.
[[nodiscard]] std::vector<DecodeProblem> decode_check_problems();
[[nodiscard]] std::vector<PrefillProblem> prefill_check_problems();

[[nodiscard]] Shape to_shape(const DecodeProblem& problem);
[[nodiscard]] Shape to_shape(const PrefillProblem& problem);
[[nodiscard]] DecodeProblem decode_problem(const Shape& shape);
[[nodiscard]] PrefillProblem prefill_problem(const Shape& shape);

}  // namespace headroom::kernels::attention
