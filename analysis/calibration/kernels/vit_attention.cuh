/// Device code of ViT's attention: all tokens of an image see each other, heads of 64. A block of
/// four warps takes 64 queries of one head, 16 a warp, whose scores and outputs stay in registers,
/// and walks over the keys in tiles of 64, the next tile being copied meanwhile, with the softmax
/// kept running (Dao, "FlashAttention-2", arXiv:2307.08691). Softmax weights are rounded to bf16
/// relative to the running maximum, sums are float.
///
/// qkv is [image][token][q of all heads, k, v], out is [image][token][head][64].
/// Registers of one mma.m16n8k16, lane = 4 g + t (PTX ISA): a = rows g and g + 8, columns 2t and
/// 2t + 8 (pairs); b = rows 2t and 2t + 8 (pairs) of column g; c = rows g and g + 8, columns 2t
/// and 2t + 1. So two neighbouring score tiles are, packed, one `a` of the product with the values.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "analysis/calibration/kernels/attention_mma.cuh"

namespace headroom::kernels::vision {

inline constexpr int kHeadSize = 64;
inline constexpr int kTileRows = 64;  ///< queries of a block, keys of a tile
inline constexpr int kAttentionThreads = 128;
/// Values from one row of a tile to the next in shared memory: 36 words, so that the eight rows and
/// four columns that a warp reads at once lie in 32 different banks.
inline constexpr int kPitch = kHeadSize + 8;

struct alignas(16) AttentionTile {
    __nv_bfloat16 key[kTileRows][kPitch];
    __nv_bfloat16 value[kTileRows][kPitch];
};

/// Starts the copy of keys and values [first, first + 64); rows past the last token become 0.
__device__ __forceinline__ void copy_tile(AttentionTile& tile, const __nv_bfloat16* image,
                                          int first, int tokens, int width) {
    constexpr int kChunks = kHeadSize / 8;  // of 16 bytes in a row
    for (int i = static_cast<int>(threadIdx.x); i < kTileRows * kChunks; i += kAttentionThreads) {
        const int row = i / kChunks, column = i % kChunks * 8;
        const bool inside = first + row < tokens;
        const __nv_bfloat16* from =
            image + static_cast<std::int64_t>(inside ? first + row : 0) * 3 * width + column;
        attention::copy_16(attention::shared_address(&tile.key[row][column]), from + width, inside);
        attention::copy_16(attention::shared_address(&tile.value[row][column]), from + 2 * width,
                           inside);
    }
    attention::copy_commit();
}

__device__ __forceinline__ std::uint32_t load_pair(const __nv_bfloat16* pair) {
    return *reinterpret_cast<const std::uint32_t*>(pair);
}

/// What a warp knows of its 16 queries; lane 4 g + t holds rows g (index 0) and g + 8 (index 1).
struct QueryState {
    std::uint32_t query[kHeadSize / 16][4];
    float output[kHeadSize / 8][4];
    float greatest[2];
    float total[2];  ///< of this lane's columns only
};

__device__ __forceinline__ void load_queries(QueryState& state, const __nv_bfloat16* image, int row,
                                             int tokens, int width, int t) {
    const __nv_bfloat16* upper = image + static_cast<std::int64_t>(row) * 3 * width + 2 * t;
    const __nv_bfloat16* lower = upper + static_cast<std::int64_t>(8) * 3 * width;
#pragma unroll
    for (int k = 0; k < kHeadSize / 16; ++k) {
        state.query[k][0] = row < tokens ? load_pair(upper + 16 * k) : 0;
        state.query[k][1] = row + 8 < tokens ? load_pair(lower + 16 * k) : 0;
        state.query[k][2] = row < tokens ? load_pair(upper + 16 * k + 8) : 0;
        state.query[k][3] = row + 8 < tokens ? load_pair(lower + 16 * k + 8) : 0;
    }
#pragma unroll
    for (auto& tile : state.output) tile[0] = tile[1] = tile[2] = tile[3] = 0;
    state.greatest[0] = state.greatest[1] = -INFINITY;
    state.total[0] = state.total[1] = 0;
}

/// Scores become weights 2^(scale * (score - maximum)); what was summed up before is scaled to the
/// new maximum. `valid`: keys of the tile before the last token, at least one.
__device__ __forceinline__ void to_weights(QueryState& state, float (&score)[kTileRows / 8][4],
                                           int valid, float scale, int t) {
    float greatest[2] = {state.greatest[0], state.greatest[1]};
#pragma unroll
    for (int n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
            if (8 * n + 2 * t + c % 2 >= valid) score[n][c] = -INFINITY;
            greatest[c / 2] = fmaxf(greatest[c / 2], score[n][c]);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        greatest[half] = attention::quad_max(greatest[half]);
        const float keep = attention::exp2_fast((state.greatest[half] - greatest[half]) * scale);
        state.greatest[half] = greatest[half];
        state.total[half] *= keep;
#pragma unroll
        for (auto& tile : state.output) {
            tile[2 * half] *= keep;
            tile[2 * half + 1] *= keep;
        }
    }
#pragma unroll
    for (int n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
            score[n][c] = attention::exp2_fast((score[n][c] - greatest[c / 2]) * scale);
            state.total[c / 2] += score[n][c];
        }
    }
}

