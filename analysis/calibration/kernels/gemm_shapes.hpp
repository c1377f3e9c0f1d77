/// At which shapes matrix products are timed. No CUDA here: a test holds the table against the
/// catalogue of models.
///
/// A shape is {m, n, k}: m tokens (m x k) times the transpose of a matrix of weights (n x k). The
/// full sweep takes all of m x n x k of the grid below, 500 points, for interpolation in their
/// logarithms; the quick one a thinner grid over the same range.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] std::vector<Shape> gemm_shapes(Mode mode);
[[nodiscard]] std::vector<Shape> gemm_check_shapes();

/// What turns hidden states into logits, for each distinct pair of a model of
/// scenarios/catalogue/models.json.
struct LmHead {
    std::int64_t vocabulary = 0;
    std::int64_t hidden = 0;
};
[[nodiscard]] const std::vector<LmHead>& lm_heads();

/// n = vocabulary, and in the full sweep also the eighth that one of 8 tensor-parallel GPUs has.
[[nodiscard]] std::vector<Shape> lm_head_shapes(Mode mode);
[[nodiscard]] std::vector<Shape> lm_head_check_shapes();

}  // namespace headroom::kernels
