/// Every op of the benchmark, in the order in which they are measured. One more op: one more line
/// in all_ops.cu.
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

/// Those that the context's libraries allow; it needs no device to say so.
[[nodiscard]] std::vector<std::unique_ptr<Op>> all_ops(const Context& context);

}  // namespace headroom::kernels