__device__ __forceinline__ void attend_tile(QueryState& state, const AttentionTile& tile, int valid,
                                            float scale, int lane) {
    const int g = lane / 4, t = lane % 4;
    float score[kTileRows / 8][4] = {};
#pragma unroll
    for (int k = 0; k < kHeadSize / 16; ++k) {
#pragma unroll
        for (int n = 0; n < kTileRows / 8; ++n) {
            const __nv_bfloat16* key = &tile.key[8 * n + g][16 * k + 2 * t];
            attention::multiply(score[n], state.query[k], load_pair(key), load_pair(key + 8));
        }
    }
    to_weights(state, score, valid, scale, t);
#pragma unroll
    for (int k = 0; k < kTileRows / 16; ++k) {
        const std::uint32_t weight[4] = {
            attention::pack_bf16(score[2 * k][0], score[2 * k][1]),
            attention::pack_bf16(score[2 * k][2], score[2 * k][3]),
            attention::pack_bf16(score[2 * k + 1][0], score[2 * k + 1][1]),
            attention::pack_bf16(score[2 * k + 1][2], score[2 * k + 1][3])};
#pragma unroll
        for (int n = 0; n < kHeadSize / 16; ++n) {
            std::uint32_t value[4];  // rows 0-7 and 8-15 of columns 0-7, then of columns 8-15
            attention::load_transposed(
                value,
                attention::shared_address(&tile.value[16 * k + lane % 16][16 * n + lane / 16 * 8]));
            attention::multiply(state.output[2 * n], weight, value[0], value[1]);
            attention::multiply(state.output[2 * n + 1], weight, value[2], value[3]);
        }
    }
}

__device__ __forceinline__ void store_queries(QueryState& state, __nv_bfloat16* out, int row,
                                              int tokens, int width, int t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float total = attention::quad_sum(state.total[half]);
        if (row + 8 * half >= tokens) continue;
        __nv_bfloat16* to = out + static_cast<std::int64_t>(row + 8 * half) * width + 2 * t;
#pragma unroll
        for (int n = 0; n < kHeadSize / 8; ++n) {
            *reinterpret_cast<std::uint32_t*>(to + 8 * n) = attention::pack_bf16(
                state.output[n][2 * half] / total, state.output[n][2 * half + 1] / total);
        }
    }
}

/// Grid: blocks of 64 queries, heads, images.
__global__ void __launch_bounds__(kAttentionThreads)
    vit_attention(const __nv_bfloat16* qkv, __nv_bfloat16* out, int tokens, float scale) {
    __shared__ AttentionTile tiles[2];
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int width = static_cast<int>(gridDim.y) * kHeadSize;
    const int row = static_cast<int>(blockIdx.x) * kTileRows + 16 * warp + lane / 4;
    const std::int64_t first_token = static_cast<std::int64_t>(blockIdx.z) * tokens;
    const __nv_bfloat16* image = qkv + first_token * 3 * width + blockIdx.y * kHeadSize;

    const int count = (tokens + kTileRows - 1) / kTileRows;
    copy_tile(tiles[0], image, 0, tokens, width);
    QueryState state;
    load_queries(state, image, row, tokens, width, lane % 4);
    for (int i = 0; i < count; ++i) {
        const int first = i * kTileRows;
        if (i + 1 < count) {
            copy_tile(tiles[(i + 1) % 2], image, first + kTileRows, tokens, width);
            attention::copy_wait<1>();
        } else {
            attention::copy_wait<0>();
        }
        __syncthreads();
        attend_tile(state, tiles[i % 2], tokens - first, scale, lane);
        __syncthreads();  // before the next copy overwrites this tile
    }
    store_queries(state, out + first_token * width + blockIdx.y * kHeadSize, row, tokens, width,
                  lane % 4);
}

}  // namespace headroom::kernels::vision
