#include "analysis/calibration/kernels/vision_ops.hpp"

#include "analysis/calibration/kernels/resnet50.hpp"
#include "analysis/calibration/kernels/vit.hpp"

namespace headroom::kernels {

void add_vision_ops([[maybe_unused]] const Context& context,
                    std::vector<std::unique_ptr<Op>>& ops) {
#ifdef HEADROOM_CUDNN
    if (context.cudnn != nullptr) ops.push_back(make_resnet50_op());
#endif
    ops.push_back(make_vit_b16_op());
}

}  // namespace headroom::kernels
