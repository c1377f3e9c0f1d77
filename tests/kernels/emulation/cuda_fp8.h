/// fp8 e4m3 as cuda_fp8.h has it, as far as the kernels use it: 4 bits of exponent (bias 7), 3 of
/// mantissa, no infinity; rounded to the nearest, ties to even; saturates at +-448, NaN is 0x7f.
/// Source: Micikevicius et al., "FP8 formats for deep learning", 2022.
#pragma once

#include <math.h>

#include <cstdint>

struct __nv_fp8_e4m3 {
    std::uint8_t bits;

    __nv_fp8_e4m3() = default;
    explicit __nv_fp8_e4m3(float value) : bits(round(value)) {}

  private:
    static std::uint8_t round(float value) {
        if (isnan(value)) return 0x7f;
        const std::uint8_t sign = signbit(value) ? 0x80 : 0;
        const float size = fminf(fabsf(value), 448.0f);
        // The last place is 2^(exponent - 3), 2^-9 of what is subnormal.
        const int exponent =
            size == 0 ? -6 : static_cast<int>(fmaxf(-6, static_cast<float>(ilogbf(size))));
        const auto steps = static_cast<int>(rintf(ldexpf(size, 3 - exponent)));  // 0 .. 16
        return static_cast<std::uint8_t>(sign + (exponent + 6) * 8 + steps);
    }
};
