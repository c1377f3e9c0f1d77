#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <algorithm>
#include <utility>

#include "analysis/calibration/kernels/device.hpp"

namespace headroom::kernels {

namespace {

constexpr int kFillThreads = 256;
constexpr std::int64_t kFillBlocks = 132 * 16;  // the grid strides over the rest
constexpr int kChunkBytes = 16;

// Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// 2011.
__device__ uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned high0 = __umulhi(0xD2511F53u, counter.x);
        const unsigned low0 = 0xD2511F53u * counter.x;
        const unsigned high1 = __umulhi(0xCD9E8D57u, counter.z);
        const unsigned low1 = 0xCD9E8D57u * counter.z;
        counter = make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return counter;
}

/// Box and Muller: two normal numbers from two words. The logarithm is of (0, 1], so never -inf.
__device__ float2 normal_pair(unsigned a, unsigned b) {
    const float u = (static_cast<float>(a >> 8) + 0.5f) * 0x1p-24f;
    const float turns = static_cast<float>(b >> 8) * 0x1p-23f;  // of half a circle
    const float radius = sqrtf(fmaxf(0.0f, -2.0f * __logf(u)));
    float sine = 0;
    float cosine = 0;
    sincospif(turns, &sine, &cosine);
    return make_float2(radius * cosine, radius * sine);
}

__device__ void to_number(float value, __nv_bfloat16& number) {
    number = __float2bfloat16_rn(value);
}

__device__ void to_number(float value, __nv_fp8_e4m3& number) {
    number = __nv_fp8_e4m3(value);  // saturates at +-448, never NaN
}

template <class Number>
union Chunk {
    uint4 bits;
    Number numbers[kChunkBytes / sizeof(Number)];
    __device__ Chunk() : bits{} {}
};

template <class Number>
__global__ void __launch_bounds__(kFillThreads)
    fill_kernel(Number* data, long long count, uint2 key, float deviation) {
    constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Number));
    const long long chunks = (count + kPerChunk - 1) / kPerChunk;
    const long long stride = static_cast<long long>(gridDim.x) * kFillThreads;
    for (long long c = static_cast<long long>(blockIdx.x) * kFillThreads + threadIdx.x; c < chunks;
         c += stride) {
        Chunk<Number> chunk;
#pragma unroll
        for (int draw = 0; draw < kPerChunk / 4; ++draw) {
            const uint4 words =
                philox(make_uint4(static_cast<unsigned>(c), static_cast<unsigned>(c >> 32),
                                  static_cast<unsigned>(draw), 0u),
                       key);
            const float2 first = normal_pair(words.x, words.y);
            const float2 second = normal_pair(words.z, words.w);
            to_number(deviation * first.x, chunk.numbers[4 * draw]);
            to_number(deviation * first.y, chunk.numbers[4 * draw + 1]);
            to_number(deviation * second.x, chunk.numbers[4 * draw + 2]);
            to_number(deviation * second.y, chunk.numbers[4 * draw + 3]);
        }
        if ((c + 1) * kPerChunk <= count) {
            reinterpret_cast<uint4*>(data)[c] = chunk.bits;
        } else {
#pragma unroll
            for (int i = 0; i < kPerChunk; ++i) {
                if (c * kPerChunk + i < count) data[c * kPerChunk + i] = chunk.numbers[i];
            }
        }
    }
}

template <class Number>
void fill(const Buffer& buffer, std::uint64_t seed, float deviation, cudaStream_t stream) {
    const auto count = static_cast<std::int64_t>(buffer.bytes() / sizeof(Number));
    if (count == 0) return;
    constexpr std::int64_t kPerBlock = kFillThreads * kChunkBytes / sizeof(Number);
    const std::int64_t blocks = std::min(kFillBlocks, (count + kPerBlock - 1) / kPerBlock);
    const uint2 key = make_uint2(static_cast<unsigned>(seed), static_cast<unsigned>(seed >> 32));
    launch({.grid = static_cast<unsigned>(blocks), .block = kFillThreads, .stream = stream},
           fill_kernel<Number>, buffer.as<Number>(), count, key, deviation);
}

void require_room(const Buffer& buffer, std::size_t bytes, const char* what) {
    if (bytes <= buffer.bytes()) return;
    throw DeviceError(std::string(what) + ": " + std::to_string(bytes) + " bytes, the buffer has " +
                      std::to_string(buffer.bytes()));
}

}  // namespace

void require(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());  // so that the next call does not report it once more
    throw DeviceError(std::string(call) + ": " + cudaGetErrorName(status) + ", " +
                      cudaGetErrorString(status));
}

void require(cublasStatus_t status, const char* call) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw DeviceError(std::string(call) + ": " + cublasLtGetStatusName(status));
}

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes > 0) HEADROOM_CUDA(cudaMalloc(&data_, bytes));
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

Buffer::~Buffer() {
    // A destructor has nobody to tell; a broken device says so again at the next call.
    if (data_ != nullptr) static_cast<void>(cudaFree(data_));
}

void Buffer::poison(cudaStream_t stream) const {
    if (bytes_ > 0) HEADROOM_CUDA(cudaMemsetAsync(data_, 0xff, bytes_, stream));
}

void Buffer::upload(const void* host, std::size_t bytes, cudaStream_t stream) const {
    require_room(*this, bytes, "Buffer::upload");
    if (bytes == 0) return;
    HEADROOM_CUDA(cudaMemcpyAsync(data_, host, bytes, cudaMemcpyHostToDevice, stream));
    HEADROOM_CUDA(cudaStreamSynchronize(stream));  // the caller may drop `host` at once
}

void Buffer::download(void* host, std::size_t bytes, cudaStream_t stream) const {
    require_room(*this, bytes, "Buffer::download");
    if (bytes == 0) return;
    HEADROOM_CUDA(cudaMemcpyAsync(host, data_, bytes, cudaMemcpyDeviceToHost, stream));
    HEADROOM_CUDA(cudaStreamSynchronize(stream));
}

void fill_bf16(const Buffer& buffer, std::uint64_t seed, float deviation, cudaStream_t stream) {
    fill<__nv_bfloat16>(buffer, seed, deviation, stream);
}

void fill_fp8(const Buffer& buffer, std::uint64_t seed, float deviation, cudaStream_t stream) {
    fill<__nv_fp8_e4m3>(buffer, seed, deviation, stream);
}

int copies_for(const Context& context, std::size_t bytes_per_copy, int most) {
    const std::size_t each = std::max<std::size_t>(bytes_per_copy, 1);
    const std::size_t copies = (context.rotate_bytes + each - 1) / each;
    return static_cast<int>(std::clamp<std::size_t>(copies, 1, static_cast<std::size_t>(most)));
}

}  // namespace headroom::kernels
