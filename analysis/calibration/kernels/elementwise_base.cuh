/// What the element-wise ops share: 16-byte packs of 8 bf16 numbers, sets of a tensor in one
/// buffer, and what is the same of every such op.
#pragma once

#include <cuda_bf16.h>

#include <cstring>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"
#include "analysis/calibration/kernels/reference.hpp"

namespace headroom::kernels {

constexpr int kPack = 8;  ///< bf16 numbers in 16 bytes

__device__ inline void unpack(const uint4& pack, float (&values)[kPack]) {
    const unsigned words[4] = {pack.x, pack.y, pack.z, pack.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        values[2 * i] = __uint_as_float(words[i] << 16);
        values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
}

__device__ inline uint4 packed(const float (&values)[kPack]) {
    unsigned words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const __nv_bfloat162 pair = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
        words[i] = static_cast<unsigned>(__bfloat16_as_ushort(pair.x)) |
                   static_cast<unsigned>(__bfloat16_as_ushort(pair.y)) << 16;
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
}

/// A tensor of bf16 in as many copies as there are sets, each at a multiple of 256 bytes.
class TensorSets {
  public:
    TensorSets(std::int64_t elements, int sets)
        : elements_(static_cast<std::size_t>(elements)),
          each_(bytes_of(elements)),
          buffer_(each_ * static_cast<std::size_t>(sets)) {}

    [[nodiscard]] static std::size_t bytes_of(std::int64_t elements) {
        return (static_cast<std::size_t>(elements) * 2 + 255) / 256 * 256;
    }
    [[nodiscard]] uint4* at(int set) const {
        return reinterpret_cast<uint4*>(buffer_.as<unsigned char>() +
                                        static_cast<std::size_t>(set) * each_);
    }
    [[nodiscard]] const Buffer& buffer() const { return buffer_; }
    /// The values of one set, on the host.
    [[nodiscard]] std::vector<double> values(int set, cudaStream_t stream) const {
        std::vector<unsigned char> bytes(buffer_.bytes());
        buffer_.download(bytes.data(), bytes.size(), stream);
        std::vector<std::uint16_t> numbers(elements_);
        std::memcpy(numbers.data(), bytes.data() + static_cast<std::size_t>(set) * each_,
                    elements_ * 2);
        return reference::widen_bf16(numbers);
    }

  private:
    std::size_t elements_;
    std::size_t each_;
    Buffer buffer_;
};

class MemoryBoundOp : public Op {
  public:
    [[nodiscard]] std::string dtype() const override { return "bf16"; }
    [[nodiscard]] std::string kernel() const override { return "own"; }
    [[nodiscard]] Ceiling ceiling(const Shape&) const override { return Ceiling::memory; }
};

/// Every combination of both.
[[nodiscard]] inline std::vector<Shape> tokens_by_width(const std::vector<std::int64_t>& tokens,
                                                        const std::vector<std::int64_t>& widths) {
    std::vector<Shape> shapes;
    for (const std::int64_t width : widths) {
        for (const std::int64_t t : tokens) shapes.push_back({{"tokens", t}, {"width", width}});
    }
    return shapes;
}

}  // namespace headroom::kernels
