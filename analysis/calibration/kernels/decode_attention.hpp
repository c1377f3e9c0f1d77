/// decode_attention: one layer's attention of one new token for each of `batch` sequences, all at
/// the same context, over a paged KV cache: bf16, head size 128, 16 tokens a block, kernel `own`.
///
///     ops.push_back(make_decode_attention());
///
/// Shape: batch, context, query_heads, kv_heads, head_size (128); query_heads / kv_heads is from 1
/// to 16. Work: 4 * batch * context * query_heads * 128 flop; K, V, the block table, q and out once
/// each. The blocks lie shuffled, as after hours of serving. What a launch does, the layouts and
/// sources: decode_attention_kernel.cuh. Errors: DeviceError.
#pragma once

#include <memory>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] std::unique_ptr<Op> make_decode_attention();

}  // namespace headroom::kernels
