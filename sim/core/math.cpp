#include "sim/core/math.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::inline core {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kExponentMask = 0xfffULL << 52;

// ---- Tables, computed by the compiler in fixed point with 96 fraction bits ----------------------

constexpr int kTableBits = 7;
constexpr std::uint64_t kTableSize = 1U << kTableBits;
constexpr Uint128 kOneQ96 = static_cast<Uint128>(1) << 96;

constexpr Uint128 multiply_q96(Uint128 a, Uint128 b) {
    const Uint128 a_high = a >> 64, a_low = static_cast<std::uint64_t>(a);
    const Uint128 b_high = b >> 64, b_low = static_cast<std::uint64_t>(b);
    return ((a_high * b_high) << 32) + ((a_high * b_low + a_low * b_high) >> 32) +
           ((a_low * b_low) >> 96);
}

/// log((q + p) / (q - p)) = 2 atanh(p / q), for |p| < q < 2^12.
constexpr Int128 log_ratio_q96(std::int64_t p, std::int64_t q) {
    Int128 term = static_cast<Int128>(kOneQ96) * 2 * p / q;
    Int128 sum = 0;
    for (int n = 1; term != 0; n += 2) {
        sum += term / n;
        term = term * (p * p) / (q * q);
    }
    return sum;
}

constexpr Int128 kLn2Q96 = log_ratio_q96(1, 3);

constexpr Uint128 exp_q96(Uint128 x) {
    Uint128 term = kOneQ96;
    Uint128 sum = 0;
    for (unsigned n = 1; term != 0; ++n) {
        sum += term;
        term = multiply_q96(term, x) / n;
    }
    return sum;
}

/// A number as high + low, where high keeps only `bits` bits after the point: products of high with
/// a small integer, and sums of such, are then exact.
struct Split {
    double high;
    double low;
};
constexpr Split split_q96(Int128 value, int bits) {
    const int drop = 96 - bits;
    const Int128 half = static_cast<Int128>(1) << (drop - 1);
    const Int128 high = ((value + half) >> drop) << drop;
    return {static_cast<double>(high) * 0x1p-96, static_cast<double>(value - high) * 0x1p-96};
}

/// k log(2) + log(c) is exact in the high parts: multiples of 2^-42 below 2^10.
constexpr int kLogHighBits = 42;
constexpr Split kLn2 = split_q96(kLn2Q96, kLogHighBits);

struct LogEntry {
    double inverse;   ///< 1/c as a multiple of 2^-10, so that z/c - 1 needs one rounding
    double log_high;  ///< log(c)
    double log_low;
};
/// Bits of 0.6875: reduced arguments lie in [0.6875, 1.375), so 1 is well inside.
constexpr std::uint64_t kLogOffset = 0x3fe6000000000000ULL;

constexpr auto kLogTable = [] {
    std::array<LogEntry, kTableSize> table{};
    for (std::uint64_t i = 0; i < kTableSize; ++i) {
        const double low = std::bit_cast<double>(kLogOffset + (i << (52 - kTableBits)));
        const double high = std::bit_cast<double>(kLogOffset + ((i + 1) << (52 - kTableBits)));
        auto m = static_cast<std::int64_t>(2048.0 / (low + high) + 0.5);
        // Next to 1 the logarithm is small and must come from the polynomial alone.
        if (low == 1.0 || high == 1.0) m = 1024;
        const Split log_c = split_q96(log_ratio_q96(1024 - m, 1024 + m), kLogHighBits);
        table[i] = {static_cast<double>(m) * 0x1p-10, log_c.high, log_c.low};
    }
    return table;
}();

