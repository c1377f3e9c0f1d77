/// The instructions of analysis/calibration/kernels/attention_mma.cuh for the emulated GPU, which
/// stands in its place on the include path of the tests: the same functions, each written from the
/// definition of its instruction, a warp's lanes together (lanes.hpp). Addresses of shared memory
/// are offsets from the dynamic part.
///
/// Source: PTX ISA 9.0, "cp.async", "ldmatrix", "Matrix Fragments for mma.m16n8k16", "ex2".
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace headroom::kernels::attention {

inline std::uint32_t shared_address(const void* pointer) {
    const auto offset = static_cast<const unsigned char*>(pointer) - emulation::dynamic_shared();
    return static_cast<std::uint32_t>(offset);
}

inline unsigned char* at_shared_address(std::uint32_t address) {
    return emulation::dynamic_shared() + static_cast<std::int32_t>(address);
}

inline void copy_16(std::uint32_t to, const void* from, bool inside) {
    emulation::start_copy(at_shared_address(to), from, inside);
}
inline void copy_commit() {
    emulation::commit_copies();
}
template <int kPending>
void copy_wait() {
    emulation::wait_for_copies(kPending);
}

using Registers = std::array<std::uint32_t, 4>;
template <class T>
using OfWarp = std::array<T, emulation::kWarpLanes>;

/// Four 8 x 8 matrices of 16-bit values, whose rows lie at the addresses of lanes 8 i .. 8 i + 7.
/// Lane 4 g + t gets of each matrix the row g, columns 2 t and 2 t + 1; transposed, the column g of
/// rows 2 t and 2 t + 1.
template <bool kTransposed>
void load_matrices(std::uint32_t (&to)[4], std::uint32_t address) {
    if (address % 16 != 0) throw std::logic_error("ldmatrix: a row is not aligned to 16 bytes");
    const Registers loaded = emulation::together(address, [](const OfWarp<std::uint32_t>& rows) {
        OfWarp<Registers> result;
        for (std::size_t lane = 0; lane < result.size(); ++lane) {
            for (std::size_t matrix = 0; matrix < 4; ++matrix) {
                std::array<std::uint16_t, 2> pair;
                for (std::size_t half = 0; half < 2; ++half) {
                    const std::size_t along = lane % 4 * 2 + half;
                    const std::size_t row = kTransposed ? along : lane / 4;
                    const std::size_t column = kTransposed ? lane / 4 : along;
                    std::memcpy(&pair[half], at_shared_address(rows[8 * matrix + row]) + 2 * column,
                                2);
                }
                result[lane][matrix] = std::bit_cast<std::uint32_t>(pair);
            }
        }
        return result;
    });
    std::memcpy(to, loaded.data(), sizeof to);
}
inline void load_matrix(std::uint32_t (&to)[4], std::uint32_t address) {
    load_matrices<false>(to, address);
}
inline void load_transposed(std::uint32_t (&to)[4], std::uint32_t address) {
    load_matrices<true>(to, address);
}

inline float half_of(std::uint32_t pair, std::size_t half) {
    return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xffff0000u);
}

inline void multiply(float (&accumulator)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                     std::uint32_t b1) {
    struct Operands {
        std::array<float, 4> accumulator;
        Registers a;
        std::array<std::uint32_t, 2> b;
    };
    Operands mine{{}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
    std::memcpy(mine.accumulator.data(), accumulator, sizeof accumulator);
    const auto sum = emulation::together(mine, [](const OfWarp<Operands>& all) {
        float left[16][16];   // row, k
        float right[16][8];   // k, column
        float result[16][8];  // row, column
        for (std::size_t lane = 0; lane < all.size(); ++lane) {
            const std::size_t g = lane / 4, t = lane % 4;
            for (std::size_t half = 0; half < 2; ++half) {
                for (std::size_t i = 0; i < 4; ++i) {
                    left[g + i % 2 * 8][2 * t + half + i / 2 * 8] = half_of(all[lane].a[i], half);
                }
                for (std::size_t i = 0; i < 2; ++i) {
                    right[2 * t + half + 8 * i][g] = half_of(all[lane].b[i], half);
                    result[g + 8 * i][2 * t + half] = all[lane].accumulator[2 * i + half];
                }
            }
        }
        for (std::size_t row = 0; row < 16; ++row) {
            for (std::size_t k = 0; k < 16; ++k) {
                for (std::size_t column = 0; column < 8; ++column) {
                    result[row][column] += left[row][k] * right[k][column];
                }
            }
        }
        OfWarp<std::array<float, 4>> sums;
        for (std::size_t lane = 0; lane < all.size(); ++lane) {
            for (std::size_t i = 0; i < 4; ++i) {
                sums[lane][i] = result[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
            }
        }
        return sums;
    });
    std::memcpy(accumulator, sum.data(), sizeof accumulator);
}

inline std::uint32_t pack_bf16(float low, float high) {
    return __float2bfloat16_rn(low).bits |
           static_cast<std::uint32_t>(__float2bfloat16_rn(high).bits) << 16;
}

/// Subnormal results and arguments count as 0.
inline float exp2_fast(float x) {
    const float result = exp2f(x);
    return result < 0x1p-126f ? 0.0f : result;
}

// Kernels run one after another here.
inline void launch_dependents() {}
inline void wait_for_prerequisites() {}

inline float quad_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}
inline float quad_sum(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

}  // namespace headroom::kernels::attention
