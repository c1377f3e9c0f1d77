/// Device code of the vision networks' small operators: pooling and channel padding of ResNet-50,
/// patches, embedding and LayerNorm of ViT. All are bound by memory: 16 bytes (8 channels) a load,
/// sums in float. bf16, NHWC; channels and widths are multiples of 8, pointers 16-byte aligned.
/// vision_launch.hpp says what each computes; it launches them.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace headroom::kernels::vision {

inline constexpr int kLanes = 8;  ///< bf16 values in 16 bytes

struct alignas(16) Vector {
    __nv_bfloat16 value[kLanes];
};

__device__ __forceinline__ void widen(const Vector& from, float (&to)[kLanes]) {
#pragma unroll
    for (int i = 0; i < kLanes; ++i) to[i] = __bfloat162float(from.value[i]);
}

__device__ __forceinline__ Vector narrow(const float (&from)[kLanes]) {
    Vector to;
#pragma unroll
    for (int i = 0; i < kLanes; ++i) to.value[i] = __float2bfloat16(from[i]);
    return to;
}

/// NaN if either is: an input that nobody wrote must not vanish.
__device__ __forceinline__ float max_or_nan(float greatest, float value) {
    return value > greatest || value != value ? value : greatest;
}

/// The thread's number in a one-dimensional grid.
__device__ __forceinline__ std::int64_t global_index() {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__global__ void add_constant(__nv_bfloat16* values, std::int64_t count, float constant) {
    const std::int64_t i = global_index();
    if (i < count) values[i] = __float2bfloat16(__bfloat162float(values[i]) + constant);
}

/// One thread a pixel: 3 channels become 8, the new ones 0.
__global__ void pad_channels(const __nv_bfloat16* from, Vector* to, std::int64_t pixels) {
    const std::int64_t pixel = global_index();
    if (pixel >= pixels) return;
    Vector padded;
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        padded.value[i] = i < 3 ? from[pixel * 3 + i] : __float2bfloat16(0.0f);
    }
    to[pixel] = padded;
}

struct PoolShape {
    int batch, in_size, out_size, vectors;  ///< vectors of 8 channels
    int kernel, stride, padding;
};

/// One thread an output position and 8 channels.
__global__ void max_pool(const Vector* from, Vector* to, PoolShape shape) {
    const std::int64_t index = global_index();
    const int area = shape.out_size * shape.out_size;
    if (index >= static_cast<std::int64_t>(shape.batch) * area * shape.vectors) return;
    const int vector = static_cast<int>(index % shape.vectors);
    const std::int64_t position = index / shape.vectors;
    const int image = static_cast<int>(position / area);
    const int out_y = static_cast<int>(position % area) / shape.out_size;
    const int out_x = static_cast<int>(position % area) % shape.out_size;
    float greatest[kLanes];
#pragma unroll
    for (int i = 0; i < kLanes; ++i) greatest[i] = -INFINITY;
    for (int r = 0; r < shape.kernel; ++r) {
        const int y = out_y * shape.stride - shape.padding + r;
        if (y < 0 || y >= shape.in_size) continue;
        for (int s = 0; s < shape.kernel; ++s) {
            const int x = out_x * shape.stride - shape.padding + s;
            if (x < 0 || x >= shape.in_size) continue;
            const std::int64_t pixel =
                (static_cast<std::int64_t>(image) * shape.in_size + y) * shape.in_size + x;
            float value[kLanes];
            widen(from[pixel * shape.vectors + vector], value);
#pragma unroll
            for (int i = 0; i < kLanes; ++i) greatest[i] = max_or_nan(greatest[i], value[i]);
        }
    }
    to[index] = narrow(greatest);
}

/// Threads of an average_pool block: kPoolVectors groups of 8 channels by kPoolRows pixels.
inline constexpr int kPoolVectors = 8, kPoolRows = 32;

/// A block an image (y) and kPoolVectors vectors (x); its rows share out the pixels and add up.
__global__ void average_pool(const Vector* from, Vector* to, int pixels, int vectors) {
    __shared__ float partial[kPoolRows][kPoolVectors][kLanes];
    const int vector = static_cast<int>(blockIdx.x) * kPoolVectors + static_cast<int>(threadIdx.x);
    const int row = static_cast<int>(threadIdx.y);
    float sum[kLanes] = {};
    if (vector < vectors) {
        const Vector* image = from + static_cast<std::int64_t>(blockIdx.y) * pixels * vectors;
        for (int pixel = row; pixel < pixels; pixel += kPoolRows) {
            float value[kLanes];
            widen(image[static_cast<std::int64_t>(pixel) * vectors + vector], value);
#pragma unroll
            for (int i = 0; i < kLanes; ++i) sum[i] += value[i];
        }
    }
#pragma unroll
    for (int i = 0; i < kLanes; ++i) partial[row][threadIdx.x][i] = sum[i];
    for (int half = kPoolRows / 2; half > 0; half /= 2) {
        __syncthreads();
        if (row >= half) continue;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
            partial[row][threadIdx.x][i] += partial[row + half][threadIdx.x][i];
        }
    }
    if (row > 0 || vector >= vectors) return;
    float mean[kLanes];
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        mean[i] = partial[0][threadIdx.x][i] / static_cast<float>(pixels);
    }
    to[static_cast<std::int64_t>(blockIdx.y) * vectors + vector] = narrow(mean);
}

