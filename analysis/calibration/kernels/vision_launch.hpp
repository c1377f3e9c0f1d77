/// Launches of the vision networks' own kernels (vision_kernels.cuh, vit_attention.cuh) on a
/// stream; a launch that CUDA refuses throws DeviceError. All pointers are bf16 on the device,
/// 16-byte aligned, NHWC. For CUDA translation units.
///
///     launch_layer_norm({.rows = tokens, .width = 768}, x, gain, bias, y, stream);
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace headroom::kernels::vision {

/// values[i] += constant.
void launch_add_constant(void* values, std::int64_t count, double constant, cudaStream_t stream);
/// [pixels][3] -> [pixels][8], zeros behind: what tensor cores read.
inline constexpr std::int64_t kPaddedChannels = 8;
void launch_pad_channels(const void* from, void* to, std::int64_t pixels, cudaStream_t stream);

struct Pooling {
    std::int64_t batch, in_size, out_size, channels;  ///< channels a multiple of 8
    std::int64_t kernel, stride, padding;
};
void launch_max_pool(const Pooling& shape, const void* from, void* to, cudaStream_t stream);
/// Over the whole map.
void launch_average_pool(const Pooling& shape, const void* from, void* to, cudaStream_t stream);

/// [batch][16 side][16 side][3] -> [batch][side^2][16][16][3].
void launch_cut_patches(std::int64_t batch, std::int64_t side, const void* image, void* patches,
                        cudaStream_t stream);

struct Embedding {
    std::int64_t batch, tokens, width;  ///< width a multiple of 8
};
/// x[image][0] = class_token + positions[0], x[image][1 + p] = patches[image][p] + positions[1 +
/// p].
void launch_embed(const Embedding& shape, const void* patches, const void* class_token,
                  const void* positions, void* x, cudaStream_t stream);

struct Norm {
    std::int64_t rows, width;  ///< width a multiple of 8, at most 1024
    std::int64_t stride = 1;   ///< row i of y is normalised from row i * stride of x
    double epsilon = 1e-6;
};
void launch_layer_norm(const Norm& shape, const void* x, const void* gain, const void* bias,
                       void* y, cudaStream_t stream);

struct SelfAttention {
    std::int64_t batch, tokens, heads;  ///< heads of 64
};
/// softmax(q k' / 8) v from qkv [batch][tokens][3][heads][64] to out [batch][tokens][heads][64].
void launch_attention(const SelfAttention& shape, const void* qkv, void* out, cudaStream_t stream);

}  // namespace headroom::kernels::vision
