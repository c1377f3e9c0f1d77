/// A convolution with bias, residual and ReLU in one cuDNN kernel: bf16, NHWC, sums in float.
///
///     ConvolutionPlan plan(context, spec, operands, workspace);   // picks the fastest engine
///     ConvolutionCall call(plan, operands, workspace);            // binds the pointers
///     call.launch();                                              // asynchronous, no allocation
///
///     out = relu(convolution(image, weight) + residual + bias)
///
/// Through the backend API: one graph of convolution, adds and ReLU whose intermediate values stay
/// in float inside the kernel, so each output is rounded once. Engines come from cuDNN's heuristics
/// (mode A, then the fallback list); those whose arithmetic is less exact than a plain sum
/// (Winograd, FFT, reduced precision) are left out. Channels are multiples of 8, pointers 16-byte
/// aligned. The weight is [out][row][column][in]. Errors: DeviceError with cuDNN's reason. Source:
/// NVIDIA, cuDNN 9 backend documentation, "Graph API", "Supported graph patterns".
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "analysis/calibration/kernels/device.hpp"

namespace headroom::kernels {

/// Square maps and kernels.
struct ConvolutionSpec {
    std::int64_t batch = 1, size = 0;
    std::int64_t in_channels = 0, out_channels = 0;
    std::int64_t kernel = 1, stride = 1, padding = 0;
    bool residual = false, relu = false;
    friend auto operator<=>(const ConvolutionSpec&, const ConvolutionSpec&) = default;
};

struct ConvolutionOperands {
    const void* image = nullptr;
    const void* weight = nullptr;
    const void* bias = nullptr;
    const void* residual = nullptr;  ///< null without
    void* output = nullptr;
};

/// A handle of cuDNN's backend API, freed with the object. Defined in cudnn_convolution.cu.
class BackendDescriptor;

class ConvolutionPlan {
  public:
    /// Runs the candidates on `operands`, whose output is overwritten; none needs more than the
    /// workspace. The context must outlive the plan.
    ConvolutionPlan(const Context& context, const ConvolutionSpec& spec,
                    const ConvolutionOperands& operands, const Buffer& workspace);
    ConvolutionPlan(ConvolutionPlan&&) noexcept;
    ~ConvolutionPlan();

  private:
    friend class ConvolutionCall;
    cudnnContext* handle_;
    std::unique_ptr<BackendDescriptor> plan_;
};

class ConvolutionCall {
  public:
    /// The plan, the operands and the workspace must outlive the call.
    ConvolutionCall(const ConvolutionPlan& plan, const ConvolutionOperands& operands,
                    const Buffer& workspace);
    ConvolutionCall(ConvolutionCall&&) noexcept;
    ~ConvolutionCall();
    void launch() const;

  private:
    const ConvolutionPlan* plan_;
    std::unique_ptr<BackendDescriptor> operands_;
};

}  // namespace headroom::kernels
