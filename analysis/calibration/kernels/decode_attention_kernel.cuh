/// Device code of decode_attention: one query token a sequence against a paged KV cache.
///
/// A block of four warps takes one split of one sequence's pages for one KV head, with all query
/// heads of its group: each byte of K and V is read once. The query heads are the 16 rows of the
/// tensor core's mma, zero beyond the group, which costs the same for a group of 1 as of 16 and far
/// less than the memory needs. Each warp takes every fourth page and runs by itself: its own ring
/// of shared memory, its own copies in flight, its own softmax; the warps are joined once at the
/// end. With several splits a second kernel joins these (FlashDecoding; vLLM paged attention v2).
///
/// Layouts, bf16: q and out [sequence][query head][128]; k and v [block][KV head][16 tokens][128];
/// table [sequence][page] -> block, int32. Partial results, float32: [sequence][query head][split]
/// of 128 values, and of (maximum in log2 units, sum). context >= 1, group <= 16, 16-byte aligned.
#pragma once

#include "analysis/calibration/kernels/attention_softmax.cuh"

namespace headroom::kernels::attention {

struct DecodeArguments {
    const std::uint16_t* q = nullptr;
    const std::uint16_t* k = nullptr;
    const std::uint16_t* v = nullptr;
    const std::int32_t* table = nullptr;
    std::uint16_t* out = nullptr;
    float* partial = nullptr;  ///< used with more than one split
    float2* partial_state = nullptr;
    int context = 0;
    int pages = 0;
    int kv_heads = 0;
    int group = 0;
    int splits = 1;
    float scale = 0;  ///< log2(e) / sqrt(head size)
};

inline constexpr int kDecodeStages = 3;
inline constexpr int kPageBytes = kPageTokens * kRowBytes;  ///< of K, and again of V
inline constexpr int kWarpRingBytes = kDecodeStages * 2 * kPageBytes;
inline constexpr int kDecodeSharedBytes = kWarps * kWarpRingBytes;
inline constexpr int kDecodeBlocksPerMultiprocessor = 2;

/// A warp's result in its ring after the last page; rows are padded so that no store conflicts.
inline constexpr int kResultStride = kHeadSize + 8;
inline constexpr int kResultFloats = kMaxGroup * (kResultStride + 2);
static_assert(kResultFloats * 4 <= kWarpRingBytes);

/// The pages of one warp, in order: which block holds each, and its way into the ring.
class PageStream {
  public:
    __device__ PageStream(const DecodeArguments& arguments, PageRange range, int warp, int lane,
                          std::uint32_t ring)
        : arguments_(arguments), first_(range.begin + warp), lane_(lane), ring_(ring) {
        count_ = warp_pages(range.end - range.begin, warp);
        table_ = arguments.table + static_cast<std::int64_t>(blockIdx.z) * arguments.pages;
        next_blocks_ = look_up(0);
    }

    __device__ int count() const { return count_; }
    __device__ int page(int ordinal) const { return first_ + ordinal * kWarps; }
    __device__ std::uint32_t stage(int ordinal) const {
        return ring_ + (ordinal % kDecodeStages) * (2 * kPageBytes);
    }

    /// Starts the copies of a page, a group of its own; to be called with 0, 1, 2, ... An ordinal
    /// beyond the last makes an empty group, so that the counting of groups stays the same.
    __device__ void start(int ordinal) {
        if (ordinal < count_) {
            if (ordinal % 32 == 0) {  // the table is read 32 pages ahead, one by each lane
                blocks_ = next_blocks_;
                next_blocks_ = look_up(ordinal + 32);
            }
            copy(ordinal, __shfl_sync(0xffffffffu, blocks_, ordinal % 32));
        }
        copy_commit();
    }

  private:
    __device__ std::int32_t look_up(int ordinal) const {
        const int mine = ordinal + lane_;
        return mine < count_ ? table_[page(mine)] : 0;
    }

    __device__ void copy(int ordinal, std::int32_t block) const {
        const std::int64_t at =
            (static_cast<std::int64_t>(block) * arguments_.kv_heads + blockIdx.y) *
            (kPageTokens * kHeadSize);
        const int valid = arguments_.context - page(ordinal) * kPageTokens;
        const std::uint32_t to = stage(ordinal);
#pragma unroll
        for (int step = 0; step < kPageTokens / 2; ++step) {  // two rows a step
            const int row = 2 * step + (lane_ >> 4);
            const int chunk = lane_ & 15;
            const std::int64_t from = at + row * kHeadSize + chunk * 8;
            // What lies behind the last token may be NaN: 0 * NaN must not reach the output.
            copy_16(to + swizzled(row, chunk), arguments_.k + from, row < valid);
            copy_16(to + kPageBytes + swizzled(row, chunk), arguments_.v + from, row < valid);
        }
    }

