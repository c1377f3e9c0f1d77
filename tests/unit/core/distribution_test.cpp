#include "sim/core/distribution.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "sim/core/math.hpp"
#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/bits.hpp"

namespace headroom {
namespace {

using tests::bits;

struct Named {
    std::string name;
    Distribution distribution;
};

std::vector<Named> one_of_each() {
    return {{"fixed", Distribution::fixed(3.25)},
            {"exponential", Distribution::exponential(0.02)},
            {"lognormal", Distribution::lognormal(6.2, 1.1)},
            {"normal", Distribution::normal(100, 15)},
            {"gamma bursty", Distribution::gamma(0.25, 4)},
            {"gamma smooth", Distribution::gamma(9, 0.5)},
            {"weibull", Distribution::weibull(0.7, 2)},
            {"uniform", Distribution::uniform(-1, 4)},
            {"empirical", Distribution::empirical({{0, 1}, {0.5, 10}, {0.9, 50}, {1, 400}})}};
}

/// Integral of f(u) over (0, 1) by the tanh-sinh rule, which copes with infinite ends.
template <class F>
double integrate(F f) {
    constexpr double kStep = 1.0 / 512;
    constexpr double kHalfPi = 1.57079632679489661923;
    double sum = 0;
    for (int i = -2100; i <= 2100; ++i) {
        const double t = i * kStep;
        const double e = std::exp(-2 * kHalfPi * std::sinh(std::fabs(t)));
        const double near = e / (1 + e);  // distance from the nearer end
        const double weight = 2 * kHalfPi * std::cosh(t) * near / (1 + e);
        const double u = t < 0 ? near : 1 - near;
        if (u > 0 && u < 1) sum += weight * f(u);
    }
    return sum * kStep;
}

TEST_CASE("Distribution: mean and cv are the moments of the quantile function") {
    for (const auto& [name, d] : one_of_each()) {
        INFO(name);
        const Distribution& distribution = d;
        const double mean = integrate([&](double u) { return distribution.quantile(u); });
        CHECK(distribution.mean() == Approx(mean).epsilon(1e-5));
        const double variance = integrate([&](double u) {
            const double x = distribution.quantile(u) - mean;
            return x * x;
        });
        CHECK(distribution.cv() == Approx(std::sqrt(variance) / mean).epsilon(1e-4).margin(1e-8));
    }
}

TEST_CASE("Distribution: means and cvs are the textbook's") {
    CHECK(Distribution::exponential(5).mean() == 5);
    CHECK(Distribution::exponential(5).cv() == 1);
    CHECK(Distribution::gamma(0.25, 4).mean() == 1);
    CHECK(Distribution::gamma(0.25, 4).cv() == 2);
    CHECK(Distribution::normal(-10, 5).cv() == 0.5);
    CHECK(Distribution::normal(0, 5).cv() == std::numeric_limits<double>::infinity());
    CHECK(Distribution::normal(0, 0).cv() == 0);
    CHECK(Distribution::weibull(1, 3).mean() == Approx(3).epsilon(1e-13));
    CHECK(Distribution::weibull(1, 3).cv() == Approx(1).epsilon(1e-13));
    CHECK(Distribution::lognormal(0, 1e-5).cv() == Approx(1e-5).epsilon(1e-9));
    CHECK(Distribution::uniform(0, 12).mean() == 6);
    CHECK(Distribution::fixed(4).mean() == 4);
    CHECK(Distribution::fixed(4).cv() == 0);
    CHECK(Distribution{}.mean() == 0);
}

TEST_CASE("Distribution: values never fall when u rises") {
    for (const auto& [name, d] : one_of_each()) {
        INFO(name);
        double last = -std::numeric_limits<double>::infinity();
        for (int i = -53; i < 0; ++i) {
            const double value = d.quantile(std::ldexp(1.0, i));
            CHECK(value >= last);
            last = value;
        }
        last = d.quantile(0x1p-53);
        for (int i = 1; i < 20000; ++i) {
            const double value = d.quantile(i / 20000.0);
            if (value < last) FAIL("falls at " << i / 20000.0);
            last = value;
        }
        CHECK(d.quantile(1 - 0x1p-53) >= last);
    }
}

TEST_CASE("Distribution: medians are where they should be") {
    CHECK(Distribution::exponential(2).quantile(0.5) == Approx(2 * 0.693147180559945309));
    CHECK(Distribution::lognormal(3, 2).quantile(0.5) ==
          Approx(20.0855369231876677).epsilon(1e-15));
    CHECK(Distribution::normal(7, 3).quantile(0.5) == 7);
    CHECK(Distribution::weibull(2, 1).quantile(0.5) == Approx(std::sqrt(0.693147180559945309)));
    CHECK(Distribution::uniform(2, 6).quantile(0.25) == 3);
    CHECK(Distribution::fixed(9).quantile(0.01) == 9);
}

TEST_CASE("Distribution: a gamma's table agrees with the quantile function to 1e-10") {
    const RandomStream random{1, "gamma-table"};
    for (const double shape : {1e-3, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 9.0, 100.0, 1e3, 1e5}) {
        const Distribution d = Distribution::gamma(shape, 3);
        double worst = 0, worst_u = 0;
        for (std::uint64_t i = 0; i < 1500; ++i) {
            double u = random.uniform(i, 0);
            if (i % 3 == 1) u = std::ldexp(u, -static_cast<int>(random.below(52, i, 1)));
            if (i % 3 == 2) u = 1 - std::ldexp(u, -static_cast<int>(random.below(50, i, 1)));
            if (!(u > 0 && u < 1)) continue;
            const double want = 3 * gamma_quantile(u, shape);
            if (want < 1e-290) continue;
            const double error = std::fabs(d.quantile(u) - want) / want;
            if (error > worst) worst = error, worst_u = u;
        }
        INFO("shape " << shape << ", worst at " << worst_u);
        CHECK(worst < 1e-10);
    }
}

TEST_CASE("Distribution: a gamma beyond the range of a stream's draws is still right") {
    const Distribution d = Distribution::gamma(0.5, 1);
    CHECK(d.quantile(1e-30) == Approx(gamma_quantile(1e-30, 0.5)).epsilon(1e-12));
    CHECK(d.quantile(1e-30) > 0);
    CHECK(d.quantile(0x1p-53) == Approx(gamma_quantile(0x1p-53, 0.5)).epsilon(1e-10));
    CHECK(d.quantile(1 - 0x1p-53) == Approx(gamma_quantile(1 - 0x1p-53, 0.5)).epsilon(1e-10));
}

TEST_CASE("Distribution: an empirical one passes through its points, straight between") {
    const Distribution d = Distribution::empirical({{0, 2}, {0.25, 4}, {0.5, 4}, {1, 10}});
    CHECK(d.quantile(0.125) == 3);
    CHECK(d.quantile(0.25) == 4);
    CHECK(d.quantile(0.4) == 4);
    CHECK(d.quantile(0.75) == 7);
    CHECK(d.quantile(0x1p-53) == Approx(2));
    CHECK(d.quantile(1 - 0x1p-53) == Approx(10));
    CHECK(d.mean() == Approx(0.25 * 3 + 0.25 * 4 + 0.5 * 7));
}

TEST_CASE("Distribution: durations are whole picoseconds and never negative") {
    CHECK(Distribution::fixed(0.0065).duration_at(0.5) == Duration::microseconds(6500));
    CHECK(Distribution::fixed(-1).duration_at(0.5) == Duration::zero());
    CHECK(Distribution::normal(0, 1).duration_at(0.1) == Duration::zero());
    CHECK(Distribution::exponential(1).duration_at(0x1p-53).ps() == 0);
    CHECK(Distribution::fixed(1e30).duration_at(0.5) == Duration::max());
    CHECK(Distribution::exponential(0).duration_at(0.9) == Duration::zero());
    const RandomStream random{2, "duration"};
    const Distribution d = Distribution::exponential(0.5);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const double u = random.uniform(i);
        REQUIRE(d.duration_at(u).ps() == std::llround(d.quantile(u) * 1e12));
    }
}

TEST_CASE("Distribution: whole numbers are at least 1, halves away from zero") {
    CHECK(Distribution::fixed(-5).whole_at(0.5) == 1);
    CHECK(Distribution::fixed(0.2).whole_at(0.5) == 1);
    CHECK(Distribution::fixed(1.49).whole_at(0.5) == 1);
    CHECK(Distribution::fixed(1.5).whole_at(0.5) == 2);
    CHECK(Distribution::fixed(2.5).whole_at(0.5) == 3);
    CHECK(Distribution::fixed(0x1p52 + 1).whole_at(0.5) == (std::int64_t{1} << 52) + 1);
    CHECK(Distribution::fixed(1e30).whole_at(0.5) == std::int64_t{1} << 62);
}

TEST_CASE("Distribution: a copy draws the same values") {
    for (const auto& [name, d] : one_of_each()) {
        INFO(name);
        Distribution copy;
        copy = d;
        CHECK(copy.kind() == d.kind());
        CHECK(bits(copy.quantile(0.77)) == bits(d.quantile(0.77)));
    }
}

TEST_CASE("Distribution: draws have the same bits for all time") {
    const std::vector<std::vector<std::uint64_t>> golden = {
        {0x400a000000000000ULL, 0x400a000000000000ULL, 0x400a000000000000ULL,
         0x400a000000000000ULL},  // fixed
        {0x3f94727c7e1e8751ULL, 0x3f9165beb5bc0219ULL, 0x3f6e30a97bb6e4f3ULL,
         0x3f6451da40ae9b6cULL},  // exponential
        {0x4086481eae516054ULL, 0x4082d1d48163ba93ULL, 0x406566fcf2778918ULL,
         0x4060999f4f127090ULL},  // lognormal
        {0x405a42798fb69233ULL, 0x4059af1a09bab46fULL, 0x4055657988543577ULL,
         0x405487b922c1dcbdULL},  // normal
        {0x3fde2441ed9e0de2ULL, 0x3fd3b4b8f30e453dULL, 0x3f61bf0865eaa0b2ULL,
         0x3f40605e27a988c1ULL},  // gamma bursty
        {0x401362a05fca4b3cULL, 0x40126e43d787b034ULL, 0x4008965256d4cc29ULL,
         0x400680fff348f5b4ULL},  // gamma smooth
        {0x3fffed453ee3200dULL, 0x3ff959158e817eeeULL, 0x3fc6d9726a5ebcf3ULL,
         0x3fb9f53013c134cdULL},  // weibull
        {0x400142e0f23cc6baULL, 0x3ffdca072f2d929cULL, 0xbfc44c27ee49d25cULL,
         0xbfdaace5993393a6ULL},  // uniform
        {0x403727325d97f0d2ULL, 0x40313c88faf8f742ULL, 0x40101dd51b97b1efULL,
         0x4008cbcbe1759728ULL},  // empirical
    };
    const RandomStream stream{42, "distribution"};
    const auto all = one_of_each();
    REQUIRE(golden.size() == all.size());
    for (std::size_t k = 0; k < all.size(); ++k) {
        INFO(all[k].name);
        for (std::size_t i = 0; i < golden[k].size(); ++i) {
            CHECK(bits(all[k].distribution.quantile(stream.uniform(i))) == golden[k][i]);
        }
    }
}

}  // namespace
}  // namespace headroom