struct ExpEntry {
    double tail;         ///< relative error of the rounded 2^(i/128)
    std::uint64_t bits;  ///< of 2^(i/128), rounded
};
constexpr auto kExpTable = [] {
    std::array<ExpEntry, kTableSize> table{};
    for (std::uint64_t i = 0; i < kTableSize; ++i) {
        const Uint128 exact = exp_q96(static_cast<Uint128>(kLn2Q96) * i / kTableSize);
        const double rounded = static_cast<double>(exact);
        const auto error = static_cast<Int128>(exact) - static_cast<Int128>(rounded);
        table[i] = {static_cast<double>(error) / rounded,
                    std::bit_cast<std::uint64_t>(rounded * 0x1p-96)};
    }
    return table;
}();
/// log(2) / 128 with 35 significant bits in the high part: exact times any k that can occur.
constexpr Split kLn2Step = split_q96(kLn2Q96 / static_cast<Int128>(kTableSize), 42);

// ---- Logarithm and exponential ------------------------------------------------------------------

/// x = 2^k z with z in [0.6875, 1.375), and r = z/c - 1 as an exact sum of two doubles.
struct Reduced {
    double k;
    const LogEntry* entry;
    double r_high;
    double r_low;
};

/// `bits` of a positive, normal double.
inline Reduced reduce_for_log(std::uint64_t bits) {
    const std::uint64_t offset = bits - kLogOffset;
    const LogEntry& entry = kLogTable[(offset >> (52 - kTableBits)) & (kTableSize - 1)];
    const std::int64_t k = static_cast<std::int64_t>(offset) >> 52;
    const std::uint64_t z_bits = bits - (offset & kExponentMask);
    const double z = std::bit_cast<double>(z_bits);
    const double z_high = std::bit_cast<double>(z_bits & 0xffffffff00000000ULL);
    return {static_cast<double>(k), &entry, z_high * entry.inverse - 1.0,
            (z - z_high) * entry.inverse};
}

/// Bits of a positive double, a subnormal one written as if exponents went below the range.
inline std::uint64_t normalised_bits(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    if (bits >> 52 != 0) return bits;
    return std::bit_cast<std::uint64_t>(x * 0x1p52) - (52ULL << 52);
}

/// log(x) as high + low to about 2^-66, for the bits of a positive, normalised double.
Split log_extended(std::uint64_t bits) {
    const Reduced v = reduce_for_log(bits);
    const double r = v.r_high + v.r_low;
    const double carried = r - v.r_high;
    const double r_tail = (v.r_high - (r - carried)) + (v.r_low - carried);

    const double w = v.k * kLn2.high + v.entry->log_high;
    const double sum = w + r;
    const double sum_tail = w - sum + r;

    // -r^2/2 as an exact sum (Dekker's product).
    const double c = r * 134217729.0;
    const double a = c - (c - r);
    const double b = r - a;
    const double r2 = r * r;
    const double r2_tail = ((a * a - r2) + 2.0 * a * b) + b * b;
    const double high = sum - 0.5 * r2;
    const double high_tail = sum - high - 0.5 * r2;

    const double r4 = r2 * r2;
    const double p = r * r2 *
                     (((1.0 / 3 - r * (1.0 / 4)) + r2 * (1.0 / 5 - r * (1.0 / 6))) +
                      r4 * ((1.0 / 7 - r * (1.0 / 8)) + r2 * (1.0 / 9 - r * (1.0 / 10))));
    const double low = sum_tail + (v.k * kLn2.low + v.entry->log_low) + high_tail - 0.5 * r2_tail +
                       (r_tail - r * r_tail) + p;
    const double result = high + low;
    return {result, high - result + low};
}

/// e^(x + tail) for -1075 < x < 1024; `tail` is at most a few ulp of x.
inline double exp_reduced(double x, double tail) {
    constexpr double kInverseStep = 0x1.71547652b82fep0 * static_cast<double>(kTableSize);
    constexpr double kShift = 0x1.8p52;  // adding it rounds to an integer and shows its low bits
    const double shifted = x * kInverseStep + kShift;
    const auto k = std::bit_cast<std::uint64_t>(shifted);
    const double kd = shifted - kShift;
    const double r = (x - kd * kLn2Step.high) - kd * kLn2Step.low + tail;

    const ExpEntry& entry = kExpTable[k & (kTableSize - 1)];
    const std::uint64_t bits = entry.bits + ((k & ~(kTableSize - 1)) << (52 - kTableBits));
    const double r2 = r * r;
    const double p =
        entry.tail + r + r2 * (0.5 + r * (1.0 / 6)) + r2 * r2 * (1.0 / 24 + r * (1.0 / 120));
    if (x > -708.0 && x < 709.0) [[likely]] {
        const double scale = std::bit_cast<double>(bits);
        return scale + scale * p;
    }
    // The power of two alone may lie outside the range: apply the last part of it at the end.
    const bool large = x > 0;
    const std::uint64_t shift = large ? -(1009ULL << 52) : 1022ULL << 52;
    const double scale = std::bit_cast<double>(bits + shift);
    return (scale + scale * p) * (large ? 0x1p1009 : 0x1p-1022);
}

