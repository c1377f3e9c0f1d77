/// The memory-bound operators between the matrix products of a transformer, as own kernels:
///
///     rmsnorm_residual  residual' = x + residual; out = residual' / rms(residual') * weight
///     rope_kv_append    q rotated, k rotated and put into its page, v put into its page
///     swiglu            silu(gate) * up, of rows that hold the gates, then the ups
///     argmax            the column of the greatest logit of each row; of equal ones the lowest
///
/// bf16 in and out, sums in float, 16-byte accesses, several loads of a thread in flight before the
/// first is used. Pages hold 16 tokens, laid out [page][token][kv head][head_size], K and V apart,
/// as in vLLM; a block table says which page a sequence's n-th is. Inputs and outputs rotate
/// together over up to 64 sets: what is smaller than that (a few tokens) finds its 64 sets in the
/// L2 cache, as an engine's activations are found there. Work counts no operations: none of these
/// is short of arithmetic.
///
/// DeviceError: a width that is no multiple of 8, a head size that is no multiple of 16.
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

/// All four.
void add_elementwise_ops(const Context& context, std::vector<std::unique_ptr<Op>>& ops);

[[nodiscard]] std::unique_ptr<Op> make_rmsnorm_residual();
[[nodiscard]] std::unique_ptr<Op> make_rope_kv_append();
[[nodiscard]] std::unique_ptr<Op> make_swiglu();
[[nodiscard]] std::unique_ptr<Op> make_argmax();

}  // namespace headroom::kernels
