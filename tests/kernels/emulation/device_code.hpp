/// The language of CUDA kernels, as far as the benchmark's own use it, for a C++ compiler: their
/// sources compile unchanged, and run on fibers (lanes.hpp). Names and meanings: CUDA C++
/// programming guide 13.
#pragma once

#include <math.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "tests/kernels/emulation/lanes.hpp"

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
// All fibers run on one thread; and unlike `static` it goes with `extern`.
#define __shared__ thread_local

struct uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
inline float2 make_float2(float x, float y) {
    return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

using std::max;
using std::min;

inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline float __uint_as_float(unsigned bits) {
    return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float value) {
    return std::bit_cast<unsigned>(value);
}
inline float __logf(float x) {
    return logf(x);
}
inline float __expf(float x) {
    return expf(x);
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}
inline void sincospif(float x, float* sine, float* cosine) {
    *sine = static_cast<float>(sin(M_PI * static_cast<double>(x)));
    *cosine = static_cast<float>(cos(M_PI * static_cast<double>(x)));
}
template <class T>
T __ldcg(const T* pointer) {
    return *pointer;
}
inline unsigned atomicAdd(unsigned* to, unsigned value) {
    return std::exchange(*to, *to + value);
}
inline unsigned atomicInc(unsigned* to, unsigned last) {
    return std::exchange(*to, *to >= last ? 0 : *to + 1);
}
template <class T>
T atomicMax(T* to, T value) {
    return std::exchange(*to, std::max(*to, value));
}
template <class T>
T atomicExch(T* to, T value) {
    return std::exchange(*to, value);
}
inline void __threadfence() {}

inline void __syncthreads() {
    ::headroom::emulation::block_barrier();
}
inline void __syncwarp() {
    struct Nothing {};
    static_cast<void>(
        ::headroom::emulation::together(Nothing{}, [](const auto& all) { return all; }));
}
/// `mask` is the whole warp: what the kernels ask for.
template <class T>
T __shfl_sync(unsigned, T value, int source) {
    struct Asked {
        T value;
        int source;
    };
    return ::headroom::emulation::together(Asked{value, source}, [](const auto& all) {
        std::array<T, ::headroom::emulation::kWarpLanes> result;
        for (std::size_t i = 0; i < all.size(); ++i) {
            result[i] = all[static_cast<std::size_t>(all[i].source) % all.size()].value;
        }
        return result;
    });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
    const auto mine = static_cast<int>(::headroom::emulation::detail::lane());
    return __shfl_sync(mask, value, mine ^ lanes);
}
