/// Matrix products through cuBLASLt, as a serving engine's linear layers run them.
///
///     y (m x n, bf16) = scale * x (m x k) W^T (n x k), both operands bf16, or both fp8 (e4m3) with
///     a scale for each tensor and fast accumulation
///
/// Seen by cuBLASLt, which counts columns first, W comes transposed and x as it is: the TN layout,
/// the only one that its fp8 kernels take on Hopper. fp8 runs m rounded up to a multiple of 16, the
/// alignment that cuBLASLt asks of fp8 matrices: an engine pads its batch likewise, so m = 1 costs
/// what m = 16 costs; work() counts the rows that were asked for. Of up to 8 algorithms that
/// cuBLASLt's heuristics propose within 32 MiB of workspace, prepare() times each for a moment and
/// keeps the fastest, as engines with autotuning do; the first one differs by a few per cent.
/// Weights rotate over Context::rotate_bytes of copies; x and y stay in one place: the layer before
/// has just written the one, and the layer after reads the other.
///
/// Shapes and their fields: gemm_shapes.hpp. DeviceError: cuBLASLt has no algorithm for the shape.
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

/// `gemm` in bf16 and fp8, `lm_head` in bf16.
void add_gemm_ops(const Context& context, std::vector<std::unique_ptr<Op>>& ops);

/// The number format of the operands.
enum class GemmType { bf16, fp8 };
/// `gemm` alone, for the ceilings and the anchor.
[[nodiscard]] std::unique_ptr<Op> make_gemm(GemmType type);

}  // namespace headroom::kernels
