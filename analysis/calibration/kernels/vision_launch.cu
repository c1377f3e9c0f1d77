#include "analysis/calibration/kernels/vision_launch.hpp"

#include <numbers>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/vision_kernels.cuh"
#include "analysis/calibration/kernels/vit_attention.cuh"
#include "sim/core/check.hpp"

namespace headroom::kernels::vision {
namespace {

constexpr int kThreads = 256;

unsigned blocks(std::int64_t count, std::int64_t each = kThreads) {
    return static_cast<unsigned>((count + each - 1) / each);
}

const Vector* vectors(const void* pointer) {
    return static_cast<const Vector*>(pointer);
}
Vector* vectors(void* pointer) {
    return static_cast<Vector*>(pointer);
}
const __nv_bfloat16* values(const void* pointer) {
    return static_cast<const __nv_bfloat16*>(pointer);
}
__nv_bfloat16* values(void* pointer) {
    return static_cast<__nv_bfloat16*>(pointer);
}

}  // namespace

void launch_add_constant(void* to, std::int64_t count, double constant, cudaStream_t stream) {
    add_constant<<<blocks(count), kThreads, 0, stream>>>(values(to), count,
                                                         static_cast<float>(constant));
    require(cudaGetLastError(), "add_constant");
}

void launch_pad_channels(const void* from, void* to, std::int64_t pixels, cudaStream_t stream) {
    pad_channels<<<blocks(pixels), kThreads, 0, stream>>>(values(from), vectors(to), pixels);
    require(cudaGetLastError(), "pad_channels");
}

void launch_max_pool(const Pooling& shape, const void* from, void* to, cudaStream_t stream) {
    HEADROOM_CHECK(shape.channels % kLanes == 0, "channels must be a multiple of 8");
    const PoolShape pool{.batch = static_cast<int>(shape.batch),
                         .in_size = static_cast<int>(shape.in_size),
                         .out_size = static_cast<int>(shape.out_size),
                         .vectors = static_cast<int>(shape.channels / kLanes),
                         .kernel = static_cast<int>(shape.kernel),
                         .stride = static_cast<int>(shape.stride),
                         .padding = static_cast<int>(shape.padding)};
    const std::int64_t count = shape.batch * shape.out_size * shape.out_size * pool.vectors;
    max_pool<<<blocks(count), kThreads, 0, stream>>>(vectors(from), vectors(to), pool);
    require(cudaGetLastError(), "max_pool");
}

void launch_average_pool(const Pooling& shape, const void* from, void* to, cudaStream_t stream) {
    HEADROOM_CHECK(shape.channels % kLanes == 0, "channels must be a multiple of 8");
    const std::int64_t count = shape.channels / kLanes;
    const dim3 grid(blocks(count, kPoolVectors), static_cast<unsigned>(shape.batch));
    average_pool<<<grid, dim3(kPoolVectors, kPoolRows), 0, stream>>>(
        vectors(from), vectors(to), static_cast<int>(shape.in_size * shape.in_size),
        static_cast<int>(count));
    require(cudaGetLastError(), "average_pool");
}

void launch_cut_patches(std::int64_t batch, std::int64_t side, const void* image, void* patches,
                        cudaStream_t stream) {
    const std::int64_t count = batch * side * side * kPatch * kPatchRowVectors;
    cut_patches<<<blocks(count), kThreads, 0, stream>>>(
        vectors(image), vectors(patches), static_cast<int>(batch), static_cast<int>(side));
    require(cudaGetLastError(), "cut_patches");
}

void launch_embed(const Embedding& shape, const void* patches, const void* class_token,
                  const void* positions, void* x, cudaStream_t stream) {
    HEADROOM_CHECK(shape.width % kLanes == 0, "width must be a multiple of 8");
    const std::int64_t count = shape.width / kLanes;
    embed<<<blocks(shape.batch * shape.tokens * count), kThreads, 0, stream>>>(
        vectors(patches), vectors(class_token), vectors(positions), vectors(x),
        static_cast<int>(shape.batch), static_cast<int>(shape.tokens), static_cast<int>(count));
    require(cudaGetLastError(), "embed");
}

void launch_layer_norm(const Norm& shape, const void* x, const void* gain, const void* bias,
                       void* y, cudaStream_t stream) {
    HEADROOM_CHECK(shape.width % kLanes == 0 && shape.width <= kNormVectors * kWarp * kLanes,
                   "width must be a multiple of 8, at most 1024");
    layer_norm<<<blocks(shape.rows, kNormWarps), dim3(kWarp, kNormWarps), 0, stream>>>(
        vectors(x), vectors(gain), vectors(bias), vectors(y), static_cast<int>(shape.rows),
        static_cast<int>(shape.stride), static_cast<int>(shape.width / kLanes),
        static_cast<float>(shape.epsilon));
    require(cudaGetLastError(), "layer_norm");
}

void launch_attention(const SelfAttention& shape, const void* qkv, void* out, cudaStream_t stream) {
    const dim3 grid(blocks(shape.tokens, kTileRows), static_cast<unsigned>(shape.heads),
                    static_cast<unsigned>(shape.batch));
    // 1 / sqrt(64), and e^x as 2^(x log2 e).
    const float scale = static_cast<float>(0.125 * std::numbers::log2e);
    vit_attention<<<grid, kAttentionThreads, 0, stream>>>(values(qkv), values(out),
                                                          static_cast<int>(shape.tokens), scale);
    require(cudaGetLastError(), "vit_attention");
}

}  // namespace headroom::kernels::vision
