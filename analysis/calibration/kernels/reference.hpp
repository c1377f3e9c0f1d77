/// What the operators must compute, in float64 on the host, written to be obvious and not fast; and
/// the distance of a result from it. No CUDA here: built and tested on every machine.
///
///     const std::vector<double> y = reference::gemm(x, weights, {.m = 33, .n = 64, .k = 32}, 1.0);
///     relative_l2(widen_bf16(out), y) < 1e-2;
///
/// Matrices are rows of a std::vector, row after row. Formulas: RMSNorm as in Zhang and Sennrich
/// 2019, eq. 4; rotary embedding as in Su et al. 2021, eq. 34, with Llama's pairing of element i
/// with element i + head_size/2; SwiGLU as in Shazeer 2020, eq. 6 (beta = 1). The e4m3 number
/// format: Micikevicius et al. 2022, table 1. O(output) each, gemm O(m n k).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace headroom::kernels::reference {

/// The value of a bf16 number (the upper half of a float) and of an fp8 number (e4m3, bias 7, no
/// infinities, 0x7f and 0xff are NaN).
[[nodiscard]] double bf16_value(std::uint16_t bits);
[[nodiscard]] double e4m3_value(std::uint8_t bits);
[[nodiscard]] std::vector<double> widen_bf16(std::span<const std::uint16_t> bits);
[[nodiscard]] std::vector<double> widen_e4m3(std::span<const std::uint8_t> bits);

/// ||out - expected|| / ||expected||; NaN when an element of `out` is NaN or the sizes differ;
/// where all that is expected is 0: 0 when `out` is all 0 too, else infinite.
[[nodiscard]] double relative_l2(std::span<const double> out, std::span<const double> expected);

/// The greater of two distances; NaN when one of them is.
[[nodiscard]] double worse(double a, double b);

struct GemmSize {
    std::int64_t m = 0;  ///< rows of x: tokens
    std::int64_t n = 0;  ///< rows of the weights: features out
    std::int64_t k = 0;  ///< columns of both: features in
};

/// scale * x (m x k) times the transpose of the weights (n x k): m x n.
[[nodiscard]] std::vector<double> gemm(std::span<const double> x, std::span<const double> weights,
                                       const GemmSize& size, double scale);

struct Normalised {
    std::vector<double> out;       ///< (x + residual) / rms(x + residual) * weight
    std::vector<double> residual;  ///< x + residual
};
/// rms(v) = sqrt(mean of v_i^2 + epsilon), over each row of `weight.size()` elements.
[[nodiscard]] Normalised rmsnorm_residual(std::span<const double> x,
                                          std::span<const double> residual,
                                          std::span<const double> weight, double epsilon);

/// Rotates [tokens][heads][head_size] by the position of its token; tokens = positions.size().
[[nodiscard]] std::vector<double> rope(std::span<const double> x,
                                       std::span<const std::int32_t> positions, std::int64_t heads,
                                       std::int64_t head_size, double theta);

/// silu(gate) * up of rows that hold `width` gates, then `width` ups.
[[nodiscard]] std::vector<double> swiglu(std::span<const double> gate_up, std::int64_t width);

/// The column of the greatest element of each row of `width`; of equal ones the lowest.
[[nodiscard]] std::vector<std::int64_t> argmax(std::span<const double> rows, std::int64_t width);

}  // namespace headroom::kernels::reference