/// Patches of 16 x 16 x 3: a patch row is 48 values, 6 vectors, contiguous in the image too.
inline constexpr int kPatch = 16, kPatchRowVectors = 6;

/// One thread a vector of the output [image][patch][row][column][channel].
__global__ void cut_patches(const Vector* image, Vector* patches, int batch, int side) {
    const std::int64_t index = global_index();
    const std::int64_t count =
        static_cast<std::int64_t>(batch) * side * side * kPatch * kPatchRowVectors;
    if (index >= count) return;
    const int vector = static_cast<int>(index % kPatchRowVectors);
    const int row = static_cast<int>(index / kPatchRowVectors % kPatch);
    const std::int64_t patch = index / (kPatchRowVectors * kPatch);
    const int patch_x = static_cast<int>(patch % side);
    const int patch_y = static_cast<int>(patch / side % side);
    const std::int64_t line = (patch / (side * side) * side + patch_y) * kPatch + row;
    patches[index] = image[(line * side + patch_x) * kPatchRowVectors + vector];
}

/// One thread a vector of x [image][token][width]: class token or patch, plus its position.
__global__ void embed(const Vector* patches, const Vector* class_token, const Vector* positions,
                      Vector* x, int batch, int tokens, int vectors) {
    const std::int64_t index = global_index();
    if (index >= static_cast<std::int64_t>(batch) * tokens * vectors) return;
    const int vector = static_cast<int>(index % vectors);
    const int token = static_cast<int>(index / vectors % tokens);
    const std::int64_t image = index / (static_cast<std::int64_t>(vectors) * tokens);
    const Vector* from = token == 0
                             ? class_token + vector
                             : patches + (image * (tokens - 1) + token - 1) * vectors + vector;
    float value[kLanes], position[kLanes];
    widen(*from, value);
    widen(positions[static_cast<std::int64_t>(token) * vectors + vector], position);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) value[i] += position[i];
    x[index] = narrow(value);
}

inline constexpr int kWarp = 32;
inline constexpr int kNormWarps = 4;    ///< rows that a layer_norm block takes
inline constexpr int kNormVectors = 4;  ///< vectors a lane keeps: width at most 4 * 32 * 8 = 1024

__device__ __forceinline__ float warp_sum(float value) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, step);
    }
    return value;
}

/// A warp a row, kept in registers: mean first, then the variance around it. Row i of the input
/// lies `stride` rows after row i - 1.
__global__ void layer_norm(const Vector* x, const Vector* gain, const Vector* bias, Vector* y,
                           int rows, int stride, int vectors, float epsilon) {
    const int row = static_cast<int>(blockIdx.x) * kNormWarps + static_cast<int>(threadIdx.y);
    if (row >= rows) return;
    const int lane = static_cast<int>(threadIdx.x);
    const Vector* from = x + static_cast<std::int64_t>(row) * stride * vectors;
    float value[kNormVectors][kLanes];
    float sum = 0;
#pragma unroll
    for (int v = 0; v < kNormVectors; ++v) {
        const int vector = v * kWarp + lane;
        if (vector < vectors) {
            widen(from[vector], value[v]);
        } else {
#pragma unroll
            for (int i = 0; i < kLanes; ++i) value[v][i] = 0;
        }
#pragma unroll
        for (int i = 0; i < kLanes; ++i) sum += value[v][i];
    }
    const float width = static_cast<float>(vectors * kLanes);
    const float mean = warp_sum(sum) / width;
    float squares = 0;
#pragma unroll
    for (int v = 0; v < kNormVectors; ++v) {
        if (v * kWarp + lane >= vectors) continue;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) squares += (value[v][i] - mean) * (value[v][i] - mean);
    }
    const float scale = rsqrtf(warp_sum(squares) / width + epsilon);
#pragma unroll
    for (int v = 0; v < kNormVectors; ++v) {
        const int vector = v * kWarp + lane;
        if (vector >= vectors) continue;
        float g[kLanes], b[kLanes];
        widen(gain[vector], g);
        widen(bias[vector], b);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) value[v][i] = (value[v][i] - mean) * scale * g[i] + b[i];
        y[static_cast<std::int64_t>(row) * vectors + vector] = narrow(value[v]);
    }
}

}  // namespace headroom::kernels::vision
