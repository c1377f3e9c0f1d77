// cuDNN's part on the emulated GPU: what analysis/calibration/kernels/cudnn_convolution.hpp
// promises, by the float64 reference, rounded once.
#include "analysis/calibration/kernels/cudnn_convolution.hpp"

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "analysis/calibration/kernels/reference.hpp"
#include "analysis/calibration/kernels/vision_reference.hpp"
#include "sim/core/check.hpp"

namespace headroom::kernels {

/// What is to be done, and with what.
class BackendDescriptor {
  public:
    BackendDescriptor(const ConvolutionSpec& spec, const ConvolutionOperands& operands,
                      cudaStream_t stream)
        : spec_(spec), operands_(operands), stream_(stream) {}

    void run() const {
        emulation::enqueue(stream_, emulation::kLaunchSeconds, [*this] { convolve(); });
    }
    [[nodiscard]] BackendDescriptor with(const ConvolutionOperands& operands) const {
        return {spec_, operands, stream_};
    }

  private:
    void convolve() const {
        const std::int64_t out_size =
            (spec_.size + 2 * spec_.padding - spec_.kernel) / spec_.stride + 1;
        const std::int64_t weights =
            spec_.out_channels * spec_.kernel * spec_.kernel * spec_.in_channels;
        const std::int64_t out = spec_.batch * out_size * out_size * spec_.out_channels;
        const reference::Values values = reference::convolution(
            {.batch = spec_.batch,
             .size = spec_.size,
             .in_channels = spec_.in_channels,
             .out_channels = spec_.out_channels,
             .kernel = spec_.kernel,
             .stride = spec_.stride,
             .padding = spec_.padding,
             .relu = spec_.relu},
            widened(operands_.image, spec_.batch * spec_.size * spec_.size * spec_.in_channels),
            widened(operands_.weight, weights), widened(operands_.bias, spec_.out_channels),
            spec_.residual ? widened(operands_.residual, out) : reference::Values());
        std::transform(values.begin(), values.end(), static_cast<__nv_bfloat16*>(operands_.output),
                       [](double value) { return __float2bfloat16(static_cast<float>(value)); });
    }

    static reference::Values widened(const void* values, std::int64_t count) {
        return reference::widen_bf16(
            {static_cast<const std::uint16_t*>(values), static_cast<std::size_t>(count)});
    }

    ConvolutionSpec spec_;
    ConvolutionOperands operands_;
    cudaStream_t stream_;
};

ConvolutionPlan::ConvolutionPlan(const Context& context, const ConvolutionSpec& spec,
                                 const ConvolutionOperands& operands, const Buffer&)
    : handle_(context.cudnn),
      plan_(std::make_unique<BackendDescriptor>(spec, operands, context.stream)) {
    HEADROOM_CHECK(handle_ != nullptr, "the library must be open");
    HEADROOM_CHECK(spec.in_channels % 8 == 0 && spec.out_channels % 8 == 0,
                   "channels must be multiples of 8");
    plan_->run();  // as candidates are tried: the output is overwritten
}
ConvolutionPlan::ConvolutionPlan(ConvolutionPlan&&) noexcept = default;
ConvolutionPlan::~ConvolutionPlan() = default;

ConvolutionCall::ConvolutionCall(const ConvolutionPlan& plan, const ConvolutionOperands& operands,
                                 const Buffer&)
    : plan_(&plan), operands_(std::make_unique<BackendDescriptor>(plan_->plan_->with(operands))) {}
ConvolutionCall::ConvolutionCall(ConvolutionCall&&) noexcept = default;
ConvolutionCall::~ConvolutionCall() = default;

void ConvolutionCall::launch() const {
    operands_->run();
}

}  // namespace headroom::kernels
