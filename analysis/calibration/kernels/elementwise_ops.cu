#include "analysis/calibration/kernels/elementwise_ops.hpp"

namespace headroom::kernels {

void add_elementwise_ops(const Context&, std::vector<std::unique_ptr<Op>>& ops) {
    ops.push_back(make_rmsnorm_residual());
    ops.push_back(make_rope_kv_append());
    ops.push_back(make_swiglu());
    ops.push_back(make_argmax());
}

}  // namespace headroom::kernels
