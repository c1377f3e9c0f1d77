/// The whole networks of the benchmark: `resnet50` (where cuDNN is there) and `vit_b16`.
///
///     std::vector<std::unique_ptr<Op>> ops;
///     add_vision_ops(context, ops);
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

void add_vision_ops(const Context& context, std::vector<std::unique_ptr<Op>>& ops);

}  // namespace headroom::kernels
