#include "policies/scaling/vpa/go_math.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "sim/core/math.hpp"

namespace headroom::policies {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// log(2) as a sum: products of the high part with exponents are exact.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;

}  // namespace

double go_log(double x) {
    if (!std::isnormal(x) || x < 0) return det_log(x);
    constexpr double kL1 = 6.666666666666735130e-01;
    constexpr double kL2 = 3.999999999940941908e-01;
    constexpr double kL3 = 2.857142874366239149e-01;
    constexpr double kL4 = 2.222219843214978396e-01;
    constexpr double kL5 = 1.818357216161805012e-01;
    constexpr double kL6 = 1.531383769920937332e-01;
    constexpr double kL7 = 1.479819860511658591e-01;
    constexpr double kHalfSqrt2 = 7.07106781186547524401e-01;

    // x = 2^k m with m in (sqrt(2)/2, sqrt(2)].
    const auto bits = std::bit_cast<std::uint64_t>(x);
    double m = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3fe0000000000000ULL);
    double k = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 0x3fe);
    if (m <= kHalfSqrt2) {
        k -= 1.0;
        m *= 2.0;
    }
    const double f = m - 1.0;
    const double s = f / (2.0 + f);
    const double s2 = s * s;
    const double s4 = s2 * s2;
    const double t1 = s2 * (kL1 + s4 * (kL3 + s4 * (kL5 + s4 * kL7)));
    const double t2 = s4 * (kL2 + s4 * (kL4 + s4 * kL6));
    const double r = t1 + t2;
    const double half_square = 0.5 * f * f;
    return k * kLn2High - ((half_square - (s * (half_square + r) + k * kLn2Low)) - f);
}

double go_exp2(double x) {
    if (x != x || x == kInfinity) return x;
    if (x > 1.0239999999999999e+03) return kInfinity;
    if (x < -1.0740e+03) return 0.0;
    constexpr double kP1 = 1.66666666666666657415e-01;
    constexpr double kP2 = -2.77777777770155933842e-03;
    constexpr double kP3 = 6.61375632143793436117e-05;
    constexpr double kP4 = -1.65339022054652515390e-06;
    constexpr double kP5 = 4.13813679705723846039e-08;

    // 2^x = 2^k e^r with |r| <= log(2) / 2.
    const int k = static_cast<int>(x > 0 ? x + 0.5 : x - 0.5);
    const double rest = x - static_cast<double>(k);
    const double high = rest * kLn2High;
    const double low = -rest * kLn2Low;
    const double r = high - low;
    const double t = r * r;
    const double c = r - t * (kP1 + t * (kP2 + t * (kP3 + t * (kP4 + t * kP5))));
    const double y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    return std::ldexp(y, k);
}

double go_pow(double x, double y) {
    if (y == 1.0) return x;
    const double size = std::fabs(y);
    const bool whole = size < 0x1p63 && std::trunc(size) == size;
    if (y == 0.0 || !std::isnormal(x) || !whole) return det_pow(x, y);

    // The product as a * 2^exponent; powers of two apart, so that nothing overflows on the way.
    double a = 1.0;
    std::int64_t exponent = 0;
    int factor_exponent = 0;
    double factor = std::frexp(x, &factor_exponent);
    for (auto i = static_cast<std::int64_t>(size); i != 0; i >>= 1) {
        constexpr int kOutOfRange = 1 << 12;
        if (factor_exponent < -kOutOfRange || factor_exponent > kOutOfRange) {
            exponent += factor_exponent;
            break;
        }
        if (i % 2 == 1) {
            a *= factor;
            exponent += factor_exponent;
        }
        factor *= factor;
        factor_exponent *= 2;
        if (factor < 0.5) {
            factor += factor;
            --factor_exponent;
        }
    }
    if (y < 0) {
        a = 1.0 / a;
        exponent = -exponent;
    }
    return std::ldexp(a, static_cast<int>(exponent));
}

}  // namespace headroom::policies
