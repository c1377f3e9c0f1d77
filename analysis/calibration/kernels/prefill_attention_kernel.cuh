/// Device code of prefill_attention, kernel `own`: causal attention of one prompt, forward
/// (Dao 2023, FlashAttention-2), on mma.sync.
///
/// A block of four warps takes 64 or 128 queries of one head, 16 or 32 a warp, and walks the tiles
/// of 64 keys up to the diagonal. K and V are double buffered: while a tile is computed the copies
/// of the next are on their way, with one barrier a tile. With 32 queries a warp each fragment of K
/// and V that is read from shared memory serves two mma, which the bandwidth of shared memory asks
/// for; 16 are for prompts too short to fill the device. The longest rows are started first.
///
/// Layouts, bf16, 16-byte aligned: q and out [token][query head][128]; k, v [token][KV head][128].
/// Any number of tokens from 1 on; query head h reads KV head h / group.
#pragma once

#include "analysis/calibration/kernels/attention_softmax.cuh"

namespace headroom::kernels::attention {

struct PrefillArguments {
    const std::uint16_t* q = nullptr;
    const std::uint16_t* k = nullptr;
    const std::uint16_t* v = nullptr;
    std::uint16_t* out = nullptr;
    int tokens = 0;
    int query_heads = 0;
    int kv_heads = 0;
    float scale = 0;  ///< log2(e) / sqrt(head size)
};

inline constexpr int kKeyTileBytes = kKeyTile * kRowBytes;

/// Of a block: `row_tiles` pieces of 16 queries a warp.
HEADROOM_HOST_DEVICE constexpr int prefill_rows(int row_tiles) {
    return 16 * row_tiles * kWarps;
}
HEADROOM_HOST_DEVICE constexpr int prefill_shared_bytes(int row_tiles) {
    return prefill_rows(row_tiles) * kRowBytes + 4 * kKeyTileBytes;
}

/// Starts the copies of kRows rows from `first` on into a tile; those past the last are zero.
template <int kRows>
__device__ __forceinline__ void copy_rows(std::uint32_t to, const std::uint16_t* from,
                                          std::int64_t stride, int first, int tokens) {
    constexpr int kStep = 32 * kWarps / kChunks;
    const int row = threadIdx.x / kChunks;
    const int chunk = threadIdx.x % kChunks;
    const std::uint32_t place = to + swizzled(row, chunk);
    const std::uint16_t* source = from + (first + row) * stride + chunk * 8;
#pragma unroll
    for (int step = 0; step < kRows / kStep; ++step) {  // kStep is 8: the swizzle stays the same
        copy_16(place + step * kStep * kRowBytes, source, first + row + step * kStep < tokens);
        source += kStep * stride;
    }
    static_assert(kStep == 8 && kRows % kStep == 0);
}

/// scores = Q K^T of a warp's rows and a tile of keys.
template <int kRowTiles>
__device__ __forceinline__ void multiply_keys(float (&scores)[kRowTiles][kKeyTile / 8][4],
                                              std::uint32_t q, std::uint32_t k, int lane) {
    const std::uint32_t query = q + swizzled(query_place(lane).row, query_place(lane).column);
    const std::uint32_t key = k + swizzled(key_place(lane).row, key_place(lane).column);
#pragma unroll
    for (int step = 0; step < kHeadSize / 16; ++step) {
        std::uint32_t a[kRowTiles][4];
#pragma unroll
        for (int tile = 0; tile < kRowTiles; ++tile) {
            load_matrix(a[tile], advanced(query, 2 * step) + tile * 16 * kRowBytes);
        }
#pragma unroll
        for (int pair = 0; pair < kKeyTile / 16; ++pair) {
            std::uint32_t b[4];
            load_matrix(b, advanced(key, 2 * step) + pair * 16 * kRowBytes);
#pragma unroll
            for (int tile = 0; tile < kRowTiles; ++tile) {
                multiply(scores[tile][2 * pair], a[tile], b[0], b[1]);
                multiply(scores[tile][2 * pair + 1], a[tile], b[2], b[3]);
            }
        }
    }
}

/// output += P V of a warp's rows and a tile of keys.
template <int kRowTiles>
__device__ __forceinline__ void multiply_values(
    float (&output)[kRowTiles][kOutputTiles][4],
    const float (&probabilities)[kRowTiles][kKeyTile / 8][4], std::uint32_t v, int lane) {
    const std::uint32_t value = v + swizzled(value_place(lane).row, value_place(lane).column);
#pragma unroll
    for (int step = 0; step < kKeyTile / 16; ++step) {
        std::uint32_t a[kRowTiles][4];
#pragma unroll
        for (int tile = 0; tile < kRowTiles; ++tile) {
            probabilities_as_operand(a[tile], probabilities[tile], step);
        }
#pragma unroll
        for (int pair = 0; pair < kOutputTiles / 2; ++pair) {
            std::uint32_t b[4];
            load_transposed(b, advanced(value, 2 * pair) + step * 16 * kRowBytes);
#pragma unroll
            for (int tile = 0; tile < kRowTiles; ++tile) {
                multiply(output[tile][2 * pair], a[tile], b[0], b[1]);
                multiply(output[tile][2 * pair + 1], a[tile], b[2], b[3]);
            }
        }
    }
}

/// Scores of keys after the query become -infinity.
template <int kRowTiles>
__device__ __forceinline__ void mask_causal(float (&scores)[kRowTiles][kKeyTile / 8][4],
                                            int first_row, int first_key, int lane) {
#pragma unroll
    for (int tile = 0; tile < kRowTiles; ++tile) {
#pragma unroll
        for (int piece = 0; piece < kKeyTile / 8; ++piece) {
#pragma unroll
            for (int index = 0; index < 4; ++index) {
                const Place place = accumulator_place(lane, index);
                if (first_key + piece * 8 + place.column > first_row + tile * 16 + place.row) {
                    scores[tile][piece][index] = -INFINITY;
                }
            }
        }
    }
}

/// Divides by the sums and writes a warp's rows, 16 bytes a lane, through the place of its queries.
template <int kRowTiles>
__device__ __forceinline__ void store_output(unsigned char* q_shared, std::uint16_t* out,
                                             std::int64_t stride, int first_row, int tokens,
                                             const float (&output)[kRowTiles][kOutputTiles][4],
                                             const SoftmaxState (&state)[kRowTiles], int lane) {
#pragma unroll
    for (int tile = 0; tile < kRowTiles; ++tile) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float inverse = 1.0f / quad_sum(state[tile].sum[half]);
            const int row = tile * 16 + (lane >> 2) + 8 * half;
#pragma unroll
            for (int piece = 0; piece < kOutputTiles; ++piece) {
                unsigned char* to = q_shared + swizzled(row, piece) + (lane & 3) * 4;
                *reinterpret_cast<std::uint32_t*>(to) =
                    pack_bf16(output[tile][piece][2 * half] * inverse,
                              output[tile][piece][2 * half + 1] * inverse);
            }
        }
    }
    __syncwarp();
    const int chunk = lane % kChunks;
