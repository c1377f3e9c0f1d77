/// What the vision ops share: a network's parameters on the device, their way to the reference, and
/// how much work and memory a network is. For CUDA translation units.
///
///     DeviceParameters weights(network.parameters, seed, stream);
///     launch(weights.data(Vit::qkv_weight), ...);
///     reference::run(network, weights.download(stream), image);
///
/// All values are bf16; a tensor is a Buffer of its own, so each is aligned to 256 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"
#include "analysis/calibration/kernels/vision_network.hpp"
#include "analysis/calibration/kernels/vision_reference.hpp"

namespace headroom::kernels {

inline constexpr std::int64_t kBf16Bytes = 2;

/// Room for `count` bf16 values.
[[nodiscard]] Buffer make_tensor(std::int64_t count);
/// What make_tensor takes from the device: cudaMalloc gives whole units of 512 bytes.
[[nodiscard]] std::size_t tensor_bytes(std::int64_t count);
/// The first `count` values of a buffer; waits for the stream.
[[nodiscard]] reference::Values download_values(const Buffer& buffer, std::int64_t count,
                                                cudaStream_t stream);

class DeviceParameters {
  public:
    /// Random, as each tensor says; the same for the same seed.
    DeviceParameters(const std::vector<ParameterTensor>& parameters, std::uint64_t seed,
                     cudaStream_t stream);
    [[nodiscard]] const void* data(std::size_t index) const { return tensors_.at(index).data(); }
    [[nodiscard]] std::vector<reference::Values> download(cudaStream_t stream) const;
    [[nodiscard]] static std::size_t bytes(const std::vector<ParameterTensor>& parameters);

  private:
    std::vector<Buffer> tensors_;
};

/// The least work of one pass: parameters and images read, logits written, once each.
[[nodiscard]] Work network_work(std::int64_t multiply_adds, std::int64_t parameters,
                                std::int64_t image_values, std::int64_t logits);
/// The one of the two ceilings, memory or bf16, that a network's least work runs into.
[[nodiscard]] Ceiling network_ceiling(const Work& work);

/// The greater relative error of features and logits; NaN where either is.
[[nodiscard]] double network_error(const reference::NetworkOutput& out,
                                   const reference::NetworkOutput& expected);

/// batch = 1, 2, 4 .. 128, or 1, 8, 64.
[[nodiscard]] std::vector<Shape> batch_shapes(Mode mode);
/// A field of the shape, or what the full network has where the shape does not say.
[[nodiscard]] std::int64_t field_or(const Shape& shape, const char* name, std::int64_t full);

}  // namespace headroom::kernels
