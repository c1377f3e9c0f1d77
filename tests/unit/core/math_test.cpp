#include "sim/core/math.hpp"

#include <algorithm>
#include <bit>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/bits.hpp"

namespace headroom {
namespace {

using tests::bits;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Distance in units of the last place of the right answer, which is given with 64 bits.
double ulps(double got, long double want) {
    const auto rounded = static_cast<double>(want);
    if (std::isnan(rounded)) return std::isnan(got) ? 0 : kInfinity;
    if (std::isinf(rounded)) return got == rounded ? 0 : kInfinity;
    int exponent = 0;
    std::frexp(rounded, &exponent);
    const double ulp = std::ldexp(1.0, std::max(exponent - 53, -1074));
    return static_cast<double>(std::fabs((static_cast<long double>(got) - want) / ulp));
}

double relative(double got, long double want) {
    if (want == 0) return got == 0 ? 0 : kInfinity;
    return static_cast<double>(std::fabs((static_cast<long double>(got) - want) / want));
}

/// The worst error over random arguments, with where it occurred for the failure's message.
struct Worst {
    double error = 0;
    double at = 0;
    void take(double e, double x) {
        if (!(e <= error)) {
            error = e;
            at = x;
        }
    }
};

constexpr std::uint64_t kRandomArguments = 100000;

TEST_CASE("det_log: is within one unit of the last place") {
    const RandomStream random{1, "det_log"};
    Worst wide, near_one;
    for (std::uint64_t i = 0; i < kRandomArguments; ++i) {
        const double u = random.uniform(i, 0);
        const double x = std::ldexp(1 + u, static_cast<int>(random.below(2046, i, 1)) - 1022);
        wide.take(ulps(det_log(x), std::log(static_cast<long double>(x))), x);
        const double close = 1 + std::ldexp(u - 0.5, -static_cast<int>(random.below(50, i, 2)));
        near_one.take(ulps(det_log(close), std::log(static_cast<long double>(close))), close);
    }
    INFO("worst at " << wide.at << " and " << near_one.at);
    CHECK(wide.error < 1);
    CHECK(near_one.error < 1);
}

TEST_CASE("det_log: never falls across the edges of its table") {
    for (int i = 0; i < 128; ++i) {
        const std::uint64_t edge = 0x3fe6000000000000ULL + (static_cast<std::uint64_t>(i) << 45);
        for (std::uint64_t b = edge - 3; b < edge + 3; ++b) {
            REQUIRE(det_log(std::bit_cast<double>(b)) <= det_log(std::bit_cast<double>(b + 1)));
        }
    }
}

TEST_CASE("det_log: zero, infinity, negatives, NaN and subnormals are defined") {
    CHECK(det_log(0.0) == -kInfinity);
    CHECK(det_log(-0.0) == -kInfinity);
    CHECK(det_log(kInfinity) == kInfinity);
    CHECK(std::isnan(det_log(-1.0)));
    CHECK(std::isnan(det_log(-0x1p-1074)));
    CHECK(std::isnan(det_log(-kInfinity)));
    CHECK(std::isnan(det_log(kNan)));
    CHECK(bits(det_log(1.0)) == 0);
    for (const double x : {0x1p-1074, 0x1.8p-1073, 0x0.fffffffffffffp-1022, 0x1p-1022}) {
        CHECK(ulps(det_log(x), std::log(static_cast<long double>(x))) < 1);
    }
    CHECK(ulps(det_log(std::numeric_limits<double>::max()),
               std::log(static_cast<long double>(std::numeric_limits<double>::max()))) < 1);
}

TEST_CASE("det_exp: is within one unit of the last place, two where the result is subnormal") {
    const RandomStream random{2, "det_exp"};
    Worst normal, subnormal;
    for (std::uint64_t i = 0; i < kRandomArguments; ++i) {
        const double u = random.uniform(i, 0);
        const double wide = (2 * u - 1) * 708;
        normal.take(ulps(det_exp(wide), std::exp(static_cast<long double>(wide))), wide);
        const double small = std::ldexp(2 * u - 1, -static_cast<int>(random.below(60, i, 1)));
        normal.take(ulps(det_exp(small), std::exp(static_cast<long double>(small))), small);
        const double low = -708 - 38 * u;
        subnormal.take(ulps(det_exp(low), std::exp(static_cast<long double>(low))), low);
    }
    INFO("worst at " << normal.at << " and " << subnormal.at);
    CHECK(normal.error < 1);
    CHECK(subnormal.error < 2);
}

TEST_CASE("det_exp: overflow, underflow and special arguments are defined") {
    CHECK(det_exp(0.0) == 1.0);
    CHECK(det_exp(-0.0) == 1.0);
    CHECK(det_exp(kInfinity) == kInfinity);
    CHECK(bits(det_exp(-kInfinity)) == 0);
    CHECK(std::isnan(det_exp(kNan)));
    const double last = 0x1.62e42fefa39efp9;  // the greatest x with a finite e^x
    CHECK(ulps(det_exp(last), std::exp(static_cast<long double>(last))) < 1);
    CHECK(det_exp(0x1.62e42fefa39f0p9) == kInfinity);
    CHECK(det_exp(1e300) == kInfinity);
    CHECK(det_exp(-745.13) == 0x1p-1074);
    CHECK(bits(det_exp(-745.14)) == 0);
    CHECK(bits(det_exp(-1e300)) == 0);
    CHECK(det_exp(0x1p-1074) == 1.0);
}

TEST_CASE("det_exp: undoes det_log") {
    const RandomStream random{3, "inverse"};
    for (std::uint64_t i = 0; i < 10000; ++i) {
        const double x = 0.5 + random.uniform(i);
        REQUIRE(relative(det_exp(det_log(x)), x) < 4e-16);
    }
}

TEST_CASE("det_pow: is within one unit of the last place for large exponents too") {
    const RandomStream random{4, "det_pow"};
    double worst = 0, worst_x = 0, worst_y = 0;
    const auto take = [&](double x, double y) {
        const double e = ulps(det_pow(x, y), std::pow(static_cast<long double>(x), y));
        if (e <= worst) return;
        worst = e;
        worst_x = x;
        worst_y = y;
    };
    for (std::uint64_t i = 0; i < kRandomArguments; ++i) {
        const double u = random.uniform(i, 0), v = 2 * random.uniform(i, 1) - 1;
        take(std::ldexp(1 + u, static_cast<int>(random.below(40, i, 2)) - 20), 30 * v);
        take(std::ldexp(1 + u, static_cast<int>(random.below(2000, i, 3)) - 1000), v);
        const double close = 1 + std::ldexp(u - 0.5, -static_cast<int>(random.below(30, i, 4)));
        if (close != 1) take(close, 600 * v / std::log(close));
    }
    INFO("worst at " << worst_x << " to the power of " << worst_y);
    CHECK(worst < 1);
}

TEST_CASE("det_pow: special cases are those of C's pow") {
    const double values[] = {
        0.0,  -0.0, 0.5,   -0.5,   1.0,      -1.0,  2.0,    -2.0,      3.0,       -3.0,       2.5,
        -2.5, 1e16, -1e16, 0x1p53, 0x1.8p53, 1e300, -1e300, 0x1p-1074, kInfinity, -kInfinity, kNan};
    for (const double x : values) {
        for (const double y : values) {
            const double want = std::pow(x, y), got = det_pow(x, y);
            INFO(x << " to the power of " << y << ": " << got << ", not " << want);
            if (std::isnan(want)) {
                CHECK(std::isnan(got));
            } else {
                CHECK(ulps(got, want) <= 1);
                CHECK(std::signbit(got) == std::signbit(want));
            }
        }
    }
    CHECK(det_pow(2.0, 10.0) == 1024.0);
    CHECK(det_pow(-2.0, 3.0) == -8.0);
    CHECK(det_pow(0x1p-1074, 0.5) == 0x1p-537);
}

TEST_CASE("det_log1p and det_expm1: keep their digits next to zero") {
    const RandomStream random{5, "log1p"};
    Worst log1p, expm1;
    for (std::uint64_t i = 0; i < kRandomArguments; ++i) {
        const double x =
            std::ldexp(2 * random.uniform(i, 0) - 1, 2 - static_cast<int>(random.below(200, i, 1)));
        if (x > -1) log1p.take(ulps(det_log1p(x), std::log1p(static_cast<long double>(x))), x);
        expm1.take(ulps(det_expm1(x), std::expm1(static_cast<long double>(x))), x);
    }
    INFO("worst at " << log1p.at << " and " << expm1.at);
    CHECK(log1p.error < 2);
    CHECK(expm1.error < 2);
    CHECK(det_log1p(-1.0) == -kInfinity);
    CHECK(std::isnan(det_log1p(-1.5)));
    CHECK(std::isnan(det_log1p(kNan)));
    CHECK(det_log1p(kInfinity) == kInfinity);
    CHECK(det_log1p(0.0) == 0.0);
    CHECK(det_expm1(0.0) == 0.0);
    CHECK(det_expm1(-kInfinity) == -1.0);
    CHECK(det_expm1(kInfinity) == kInfinity);
    CHECK(std::isnan(det_expm1(kNan)));
}

TEST_CASE("log_gamma: agrees with Boost.Math") {
    const RandomStream random{6, "log_gamma"};
    Worst worst;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const double x =
            std::ldexp(1 + random.uniform(i, 0), static_cast<int>(random.below(60, i, 1)) - 30);
        const long double want = boost::math::lgamma(static_cast<long double>(x));
        const long double scale = std::max(1.0L, std::fabs(want));
        worst.take(static_cast<double>(std::fabs(log_gamma(x) - want) / scale), x);
    }
    INFO("worst at " << worst.at);
    CHECK(worst.error < 1e-14);
    CHECK(log_gamma(1.0) == Approx(0.0).margin(1e-14));
    CHECK(log_gamma(0.5) == Approx(0.57236494292470008707).epsilon(1e-14));
    CHECK(log_gamma(171.0) == Approx(706.57306224578734715).epsilon(1e-15));
}

TEST_CASE("incomplete_gamma: agrees with Boost.Math in both tails") {
    const RandomStream random{7, "incomplete_gamma"};
    Worst worst;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        const double a = std::exp(12 * random.uniform(i, 0) - 6);
        const double x = a * std::exp(2 * random.uniform(i, 1) - 1);
        const IncompleteGamma got = incomplete_gamma(a, x);
        const long double la = a, lx = x;
        worst.take(relative(got.lower, boost::math::gamma_p(la, lx)), a);
        const long double upper = boost::math::gamma_q(la, lx);
        if (x > a + 1) worst.take(relative(got.upper, upper), a);
        REQUIRE(got.lower + got.upper == Approx(1.0).epsilon(1e-15));
    }
    INFO("worst at shape " << worst.at);
    CHECK(worst.error < 2e-13);
    CHECK(incomplete_gamma(2.0, 0.0).upper == 1.0);
    CHECK(incomplete_gamma(2.0, kInfinity).lower == 1.0);
}

