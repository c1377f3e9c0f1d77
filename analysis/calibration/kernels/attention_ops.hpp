/// The attention operators: decode_attention, and prefill_attention by the kernels `own` and, where
/// cuDNN is there and knows the graph, `cudnn`.
///
///     std::vector<std::unique_ptr<Op>> ops;
///     add_attention_ops(context, ops);
///
/// Never fails for want of cuDNN: its kernel is left out with a line on stderr.
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

void add_attention_ops(const Context& context, std::vector<std::unique_ptr<Op>>& ops);

}  // namespace headroom::kernels