double log_special(double x) {
    if (x == 0.0) return -kInfinity;
    if (x == kInfinity) return x;
    return kNan;
}

inline double log_of_bits(std::uint64_t bits) {
    const Reduced v = reduce_for_log(bits);
    const double r = v.r_high + v.r_low;
    const double w = v.k * kLn2.high + v.entry->log_high;
    const double high = w + r;
    const double low = w - high + r + (v.k * kLn2.low + v.entry->log_low);
    // Taylor's series: |r| < 2^-7, so the first term left out is below 2^-59 of the result.
    const double r2 = r * r;
    const double p = (1.0 / 3 - r * (1.0 / 4)) +
                     r2 * ((1.0 / 5 - r * (1.0 / 6)) + r2 * (1.0 / 7 - r * (1.0 / 8)));
    return ((low - 0.5 * r2) + r * r2 * p) + high;
}

}  // namespace

double det_log(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    constexpr std::uint64_t kLeastNormal = 1ULL << 52;
    if (bits - kLeastNormal < (0x7ffULL << 52) - kLeastNormal) [[likely]]
        return log_of_bits(bits);
    if (!(x > 0.0) || x == kInfinity) return log_special(x);
    return log_of_bits(normalised_bits(x));
}

double det_exp(double x) {
    if (x > -1075.0 && x < 1024.0) [[likely]]
        return exp_reduced(x, 0.0);
    if (x >= 1024.0) return kInfinity;
    return x <= -1075.0 ? 0.0 : kNan;
}

namespace {

enum class Parity { not_integer, even, odd };

Parity parity_of(double y) {
    const double size = std::fabs(y);
    if (size >= 0x1p53) return Parity::even;
    const auto whole = static_cast<std::int64_t>(size);
    if (static_cast<double>(whole) != size) return Parity::not_integer;
    return whole % 2 == 0 ? Parity::even : Parity::odd;
}

/// The cases of pow in which an argument is zero, infinite or NaN (y is not 0, x is not 1).
double pow_special(double x, double y) {
    if (x != x || y != y) return kNan;
    if (y == kInfinity || y == -kInfinity) {
        if (x == -1.0) return 1.0;
        return (std::fabs(x) > 1.0) == (y > 0.0) ? kInfinity : 0.0;
    }
    const bool negative = std::signbit(x) && parity_of(y) == Parity::odd;
    const double size = (x == 0.0) == (y > 0.0) ? 0.0 : kInfinity;
    return negative ? -size : size;
}

}  // namespace

double det_pow(double x, double y) {
    if (y == 0.0 || x == 1.0) return 1.0;
    const double size = std::fabs(x);
    if (x == 0.0 || !(size < kInfinity) || !(std::fabs(y) < kInfinity)) return pow_special(x, y);
    double sign = 1.0;
    if (x < 0.0) {
        const Parity parity = parity_of(y);
        if (parity == Parity::not_integer) return kNan;
        if (parity == Parity::odd) sign = -1.0;
        if (size == 1.0) return sign;
    }
    const Split log_x = log_extended(normalised_bits(size));
    // Beyond 2^64 no result but 0 and inf is left, and the splitting below would overflow.
    const double exponent = std::clamp(y, -0x1p64, 0x1p64);
    const double product = exponent * log_x.high;
    if (product >= 1024.0) return sign * kInfinity;
    if (product <= -1075.0) return sign * 0.0;
    const double cy = exponent * 134217729.0;
    const double y_high = cy - (cy - exponent), y_low = exponent - y_high;
    const double cl = log_x.high * 134217729.0;
    const double l_high = cl - (cl - log_x.high), l_low = log_x.high - l_high;
    const double error =
        ((y_high * l_high - product) + y_high * l_low + y_low * l_high) + y_low * l_low;
    return sign * exp_reduced(product, error + exponent * log_x.low);
}