TEST_CASE("normal_quantile: agrees with Boost.Math to 1e-15 from one end to the other") {
    const RandomStream random{8, "normal_quantile"};
    Worst worst;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        double u = random.uniform(i, 0);
        if (i % 3 == 1) u = std::ldexp(u, -static_cast<int>(random.below(900, i, 1)));
        if (i % 3 == 2) u = 1 - std::ldexp(u, -static_cast<int>(random.below(50, i, 1)));
        if (!(u > 0 && u < 1)) continue;
        const long double tail =
            u < 0.5 ? static_cast<long double>(u) : 1 - static_cast<long double>(u);
        const long double z = std::sqrt(2.0L) * boost::math::erfc_inv(2 * tail);
        worst.take(relative(normal_quantile(u), u < 0.5 ? -z : z), u);
    }
    INFO("worst at " << worst.at);
    CHECK(worst.error < 1e-15);
    CHECK(normal_quantile(0.5) == 0.0);
    CHECK(normal_quantile(0.0) == -kInfinity);
    CHECK(normal_quantile(1.0) == kInfinity);
    CHECK(std::isnan(normal_quantile(-0.1)));
    CHECK(std::isnan(normal_quantile(1.1)));
    CHECK(std::isnan(normal_quantile(kNan)));
}

TEST_CASE("normal_cdf: undoes normal_quantile in both tails") {
    for (double z = -8.2; z < 8.25; z += 0.1) {
        const IncompleteGamma u = normal_cdf(z);
        const double tail = std::min(u.lower, u.upper);
        CHECK(-std::fabs(z) == Approx(normal_quantile(tail)).epsilon(1e-13).margin(1e-14));
        CHECK(relative(tail, 0.5L * std::erfc(std::fabs(static_cast<long double>(z)) /
                                              std::sqrt(2.0L))) < 1e-13);
    }
}