#pragma unroll
    for (int step = 0; step < 8 * kRowTiles; ++step) {
        const int row = 2 * step + lane / kChunks;
        if (first_row + row >= tokens) break;
        *reinterpret_cast<uint4*>(out + (first_row + row) * stride + chunk * 8) =
            *reinterpret_cast<const uint4*>(q_shared + swizzled(row, chunk));
    }
}

/// Grid: query heads, tiles of queries. Block: 32 * kWarps threads, prefill_shared_bytes.
template <int kRowTiles>
__global__ void __launch_bounds__(32 * kWarps, 2)
    prefill_attention_kernel(const __grid_constant__ PrefillArguments arguments) {
    constexpr int kRows = prefill_rows(kRowTiles);
    extern __shared__ __align__(1024) unsigned char shared[];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const int tokens = arguments.tokens;
    const int first = (gridDim.y - 1 - blockIdx.y) * kRows;  // the longest first
    const int warp_first = first + warp * 16 * kRowTiles;
    const std::int64_t q_stride = arguments.query_heads * kHeadSize;
    const std::int64_t kv_stride = arguments.kv_heads * kHeadSize;
    const int kv_head = blockIdx.x / (arguments.query_heads / arguments.kv_heads);
    const std::uint16_t* keys = arguments.k + kv_head * kHeadSize;
    const std::uint16_t* values = arguments.v + kv_head * kHeadSize;
    const int key_tiles = causal_key_tiles(first, kRows, tokens);

    const std::uint32_t q_place = shared_address(shared);
    const std::uint32_t kv_place = q_place + kRows * kRowBytes;
    const std::uint32_t q_warp = q_place + warp * 16 * kRowTiles * kRowBytes;
    copy_rows<kRows>(q_place, arguments.q + blockIdx.x * kHeadSize, q_stride, first, tokens);
    copy_rows<kKeyTile>(kv_place, keys, kv_stride, 0, tokens);
    copy_rows<kKeyTile>(kv_place + kKeyTileBytes, values, kv_stride, 0, tokens);
    copy_commit();

    SoftmaxState state[kRowTiles];
    float output[kRowTiles][kOutputTiles][4] = {};
    for (int tile = 0; tile < key_tiles; ++tile) {
        copy_wait<0>();
        __syncthreads();  // this tile is there, and every warp has done with the one before
        const std::uint32_t k_place = kv_place + (tile & 1) * (2 * kKeyTileBytes);
        if (tile + 1 < key_tiles) {
            const std::uint32_t to = kv_place + ((tile + 1) & 1) * (2 * kKeyTileBytes);
            const int next = (tile + 1) * kKeyTile;
            copy_rows<kKeyTile>(to, keys, kv_stride, next, tokens);
            copy_rows<kKeyTile>(to + kKeyTileBytes, values, kv_stride, next, tokens);
            copy_commit();
        }
        const int first_key = tile * kKeyTile;
        if (first_key >= warp_first + 16 * kRowTiles) continue;  // all after this warp's queries
        float scores[kRowTiles][kKeyTile / 8][4] = {};
        multiply_keys(scores, q_warp, k_place, lane);
        if (first_key + kKeyTile > warp_first + 1) {
            mask_causal(scores, warp_first, first_key, lane);
        }
#pragma unroll
        for (int row_tile = 0; row_tile < kRowTiles; ++row_tile) {
            update(scores[row_tile], state[row_tile], output[row_tile], arguments.scale);
        }
        multiply_values(output, scores, k_place + kKeyTileBytes, lane);
    }
    store_output(shared + warp * 16 * kRowTiles * kRowBytes, arguments.out + blockIdx.x * kHeadSize,
                 q_stride, warp_first, tokens, output, state, lane);
}

}  // namespace headroom::kernels::attention