double det_log1p(double x) {
    const double sum = 1.0 + x;
    if (!(sum > 0.0) || sum == kInfinity) return log_special(sum);
    const double back = sum - 1.0;
    const double lost = (1.0 - (sum - back)) + (x - back);
    const double main = log_of_bits(std::bit_cast<std::uint64_t>(sum));
    return lost == 0.0 ? main : main + lost / sum;
}

double det_expm1(double x) {
    if (std::fabs(x) > 0.5 || x != x) return det_exp(x) - 1.0;
    double sum = 0.0;  // x^17/17! is below 2^-60 of the result
    for (int n = 16; n >= 2; --n) sum = (sum + 1.0) * x / n;
    return x + x * sum;
}

// ---- Gamma function -----------------------------------------------------------------------------

namespace {

constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb5p-1;
constexpr double kTwoPi = 0x1.921fb54442d18p2;

/// Stirling's series for log_gamma(x) - ((x - 1/2) log x - x + log(2 pi)/2), x >= 10
/// (Abramowitz and Stegun 6.1.40).
double stirling_correction(double x) {
    const double s = 1.0 / (x * x);
    double sum = 1.0 / 156;
    sum = sum * s - 691.0 / 360360;
    sum = sum * s + 1.0 / 1188;
    sum = sum * s - 1.0 / 1680;
    sum = sum * s + 1.0 / 1260;
    sum = sum * s - 1.0 / 360;
    sum = sum * s + 1.0 / 12;
    return sum / x;
}

/// mu - log(1 + mu), mu > -1, without cancellation near 0.
double log1p_deficit(double mu) {
    if (std::fabs(mu) > 0.3) return mu - det_log1p(mu);
    const double s = mu / (2.0 + mu);
    const double s2 = s * s;
    double sum = 0.0;  // |s| < 0.18
    for (int n = 25; n >= 3; n -= 2) sum = sum * s2 + 1.0 / n;
    return mu * s - 2.0 * s * s2 * sum;
}

/// x^a e^-x / Gamma(a + 1), to full relative precision for large a too.
double gamma_prefix(double a, double x) {
    if (a < 10.0) return det_exp(a * det_log(x) - x - log_gamma(a + 1.0));
    const double exponent = a * log1p_deficit((x - a) / a) + stirling_correction(a);
    return det_exp(-exponent) / std::sqrt(kTwoPi * a);
}

}  // namespace

double log_gamma(double x) {
    HEADROOM_CHECK(x > 0.0, "log_gamma needs a positive argument");
    double product = 1.0;
    for (; x < 10.0; x += 1.0) product *= x;
    const double main = (x - 0.5) * det_log(x) - x + kHalfLogTwoPi + stirling_correction(x);
    return product == 1.0 ? main : main - det_log(product);
}

namespace {

IncompleteGamma incomplete_gamma(double a, double x, double prefix) {
    if (x < a + 1.0) {  // Abramowitz and Stegun 6.5.29
        double term = 1.0, sum = 1.0;
        for (double n = 1.0; term > sum * 0x1p-54; n += 1.0) {
            term *= x / (a + n);
            sum += term;
        }
        const double lower = std::min(prefix * sum, 1.0);
        return {lower, 1.0 - lower};
    }
    // Continued fraction (Abramowitz and Stegun 6.5.31, even part) by Lentz's algorithm.
    constexpr double kTiny = 0x1p-900;
    double b = x + 1.0 - a;
    double c = 1.0 / kTiny;
    double d = 1.0 / b;
    double fraction = d;
    for (double n = 1.0;; n += 1.0) {
        const double numerator = n * (a - n);
        b += 2.0;
        d = numerator * d + b;
        if (std::fabs(d) < kTiny) d = kTiny;
        c = b + numerator / c;
        if (std::fabs(c) < kTiny) c = kTiny;
        d = 1.0 / d;
        const double factor = d * c;
        fraction *= factor;
        if (std::fabs(factor - 1.0) < 0x1p-52) break;
    }
    const double upper = std::min(prefix * a * fraction, 1.0);
    return {1.0 - upper, upper};
}

}  // namespace

