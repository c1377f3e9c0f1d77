/// Every op of the benchmark, in the order in which they are measured: what a profile cannot be
/// fitted without first, then cuDNN's, whose kernels are compiled for each point, so that a run
/// that is cut short can be fitted. One more op: one more line in all_ops.cu.
#pragma once

#include <memory>
#include <vector>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

/// Those that the context's libraries allow; it needs no device to say so.
[[nodiscard]] std::vector<std::unique_ptr<Op>> all_ops(const Context& context);

}  // namespace headroom::kernels
