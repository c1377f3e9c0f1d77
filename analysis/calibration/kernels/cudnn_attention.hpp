/// prefill_attention by cuDNN, kernel `cudnn`: the rival of the kernel `own`, of the same shapes
/// and inputs. Needs cuDNN 9.1 or later; compiled where HEADROOM_CUDNN is defined.
///
///     if (std::unique_ptr<Op> op = make_cudnn_attention(context)) ops.push_back(std::move(op));
///
/// Null, with a line on stderr, when the library was not opened or has no engine for causal
/// attention on this device; a shape for which it has none is left out of shapes(), likewise said.
/// Errors afterwards: DeviceError with cuDNN's own words.
/// Source: cuDNN developer guide, "Fused attention fprop" and the graph API's reference.
#pragma once

#include <memory>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] std::unique_ptr<Op> make_cudnn_attention(const Context& context);

}  // namespace headroom::kernels