IncompleteGamma incomplete_gamma(double a, double x) {
    HEADROOM_CHECK(a > 0.0 && x >= 0.0, "incomplete_gamma needs a > 0 and x >= 0");
    if (x == 0.0) return {0.0, 1.0};
    if (x == kInfinity) return {1.0, 0.0};
    return incomplete_gamma(a, x, gamma_prefix(a, x));
}

// ---- Quantiles ----------------------------------------------------------------------------------

IncompleteGamma normal_cdf(double z) {
    const IncompleteGamma half = incomplete_gamma(0.5, 0.5 * z * z);
    const double beyond = 0.5 * half.upper;
    const double within = 0.5 + 0.5 * half.lower;
    return z < 0.0 ? IncompleteGamma{beyond, within} : IncompleteGamma{within, beyond};
}

namespace {

/// Numerator and denominator of degree 7, constant term first; the denominator's is 1.
double ratio(const std::array<double, 8>& p, const std::array<double, 7>& q, double x) {
    const double x2 = x * x, x4 = x2 * x2;
    const auto evaluate = [&](double c0, const double* c) {
        return ((c0 + c[0] * x) + (c[1] + c[2] * x) * x2) +
               ((c[3] + c[4] * x) + (c[5] + c[6] * x) * x2) * x4;
    };
    return evaluate(p[0], p.data() + 1) / evaluate(1.0, q.data());
}

constexpr std::array<double, 8> kCentreP = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                            1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                            4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                            3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr std::array<double, 7> kCentreQ = {4.2313330701600911252e+1, 6.8718700749205790830e+2,
                                            5.3941960214247511077e+3, 2.1213794301586595867e+4,
                                            3.9307895800092710610e+4, 2.8729085735721942674e+4,
                                            5.2264952788528545610e+3};
constexpr std::array<double, 8> kMiddleP = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                            5.76949722146069140550e0,  3.64784832476320460504e0,
                                            1.27045825245236838258e0,  2.41780725177450611770e-1,
                                            2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array<double, 7> kMiddleQ = {2.05319162663775882187e0,  1.67638483018380384940e0,
                                            6.89767334985100004550e-1, 1.48103976427480074590e-1,
                                            1.51986665636164571966e-2, 5.47593808499534494600e-4,
                                            1.05075007164441684324e-9};
constexpr std::array<double, 8> kFarP = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                         1.78482653991729133580e0,  2.96560571828504891230e-1,
                                         2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                         2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array<double, 7> kFarQ = {5.99832206555887937690e-1, 1.36929880922735805310e-1,
                                         1.48753612908506148525e-2, 7.86869131145613259100e-4,
                                         1.84631831751005468180e-5, 1.42151175831644588870e-7,
                                         2.04426310338993978564e-15};

/// The normal quantile of a point given by its nearer tail, as a positive number.
double normal_tail_quantile(double tail) {
    const double r = std::sqrt(-det_log(tail));
    return r <= 5.0 ? ratio(kMiddleP, kMiddleQ, r - 1.6) : ratio(kFarP, kFarQ, r - 5.0);
}

}  // namespace

double normal_quantile(double u) {
    const double q = u - 0.5;
    if (std::fabs(q) <= 0.425) return q * ratio(kCentreP, kCentreQ, 0.180625 - q * q);
    if (!(u > 0.0 && u < 1.0)) {
        if (u == 0.0) return -kInfinity;
        return u == 1.0 ? kInfinity : kNan;
    }
    return q < 0.0 ? -normal_tail_quantile(u) : normal_tail_quantile(1.0 - u);
}

