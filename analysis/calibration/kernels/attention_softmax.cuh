/// Online softmax over tiles of scores in the accumulators of a warp (Milakov and Gimelshein 2018;
/// Dao 2023, FlashAttention-2, algorithm 1): 16 rows, two of which a lane holds a part of.
///
///     update(scores, state, output, scale);   // scores become probabilities, output is rescaled
///     probabilities_as_operand(a, scores, k); // 16 of their columns as the A operand of the mma
///
/// Maxima are in raw scores, `scale` is log2(e) / sqrt(head size). A score may be -infinity, not a
/// whole row of the first tile: the maximum is finite from then on, and no NaN can arise. `sum` is
/// this lane's part until quad_sum joins the four lanes of a row.
#pragma once

#include "analysis/calibration/kernels/attention_layout.hpp"
#include "analysis/calibration/kernels/attention_mma.cuh"

namespace headroom::kernels::attention {

inline constexpr int kOutputTiles = kHeadSize / 8;

/// Of the rows lane / 4 and lane / 4 + 8.
struct SoftmaxState {
    float maximum[2] = {-INFINITY, -INFINITY};
    float sum[2] = {0.0f, 0.0f};
};

template <int kTiles>
__device__ __forceinline__ void update(float (&scores)[kTiles][4], SoftmaxState& state,
                                       float (&output)[kOutputTiles][4], float scale) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float maximum = state.maximum[half];
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
            maximum = fmaxf(maximum, fmaxf(scores[tile][2 * half], scores[tile][2 * half + 1]));
        }
        maximum = quad_max(maximum);
        const float shrink = exp2_fast((state.maximum[half] - maximum) * scale);
        const float scaled_maximum = maximum * scale;
        state.maximum[half] = maximum;
        float sum = state.sum[half] * shrink;
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
            for (int index = 2 * half; index < 2 * half + 2; ++index) {
                const float raised = fmaf(scores[tile][index], scale, -scaled_maximum);
                scores[tile][index] = exp2_fast(raised);
                sum += scores[tile][index];
            }
        }
        state.sum[half] = sum;
#pragma unroll
        for (int tile = 0; tile < kOutputTiles; ++tile) {
            output[tile][2 * half] *= shrink;
            output[tile][2 * half + 1] *= shrink;
        }
    }
}

/// Columns 16 * step .. 16 * step + 15: two accumulator tiles are one A operand.
template <int kTiles>
__device__ __forceinline__ void probabilities_as_operand(std::uint32_t (&a)[4],
                                                         const float (&scores)[kTiles][4],
                                                         int step) {
    a[0] = pack_bf16(scores[2 * step][0], scores[2 * step][1]);
    a[1] = pack_bf16(scores[2 * step][2], scores[2 * step][3]);
    a[2] = pack_bf16(scores[2 * step + 1][0], scores[2 * step + 1][1]);
    a[3] = pack_bf16(scores[2 * step + 1][2], scores[2 * step + 1][3]);
}

}  // namespace headroom::kernels::attention
