#include <cmath>
#include <utility>

#include "analysis/calibration/kernels/reference.hpp"
#include "analysis/calibration/kernels/vision_launch.hpp"
#include "analysis/calibration/kernels/vision_tensors.hpp"

namespace headroom::kernels {
namespace {

constexpr std::size_t kAllocationUnit = 512;
// Flop a byte at which Hopper's tensor cores and its memory take equally long: about 800 TFLOP/s
// against 3.0 (H100) to 4.2 TB/s (H200).
constexpr double kRidge = 230;

}  // namespace

Buffer make_tensor(std::int64_t count) {
    return Buffer(static_cast<std::size_t>(count * kBf16Bytes));
}

std::size_t tensor_bytes(std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count * kBf16Bytes);
    return (bytes + kAllocationUnit - 1) / kAllocationUnit * kAllocationUnit;
}

reference::Values download_values(const Buffer& buffer, std::int64_t count, cudaStream_t stream) {
    std::vector<std::uint16_t> bits(static_cast<std::size_t>(count));
    buffer.download(bits.data(), bits.size() * sizeof bits[0], stream);
    return reference::widen_bf16(bits);
}

DeviceParameters::DeviceParameters(const std::vector<ParameterTensor>& parameters,
                                   std::uint64_t seed, cudaStream_t stream) {
    for (const ParameterTensor& tensor : parameters) {
        Buffer buffer = make_tensor(tensor.count);
        // An odd factor apart: neighbouring seeds share no tensor.
        const std::uint64_t own = seed + (tensors_.size() + 1) * 0x9e3779b97f4a7c15u;
        fill_bf16(buffer, own, static_cast<float>(tensor.deviation), stream);
        if (tensor.mean != 0) {
            vision::launch_add_constant(buffer.data(), tensor.count, tensor.mean, stream);
        }
        tensors_.push_back(std::move(buffer));
    }
}

std::vector<reference::Values> DeviceParameters::download(cudaStream_t stream) const {
    std::vector<reference::Values> values;
    for (const Buffer& tensor : tensors_) {
        const std::int64_t count = static_cast<std::int64_t>(tensor.bytes()) / kBf16Bytes;
        values.push_back(download_values(tensor, count, stream));
    }
    return values;
}

std::size_t DeviceParameters::bytes(const std::vector<ParameterTensor>& parameters) {
    std::size_t bytes = 0;
    for (const ParameterTensor& tensor : parameters) bytes += tensor_bytes(tensor.count);
    return bytes;
}

Work network_work(std::int64_t multiply_adds, std::int64_t parameters, std::int64_t image_values,
                  std::int64_t logits) {
    return {.flop = 2 * static_cast<double>(multiply_adds),
            .bytes = static_cast<double>((parameters + image_values + logits) * kBf16Bytes)};
}

Ceiling network_ceiling(const Work& work) {
    return work.flop > kRidge * work.bytes ? Ceiling::bf16 : Ceiling::memory;
}

double network_error(const reference::NetworkOutput& out,
                     const reference::NetworkOutput& expected) {
    const double features = reference::relative_l2(out.features, expected.features);
    const double logits = reference::relative_l2(out.logits, expected.logits);
    return std::isnan(features) || features > logits ? features : logits;
}

std::vector<Shape> batch_shapes(Mode mode) {
    std::vector<Shape> shapes;
    const std::int64_t factor = mode == Mode::quick ? 8 : 2;
    for (std::int64_t batch = 1; batch <= 128; batch *= factor)
        shapes.push_back({{"batch", batch}});
    return shapes;
}

std::int64_t field_or(const Shape& shape, const char* name, std::int64_t full) {
    const std::int64_t value = field(shape, name);
    return value > 0 ? value : full;
}

}  // namespace headroom::kernels