namespace {

double normal_quantile_of(double lower, double upper) {
    if (lower < 0.075) return -normal_tail_quantile(lower);
    return upper < 0.075 ? normal_tail_quantile(upper) : normal_quantile(lower);
}

/// Cornish-Fisher expansion (Goldberg and Levine, Ann. Math. Statist. 17, 1946), for large shapes.
double cornish_fisher(double z, double shape) {
    const double z2 = z * z;
    const double s = 1.0 / std::sqrt(shape);
    double sum = (((12.0 * z2 - 243.0) * z2 - 923.0) * z2 + 1472.0) / 204120.0;
    sum = sum * s + ((9.0 * z2 + 256.0) * z2 - 433.0) * z / 38880.0;
    sum = sum * s - ((3.0 * z2 + 7.0) * z2 - 16.0) / 810.0;
    sum = sum * s + (z2 - 7.0) * z / 36.0;
    sum = sum * s + (z2 - 1.0) / 3.0;
    return shape + (z * std::sqrt(shape) + sum);
}

/// A start for the iteration: Wilson and Hilferty (1931) above shape 1, below it the two branches
/// of Best and Roberts (AS 91, 1975) as a power of u and an exponential tail.
double start_of_search(double z, double lower, double upper, double shape) {
    if (shape > 1.0) {
        const double base = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * std::sqrt(shape));
        if (base > 0.1) return det_log(shape * base * base * base);
        return (det_log(lower) + log_gamma(shape + 1.0)) / shape;
    }
    const double split = 1.0 - shape * (0.253 + shape * 0.12);
    if (lower < split) return det_log(lower / split) / shape;
    return det_log(1.0 - det_log(upper / (1.0 - split)));
}

}  // namespace

double log_gamma_quantile(double lower, double upper, double shape) {
    HEADROOM_CHECK(shape > 0.0 && lower > 0.0 && upper > 0.0,
                   "a gamma quantile needs a positive shape and a point inside (0, 1)");
    const double z = normal_quantile_of(lower, upper);
    if (shape >= 1e5) return det_log(cornish_fisher(z, shape));
    // P(a, x) = x^a / Gamma(a + 1) to within a factor 1 - x.
    const double power = (det_log(lower) + log_gamma(shape + 1.0)) / shape;
    if (power < -40.0) return power;

    // Halley's iteration on the logarithm of the nearer tail over y = log(x), where both tails are
    // close to straight lines; a bracket catches what leaves it.
    const bool left = lower <= upper;
    const double target = left ? lower : upper;
    double least = -kInfinity, most = kInfinity;
    double y = start_of_search(z, lower, upper, shape);
    for (int iteration = 0; iteration < 200; ++iteration) {
        const double x = det_exp(y);
        const double prefix = gamma_prefix(shape, x);
        const IncompleteGamma at = incomplete_gamma(shape, x, prefix);
        const double tail = left ? at.lower : at.upper;
        const double value = det_log1p((tail - target) / target);
        if (value == 0.0) break;
        ((value < 0.0) == left ? least : most) = y;
        const double slope = (left ? prefix : -prefix) * shape / tail;
        const double newton = value / slope;
        const double halley = 1.0 - 0.5 * newton * ((shape - x) - slope);
        double next = y - newton / std::clamp(halley, 0.5, 2.0);
        const bool inside = next > least && next < most;
        if (!inside) {
            if (least == -kInfinity)
                next = most - 1.0;
            else if (most == kInfinity)
                next = least + 1.0;
            else
                next = 0.5 * (least + most);
        }
        const double step = std::fabs(next - y);
        y = next;
        // The error after a step is of the order of its cube, in units of the curve's own scale.
        if (inside && step * (1.0 + std::sqrt(shape) + std::fabs(shape - x)) < 2e-5) break;
        if (step == 0.0) break;
    }
    return y;
}

double gamma_quantile(double u, double shape) {
    return det_exp(log_gamma_quantile(u, 1.0 - u, shape));
}

}  // namespace headroom::inline core
