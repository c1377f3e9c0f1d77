#include "analysis/calibration/kernels/all_ops.hpp"

#include "analysis/calibration/kernels/attention_ops.hpp"
#include "analysis/calibration/kernels/elementwise_ops.hpp"
#include "analysis/calibration/kernels/gemm_ops.hpp"
#include "analysis/calibration/kernels/vision_ops.hpp"

namespace headroom::kernels {

std::vector<std::unique_ptr<Op>> all_ops(const Context& context) {
    std::vector<std::unique_ptr<Op>> ops;
    add_gemm_ops(context, ops);
    add_elementwise_ops(context, ops);
    add_attention_ops(context, ops);
    add_vision_ops(context, ops);
    return ops;
}

}  // namespace headroom::kernels
