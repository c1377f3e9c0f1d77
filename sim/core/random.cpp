#include "sim/core/random.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#else
#include <tuple>
#endif

namespace headroom::inline core {

#ifdef __SSE2__

namespace {

/// Philox4x32-10 on counters in 64-bit lanes, two to a register: the product of two lanes' lower
/// halves is one instruction, and what stands in a lane's upper half matters only at the end. Two
/// pairs of counters at a time, for more do not fit into the registers.
struct FourCounters {
    __m128i a[2];
    __m128i b[2];
    __m128i c[2];
    __m128i d[2];
};

long long word(std::uint64_t value) {
    return static_cast<long long>(value);
}

FourCounters counters_from(std::uint64_t index, std::uint64_t pair) {
    FourCounters out;
    for (std::size_t i = 0; i < 2; ++i, pair += 2) {
        out.a[i] = _mm_set1_epi64x(word(index));
        out.b[i] = _mm_set1_epi64x(word(index >> 32));
        out.c[i] = _mm_set_epi64x(word(pair + 1), word(pair));
        out.d[i] = _mm_srli_epi64(out.c[i], 32);
    }
    return out;
}

void turn(FourCounters& x, std::uint32_t k0, std::uint32_t k1) {
    const __m128i m0 = _mm_set1_epi64x(PHILOX_M4x32_0);
    const __m128i m1 = _mm_set1_epi64x(PHILOX_M4x32_1);
    const __m128i key0 = _mm_set1_epi64x(k0);
    const __m128i key1 = _mm_set1_epi64x(k1);
    for (std::size_t i = 0; i < 2; ++i) {
        const __m128i p = _mm_mul_epu32(m0, x.a[i]);
        const __m128i q = _mm_mul_epu32(m1, x.c[i]);
        x.a[i] = _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64(q, 32), x.b[i]), key0);
        x.b[i] = q;
        x.c[i] = _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64(p, 32), x.d[i]), key1);
        x.d[i] = p;
    }
}

void store(const FourCounters& x, std::uint64_t* draws) {
    const __m128i lower = _mm_set1_epi64x(0xffffffff);
    auto* out = reinterpret_cast<__m128i*>(draws);
    for (std::size_t i = 0; i < 2; ++i, out += 2) {
        const __m128i even = _mm_or_si128(_mm_and_si128(x.a[i], lower), _mm_slli_epi64(x.b[i], 32));
        const __m128i odd = _mm_or_si128(_mm_and_si128(x.c[i], lower), _mm_slli_epi64(x.d[i], 32));
        _mm_storeu_si128(out, _mm_unpacklo_epi64(even, odd));
        _mm_storeu_si128(out + 1, _mm_unpackhi_epi64(even, odd));
    }
}

}  // namespace

void RandomStream::fill(std::uint64_t index, std::uint64_t first_pair,
                        std::array<std::uint64_t, 2 * kBlocks>& draws) const {
    for (std::size_t block = 0; block < kBlocks; block += 4) {
        FourCounters counters = counters_from(index, first_pair + block);
        std::uint32_t k0 = key_[0];
        std::uint32_t k1 = key_[1];
        for (int round = 0; round < 10; ++round) {
            turn(counters, k0, k1);
            k0 += PHILOX_W32_0;
            k1 += PHILOX_W32_1;
        }
        store(counters, &draws[2 * block]);
    }
}

#else

void RandomStream::fill(std::uint64_t index, std::uint64_t first_pair,
                        std::array<std::uint64_t, 2 * kBlocks>& draws) const {
    for (std::size_t i = 0; i < kBlocks; ++i) {
        std::tie(draws[2 * i], draws[2 * i + 1]) = bits2(index, first_pair + i);
    }
}

#endif

}  // namespace headroom::inline core