    const DecodeArguments& arguments_;
    const std::int32_t* table_ = nullptr;
    int first_;
    int count_ = 0;
    int lane_;
    std::uint32_t ring_;
    std::int32_t blocks_ = 0;
    std::int32_t next_blocks_ = 0;
};

/// The group's query heads as A operands, straight from global memory: rows beyond it are zero.
__device__ __forceinline__ void load_queries(std::uint32_t (&q)[kHeadSize / 16][4],
                                             const DecodeArguments& arguments, int lane) {
    const std::int64_t first_head =
        (static_cast<std::int64_t>(blockIdx.z) * arguments.kv_heads + blockIdx.y) * arguments.group;
    const std::uint16_t* from = arguments.q + first_head * kHeadSize;
#pragma unroll
    for (int step = 0; step < kHeadSize / 16; ++step) {
#pragma unroll
        for (int index = 0; index < 4; ++index) {
            const int row = (lane >> 2) + (index & 1) * 8;
            const int column = step * 16 + (lane & 3) * 2 + (index >> 1) * 8;
            q[step][index] =
                row < arguments.group
                    ? *reinterpret_cast<const std::uint32_t*>(from + row * kHeadSize + column)
                    : 0u;
        }
    }
}

/// One page: scores, softmax, output.
__device__ __forceinline__ void attend_page(const std::uint32_t (&q)[kHeadSize / 16][4],
                                            std::uint32_t stage, int valid, int lane, float scale,
                                            SoftmaxState& state, float (&output)[kOutputTiles][4]) {
    float scores[2][4] = {};
    const std::uint32_t key = stage + swizzled(key_place(lane).row, key_place(lane).column);
#pragma unroll
    for (int step = 0; step < kHeadSize / 16; ++step) {
        std::uint32_t b[4];
        load_matrix(b, advanced(key, 2 * step));
        multiply(scores[0], q[step], b[0], b[1]);
        multiply(scores[1], q[step], b[2], b[3]);
    }
    if (valid < kPageTokens) {
#pragma unroll
        for (int index = 0; index < 8; ++index) {
            const int column = (index >> 2) * 8 + accumulator_place(lane, index & 3).column;
            if (column >= valid) scores[index >> 2][index & 3] = -INFINITY;
        }
    }
    update(scores, state, output, scale);
    std::uint32_t a[4];
    probabilities_as_operand(a, scores, 0);
    const std::uint32_t value =
        stage + kPageBytes + swizzled(value_place(lane).row, value_place(lane).column);
#pragma unroll
    for (int pair = 0; pair < kOutputTiles / 2; ++pair) {
        std::uint32_t b[4];
        load_transposed(b, advanced(value, 2 * pair));
        multiply(output[2 * pair], a, b[0], b[1]);
        multiply(output[2 * pair + 1], a, b[2], b[3]);
    }
}

/// A warp's output, maxima and sums into its ring, for all warps to read.
__device__ __forceinline__ void store_result(float* result, SoftmaxState& state,
                                             const float (&output)[kOutputTiles][4], int lane,
                                             float scale) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = (lane >> 2) + 8 * half;
#pragma unroll
        for (int tile = 0; tile < kOutputTiles; ++tile) {
            const int column = tile * 8 + (lane & 3) * 2;
            *reinterpret_cast<float2*>(result + row * kResultStride + column) =
                make_float2(output[tile][2 * half], output[tile][2 * half + 1]);
        }
        const float sum = quad_sum(state.sum[half]);
        if ((lane & 3) == 0) {
            *reinterpret_cast<float2*>(result + kMaxGroup * kResultStride + 2 * row) =
                make_float2(state.maximum[half] * scale, sum);
        }
    }
}

