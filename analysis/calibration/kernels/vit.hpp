/// `vit_b16`: one forward pass of ViT-B/16 at 224 x 224, bf16, random weights (their values do not
/// change the time): linear layers by cuBLASLt with bias, GELU and residual fused, own kernels for
/// patches, embedding, LayerNorm and attention. From NHWC images to the 1000 logits of the class
/// token.
///
///     ops.push_back(make_vit_b16_op());
///
/// A shape is {batch}; the checks' shapes add `image`, `width` and `depth`, see VitShape.
#pragma once

#include <memory>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] std::unique_ptr<Op> make_vit_b16_op();

}  // namespace headroom::kernels
