#include "analysis/calibration/kernels/attention_ops.hpp"

#include <utility>

#include "analysis/calibration/kernels/decode_attention.hpp"
#include "analysis/calibration/kernels/prefill_attention.hpp"

#ifdef HEADROOM_CUDNN
#include "analysis/calibration/kernels/cudnn_attention.hpp"
#endif

namespace headroom::kernels {

void add_attention_ops([[maybe_unused]] const Context& context,
                       std::vector<std::unique_ptr<Op>>& ops) {
    ops.push_back(make_decode_attention());
    ops.push_back(make_prefill_attention());
#ifdef HEADROOM_CUDNN
    if (std::unique_ptr<Op> op = make_cudnn_attention(context)) ops.push_back(std::move(op));
#endif
}

}  // namespace headroom::kernels
