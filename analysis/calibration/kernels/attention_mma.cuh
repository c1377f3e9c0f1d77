/// The instructions of the attention kernels, one function each: asynchronous copies into shared
/// memory, ldmatrix, the bf16 tensor core and exp2. For device code of compute capability 9.0 and
/// up. Addresses of shared memory are 32-bit, 16-byte aligned; bf16 pairs are one 32-bit register,
/// the lower index in the lower half. ldmatrix, mma and quad_* need all 32 lanes.
///
///     copy_16(shared, global, inside);  copy_commit();  copy_wait<0>();  __syncthreads();
///     load_matrix(fragment, address);   multiply(accumulator, a, b0, b1);
///
/// Source: PTX ISA 9.0, sections "cp.async", "ldmatrix", "mma.m16n8k16", "ex2".
#pragma once

#include <cstdint>

namespace headroom::kernels::attention {

__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Copies 16 bytes past the L1 cache; zeros where `inside` is false (nothing is read then).
__device__ __forceinline__ void copy_16(std::uint32_t to, const void* from, bool inside) {
    const int bytes = inside ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void copy_commit() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}

/// Until at most `kPending` of this thread's latest groups are still on their way.
template <int kPending>
__device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

__device__ __forceinline__ void load_matrix(std::uint32_t (&to)[4], std::uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void load_transposed(std::uint32_t (&to)[4], std::uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

/// accumulator (16 x 8) += a (16 x 16) * b (16 x 8).
__device__ __forceinline__ void multiply(float (&accumulator)[4], const std::uint32_t (&a)[4],
                                         std::uint32_t b0, std::uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(accumulator[0]), "+f"(accumulator[1]), "+f"(accumulator[2]), "+f"(accumulator[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ std::uint32_t pack_bf16(float low, float high) {
    std::uint32_t packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

/// 2^x to 2 units in the last place; 0 for -infinity.
__device__ __forceinline__ float exp2_fast(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(result) : "f"(x));
    return result;
}

/// Lets a kernel that was launched behind this one, with programmatic stream serialization, be set
/// up before this one ends. Without such a kernel it does nothing (PTX ISA, "griddepcontrol").
__device__ __forceinline__ void launch_dependents() {
    asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
}

/// Until the kernels before this one have ended and what they wrote can be read.
__device__ __forceinline__ void wait_for_prerequisites() {
    asm volatile("griddepcontrol.wait;\n" ::: "memory");
}

/// Over the four lanes that share a row of an accumulator.
__device__ __forceinline__ float quad_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}

__device__ __forceinline__ float quad_sum(float value) {
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

}  // namespace headroom::kernels::attention