TEST_CASE("gamma_quantile: agrees with Boost.Math for shapes from 0.001 to 100 million") {
    const RandomStream random{9, "gamma_quantile"};
    for (const double shape : {1e-3, 0.01, 0.1,  0.25,  0.5, 0.99, 1.0,    1.01, 2.0, 5.0,
                               9.99, 10.0, 30.0, 100.0, 1e3, 1e4,  9.99e4, 1e5,  1e6, 1e8}) {
        Worst worst;
        const std::uint64_t draws = shape > 100 && shape < 1e5 ? 60 : 300;
        for (std::uint64_t i = 0; i < draws; ++i) {
            double u = random.uniform(i, 0);
            if (i % 3 == 1) u = std::ldexp(u, -static_cast<int>(random.below(60, i, 1)));
            if (i % 3 == 2) u = 1 - std::ldexp(u, -static_cast<int>(random.below(50, i, 1)));
            if (!(u > 0 && u < 1)) continue;
            const long double a = shape, lu = u;
            const long double want =
                u < 0.5 ? boost::math::gamma_p_inv(a, lu) : boost::math::gamma_q_inv(a, 1 - lu);
            if (want > 1e-290L) worst.take(relative(gamma_quantile(u, shape), want), u);
        }
        INFO("shape " << shape << ", worst at " << worst.at);
        CHECK(worst.error < (shape < 0.1 ? 1e-11 : shape < 30 ? 2e-13 : 4e-15));
    }
}

