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

/// A thread for each of `count`.
Launch one_each(std::int64_t count, cudaStream_t stream) {
    return {.grid = blocks(count), .block = kThreads, .stream = stream};
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
    launch(one_each(count, stream), add_constant, values(to), count, static_cast<float>(constant));
}

void launch_pad_channels(const void* from, void* to, std::int64_t pixels, cudaStream_t stream) {
    launch(one_each(pixels, stream), pad_channels, values(from), vectors(to), pixels);
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
    launch(one_each(count, stream), max_pool, vectors(from), vectors(to), pool);
}

void launch_average_pool(const Pooling& shape, const void* from, void* to, cudaStream_t stream) {
    HEADROOM_CHECK(shape.channels % kLanes == 0, "channels must be a multiple of 8");
    const std::int64_t count = shape.channels / kLanes;
    const dim3 grid(blocks(count, kPoolVectors), static_cast<unsigned>(shape.batch));
    launch({.grid = grid, .block = dim3(kPoolVectors, kPoolRows), .stream = stream}, average_pool,
           vectors(from), vectors(to), static_cast<int>(shape.in_size * shape.in_size),
           static_cast<int>(count));
}

void launch_cut_patches(std::int64_t batch, std::int64_t side, const void* image, void* patches,
                        cudaStream_t stream) {
    const std::int64_t count = batch * side * side * kPatch * kPatchRowVectors;
    launch(one_each(count, stream), cut_patches, vectors(image), vectors(patches),
           static_cast<int>(batch), static_cast<int>(side));
}

void launch_embed(const Embedding& shape, const void* patches, const void* class_token,
                  const void* positions, void* x, cudaStream_t stream) {
    HEADROOM_CHECK(shape.width % kLanes == 0, "width must be a multiple of 8");
    const std::int64_t count = shape.width / kLanes;
    launch(one_each(shape.batch * shape.tokens * count, stream), embed, vectors(patches),
           vectors(class_token), vectors(positions), vectors(x), static_cast<int>(shape.batch),
           static_cast<int>(shape.tokens), static_cast<int>(count));
}

void launch_layer_norm(const Norm& shape, const void* x, const void* gain, const void* bias,
                       void* y, cudaStream_t stream) {
    HEADROOM_CHECK(shape.width % kLanes == 0 && shape.width <= kNormVectors * kWarp * kLanes,
                   "width must be a multiple of 8, at most 1024");
    launch({.grid = blocks(shape.rows, kNormWarps),
            .block = dim3(kWarp, kNormWarps),
            .stream = stream},
           layer_norm, vectors(x), vectors(gain), vectors(bias), vectors(y),
           static_cast<int>(shape.rows), static_cast<int>(shape.stride),
           static_cast<int>(shape.width / kLanes), static_cast<float>(shape.epsilon));
}

void launch_attention(const SelfAttention& shape, const void* qkv, void* out, cudaStream_t stream) {
    const dim3 grid(blocks(shape.tokens, kTileRows), static_cast<unsigned>(shape.heads),
                    static_cast<unsigned>(shape.batch));
    // 1 / sqrt(64), and e^x as 2^(x log2 e).
    const float scale = static_cast<float>(0.125 * std::numbers::log2e);
    launch({.grid = grid, .block = kAttentionThreads, .stream = stream}, vit_attention, values(qkv),
           values(out), static_cast<int>(shape.tokens), scale);
}

}  // namespace headroom::kernels::vision