/// Joins the four warps; a thread has two neighbouring values of every second row.
__device__ __forceinline__ void join_warps(const DecodeArguments& arguments,
                                           const unsigned char* shared) {
    const int column = (threadIdx.x % 64) * 2;
    const std::int64_t first_head =
        (static_cast<std::int64_t>(blockIdx.z) * arguments.kv_heads + blockIdx.y) * arguments.group;
    for (int row = threadIdx.x / 64; row < arguments.group; row += 2) {
        float2 states[kWarps];
        float maximum = -INFINITY;
#pragma unroll
        for (int warp = 0; warp < kWarps; ++warp) {
            const float* result = reinterpret_cast<const float*>(shared + warp * kWarpRingBytes);
            states[warp] =
                *reinterpret_cast<const float2*>(result + kMaxGroup * kResultStride + 2 * row);
            maximum = fmaxf(maximum, states[warp].x);
        }
        float2 value = make_float2(0.0f, 0.0f);
        float sum = 0.0f;
#pragma unroll
        for (int warp = 0; warp < kWarps; ++warp) {  // a warp without a page weighs 2^-infinity
            const float* result = reinterpret_cast<const float*>(shared + warp * kWarpRingBytes);
            const float weight = exp2_fast(states[warp].x - maximum);
            const float2 part =
                *reinterpret_cast<const float2*>(result + row * kResultStride + column);
            value.x += weight * part.x;
            value.y += weight * part.y;
            sum += weight * states[warp].y;
        }
        const std::int64_t head = first_head + row;
        if (arguments.splits == 1) {
            *reinterpret_cast<std::uint32_t*>(arguments.out + head * kHeadSize + column) =
                pack_bf16(value.x / sum, value.y / sum);
            continue;
        }
        const std::int64_t part = head * arguments.splits + blockIdx.x;
        *reinterpret_cast<float2*>(arguments.partial + part * kHeadSize + column) = value;
        if (column == 0) arguments.partial_state[part] = make_float2(maximum, sum);
    }
}

/// Grid: splits, KV heads, sequences. Block: 32 * kWarps threads, kDecodeSharedBytes.
__global__ void __launch_bounds__(32 * kWarps, kDecodeBlocksPerMultiprocessor)
    decode_attention_kernel(const __grid_constant__ DecodeArguments arguments) {
    extern __shared__ __align__(1024) unsigned char shared[];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    // The joining kernel may be set up as soon as every block has begun; it waits for their
    // results.
    launch_dependents();
    const PageRange range = split_pages(arguments.pages, arguments.splits, blockIdx.x);
    PageStream stream(arguments, range, warp, lane, shared_address(shared) + warp * kWarpRingBytes);
#pragma unroll
    for (int ordinal = 0; ordinal < kDecodeStages - 1; ++ordinal) stream.start(ordinal);
    std::uint32_t q[kHeadSize / 16][4];
    load_queries(q, arguments, lane);

    SoftmaxState state;
    float output[kOutputTiles][4] = {};
    for (int ordinal = 0; ordinal < stream.count(); ++ordinal) {
        copy_wait<kDecodeStages - 2>();
        __syncwarp();  // this page is there for all lanes, and all have done with the one before
        stream.start(ordinal + kDecodeStages - 1);
        const int valid = arguments.context - stream.page(ordinal) * kPageTokens;
        attend_page(q, stream.stage(ordinal), valid, lane, arguments.scale, state, output);
    }
    copy_wait<0>();
    __syncwarp();
    store_result(reinterpret_cast<float*>(shared + warp * kWarpRingBytes), state, output, lane,
                 arguments.scale);
    __syncthreads();
    join_warps(arguments, shared);
}

inline constexpr int kJoinWarps = 8;

/// Joins the splits of one query head. Grid: query heads, sequences. Block: 32 * kJoinWarps.
/// Each warp takes every eighth split, each lane four of the 128 values.
__global__ void __launch_bounds__(32 * kJoinWarps)
    decode_join_kernel(const float* partial, const float2* partial_state, std::uint16_t* out,
                       int splits) {
    __shared__ float4 values[kJoinWarps][32];
    __shared__ float sums[kJoinWarps];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const std::int64_t head = static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    const float2* states = partial_state + head * splits;
    const float4* parts = reinterpret_cast<const float4*>(partial + head * splits * kHeadSize);
    wait_for_prerequisites();

    float maximum = -INFINITY;
    for (int split = lane; split < splits; split += 32)
        maximum = fmaxf(maximum, __ldcg(states + split).x);
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, step));
    }
    float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float sum = 0.0f;
#pragma unroll 4
    for (int split = warp; split < splits; split += kJoinWarps) {
        const float2 state = __ldcg(states + split);
        const float4 part = __ldcg(parts + split * 32 + lane);
        const float weight = exp2_fast(state.x - maximum);
        value.x += weight * part.x;
        value.y += weight * part.y;
        value.z += weight * part.z;
        value.w += weight * part.w;
        sum += weight * state.y;
    }
    values[warp][lane] = value;
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    if (warp != 0) return;
    for (int other = 1; other < kJoinWarps; ++other) {
        const float4 part = values[other][lane];
        value.x += part.x;
        value.y += part.y;
        value.z += part.z;
        value.w += part.w;
        sum += sums[other];
    }
    reinterpret_cast<uint2*>(out)[head * 32 + lane] = make_uint2(
        pack_bf16(value.x / sum, value.y / sum), pack_bf16(value.z / sum, value.w / sum));
}

}  // namespace headroom::kernels::attention