TEST_CASE("gamma_quantile: rises with u, and underflows to zero for a tiny shape") {
    for (const double shape : {0.02, 0.3, 1.0, 7.0, 300.0}) {
        double last = 0;
        for (double u = 0.001; u < 1; u += 0.001) {
            const double x = gamma_quantile(u, shape);
            REQUIRE(x >= last);
            last = x;
        }
    }
    CHECK(gamma_quantile(1e-10, 1e-3) == 0.0);
    CHECK(log_gamma_quantile(1e-10, 1.0, 1e-3) == Approx(-23026.4).epsilon(1e-4));
    // Shape 1 is the exponential distribution.
    for (const double u : {1e-12, 0.1, 0.5, 0.9, 1 - 0x1p-53}) {
        CHECK(gamma_quantile(u, 1.0) == Approx(-det_log1p(-u)).epsilon(1e-13));
    }
}

TEST_CASE("math: results have the same bits for all time") {
    CHECK(bits(det_log(0.1)) == 0xc0026bb1bbb55515ULL);
    CHECK(bits(det_log(12345.678)) == 0x4022d79559791e31ULL);
    CHECK(bits(det_exp(0.1)) == 0x3ff1aec7b35a00d4ULL);
    CHECK(bits(det_exp(-700.7)) == 0x00c130e7f11093c4ULL);
    CHECK(bits(det_pow(1.1, 7.7)) == 0x4000aa526ce4cc97ULL);
    CHECK(bits(det_log1p(-0.3)) == 0xbfd6d3c324e13f4fULL);
    CHECK(bits(det_expm1(0.01)) == 0x3f84952e9791133fULL);
    CHECK(bits(log_gamma(3.7)) == 0x3ff6d9625e359b80ULL);
    CHECK(bits(normal_quantile(0.3)) == 0xbfe0c7e39582c5fbULL);
    CHECK(bits(normal_quantile(0.999)) == 0x4008b8cbb7204471ULL);
    CHECK(bits(normal_quantile(1e-20)) == 0xc022865170b43a4cULL);
    CHECK(bits(gamma_quantile(0.3, 0.25)) == 0x3f767e0c48a19daeULL);
    CHECK(bits(gamma_quantile(0.99, 20.0)) == 0x403fd86a2901821fULL);
}

TEST_CASE("math: many results have the same bits for all time") {
    const RandomStream random{10, "golden"};
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const double u = random.uniform(i, 0), v = random.uniform(i, 1);
        for (const double x : {det_log(1e3 * u), det_exp(40 * u - 20), det_pow(3 * u, 9 * v - 4),
                               det_log1p(-u), normal_quantile(u)}) {
            sum = mix64(sum + bits(x));
        }
        if (i % 20 == 0) sum = mix64(sum + bits(gamma_quantile(u, 6 * v)));
    }
    CHECK(sum == 0x2353b1f262c5edabULL);
}

}  // namespace
}  // namespace headroom
