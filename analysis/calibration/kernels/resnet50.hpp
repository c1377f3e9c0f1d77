/// `resnet50`: one forward pass of ResNet-50 v1.5 with cuDNN's fused convolutions, bf16, NHWC,
/// 224 x 224, random weights (their values do not change the time). A launch takes images of three
/// channels, pads them to eight, and ends at the 1000 logits; nothing is left out.
///
///     if (context.cudnn != nullptr) ops.push_back(make_resnet50_op());
///
/// A shape is {batch}; the checks' shapes add `image`, `width` (channels of the first convolution)
/// and `blocks` (most of a stage), see ResNetShape. Exists where HEADROOM_CUDNN is defined.
#pragma once

#include <memory>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] std::unique_ptr<Op> make_resnet50_op();

}  // namespace headroom::kernels
