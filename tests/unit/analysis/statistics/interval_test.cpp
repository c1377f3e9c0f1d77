#include "analysis/statistics/interval.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/aborts.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

/// Hours of sleep gained under two drugs by ten patients: Student, Biometrika 6 (1908), as in R's
/// data set `sleep`, whose t.test gives the intervals below.
const std::vector<double> kDrug1{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
const std::vector<double> kDrug2{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

std::vector<double> ranks(std::size_t n) {
    std::vector<double> values(n);
    std::iota(values.begin(), values.end(), 1.0);
    return values;
}

/// P(B <= k) of a binomial B, term by term.
double binomial_cdf(std::size_t n, double q, std::size_t k) {
    const auto all = static_cast<double>(n);
    double sum = 0;
    for (std::size_t i = 0; i <= k; ++i) {
        const auto some = static_cast<double>(i);
        sum += std::exp(std::lgamma(all + 1) - std::lgamma(some + 1) - std::lgamma(all - some + 1) +
                        some * std::log(q) + (all - some) * std::log(1 - q));
    }
    return sum;
}

}  // namespace

TEST_CASE("Interval: quantiles of t are those of the published table") {
    struct Row {
        double degrees;
        double t90, t95, t975, t995;
    };
    for (const Row& row : {Row{1, 3.078, 6.314, 12.706, 63.657},
                           {2, 1.886, 2.920, 4.303, 9.925},
                           {4, 1.533, 2.132, 2.776, 4.604},
                           {9, 1.383, 1.833, 2.262, 3.250},
                           {19, 1.328, 1.729, 2.093, 2.861},
                           {30, 1.310, 1.697, 2.042, 2.750},
                           {120, 1.289, 1.658, 1.980, 2.617}}) {
        INFO(row.degrees << " degrees of freedom");
        CHECK(student_t_quantile(0.90, row.degrees) == Approx(row.t90).margin(0.0005));
        CHECK(student_t_quantile(0.95, row.degrees) == Approx(row.t95).margin(0.0005));
        CHECK(student_t_quantile(0.975, row.degrees) == Approx(row.t975).margin(0.0005));
        CHECK(student_t_quantile(0.995, row.degrees) == Approx(row.t995).margin(0.0005));
        CHECK(student_t_quantile(0.025, row.degrees) ==
              Approx(-student_t_quantile(0.975, row.degrees)));
    }
    CHECK(student_t_quantile(0.5, 3) == 0);
    CHECK(student_t_quantile(0.975, 2.5) < 4.303);  // broken degrees: between 2 and 3
    CHECK(student_t_quantile(0.975, 2.5) > 3.182);
}

// Law, Simulation Modeling and Analysis, example 4.26.
TEST_CASE("Interval: of a mean as in the textbook") {
    const Interval interval = mean_interval(
        std::vector<double>{1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09}, 0.90);
    CHECK(interval.count == 10);
    CHECK(interval.mean == Approx(1.343));
    CHECK(interval.half_width == Approx(0.24).margin(0.005));
    CHECK(interval.low() == interval.mean - interval.half_width);
    CHECK(interval.covers(interval.high()));
    CHECK_FALSE(interval.covers(1.60));
}

TEST_CASE("Interval: paired and independent differences as R's t.test has them") {
    const Interval paired = paired_difference(kDrug1, kDrug2);
    CHECK(paired.count == 10);
    CHECK(paired.mean == Approx(-1.58));
    CHECK(paired.low() == Approx(-2.4598858).epsilon(1e-7));
    CHECK(paired.high() == Approx(-0.7001142).epsilon(1e-7));
    const Interval welch = welch_difference(kDrug1, kDrug2);  // 17.776 degrees of freedom
    CHECK(welch.count == 20);
    CHECK(welch.mean == Approx(-1.58));
    CHECK(welch.low() == Approx(-3.3654832).epsilon(1e-7));
    CHECK(welch.high() == Approx(0.2054832).margin(1e-7));
}

TEST_CASE("Interval: equal values have a width of exactly 0, and so has a thing less itself") {
    const Interval equal = mean_interval(std::vector<double>(7, 0.1));
    CHECK(equal.mean == 0.1);
    CHECK(equal.half_width == 0);
    const Interval itself = paired_difference(kDrug1, kDrug1);
    CHECK(itself.mean == 0);
    CHECK(itself.half_width == 0);
    const Interval constants =
        welch_difference(std::vector<double>(3, 0.3), std::vector<double>(4, 0.1));
    CHECK(constants.mean == 0.3 - 0.1);
    CHECK(constants.half_width == 0);
}

TEST_CASE("Interval: fewer than two values cannot say") {
    for (const std::vector<double>& few : {std::vector<double>{}, std::vector<double>{4}}) {
        const Interval interval = mean_interval(few);
        CHECK(interval.count == few.size());
        CHECK(interval.mean == (few.empty() ? 0.0 : 4.0));
        CHECK(std::isinf(interval.half_width));
        CHECK(interval.covers(-1e300));
        CHECK(std::isinf(paired_difference(few, few).half_width));
        CHECK(std::isinf(welch_difference(few, kDrug1).half_width));
        CHECK(std::isinf(welch_difference(kDrug1, few).half_width));
        CHECK_FALSE(quantile_interval(few, 0.5));
    }
    CHECK(mean_interval(std::vector<double>{1, 3}).half_width == Approx(12.706).epsilon(1e-4));
}

TEST_CASE("Interval: Welch takes one-sided and tiny variances") {
    // All variance in one sample: that sample's own interval, shifted.
    const Interval one_sided = welch_difference(kDrug1, std::vector<double>(5, 1.0));
    CHECK(one_sided.half_width == Approx(mean_interval(kDrug1).half_width).epsilon(1e-12));
    std::vector<double> tiny;
    for (const double value : kDrug1) tiny.push_back(value * 1e-120);
    CHECK(welch_difference(tiny, tiny).half_width ==
          Approx(welch_difference(kDrug1, kDrug1).half_width * 1e-120).epsilon(1e-9));
}

// The table of the sign test: ranks of the 95 % interval of a median.
TEST_CASE("Interval: of a median has the ranks of the published table") {
    struct Row {
        std::size_t count;
        double low, high;
    };
    CHECK_FALSE(quantile_interval(ranks(5), 0.5));
    for (const Row& row : {Row{6, 1, 6},
                           {8, 1, 8},
                           {9, 2, 8},
                           {10, 2, 9},
                           {15, 4, 12},
                           {20, 6, 15},
                           {25, 8, 18},
                           {50, 18, 33},
                           {100, 40, 61}}) {
        std::vector<double> values = ranks(row.count);
        std::reverse(values.begin(), values.end());
        const auto interval = quantile_interval(values, 0.5);
        INFO(row.count << " values");
        REQUIRE(interval);
        CHECK(interval->low == row.low);
        CHECK(interval->high == row.high);
        CHECK(interval->quantile == static_cast<double>((row.count + 1) / 2));
    }
}

TEST_CASE("Interval: of a quantile is the narrowest that misses on each side by half the rest") {
    for (const double q : {0.05, 0.5, 0.9, 0.95, 0.99}) {
        for (const std::size_t n : {2u, 36u, 71u, 72u, 200u, 367u, 368u, 1000u}) {
            INFO("q = " << q << ", " << n << " values");
            const auto interval = quantile_interval(ranks(n), q);
            const double below_all = std::pow(q, static_cast<double>(n));
            const double above_all = std::pow(1 - q, static_cast<double>(n));
            REQUIRE(interval.has_value() == (below_all <= 0.025 && above_all <= 0.025));
            if (!interval) continue;
            const auto low = static_cast<std::size_t>(interval->low);
            const auto high = static_cast<std::size_t>(interval->high);
            CHECK(binomial_cdf(n, q, low - 1) <= 0.025);
            CHECK(binomial_cdf(n, q, low) > 0.025);
            CHECK(1 - binomial_cdf(n, q, high - 1) <= 0.025);
            CHECK(1 - binomial_cdf(n, q, high - 2) > 0.025);
            CHECK(interval->low <= interval->quantile);
            CHECK(interval->quantile <= interval->high);
        }
    }
    // The sample's own: of 100, the 7th has 7 % at or below it, though 100 * 0.07 > 7 in doubles.
    CHECK(quantile_interval(ranks(100), 0.07)->quantile == 7);
    CHECK(quantile_interval(ranks(100), 0.95)->quantile == 95);
    CHECK(quantile_interval(ranks(101), 0.95)->quantile == 96);
}

TEST_CASE("Interval: what is no number, pair, confidence or quantile is refused") {
    const std::vector<double> bad{1, kNan, 2, 3, 4, 5, 6, 7};
    CHECK(tests::aborts([&] { static_cast<void>(mean_interval(bad)); }));
    CHECK(tests::aborts([&] { static_cast<void>(quantile_interval(bad, 0.5)); }));
    CHECK(tests::aborts([&] { static_cast<void>(welch_difference(kDrug1, bad)); }));
    CHECK(tests::aborts([&] { static_cast<void>(paired_difference(kDrug1, ranks(9))); }));
    for (const double outside : {0.0, 1.0, -0.5, kNan}) {
        CHECK(tests::aborts([&] { static_cast<void>(mean_interval(kDrug1, outside)); }));
        CHECK(tests::aborts([&] { static_cast<void>(quantile_interval(kDrug1, outside)); }));
        CHECK(tests::aborts([&] { static_cast<void>(student_t_quantile(outside, 3)); }));
    }
    CHECK(tests::aborts([] { static_cast<void>(student_t_quantile(0.9, 0)); }));
}

// 6 heads of 6: 2 / 64. 9 of 10: 2 (1 + 10) / 1024. 3 of 5: 2 (1 + 5 + 10) / 32 = 1.
TEST_CASE("Interval: the sign test counts the ways in which fair coins fall as unevenly") {
    CHECK(sign_test(0, 0) == 1);
    CHECK(sign_test(6, 0) == Approx(0.03125));
    CHECK(sign_test(0, 6) == Approx(0.03125));
    CHECK(sign_test(9, 1) == Approx(22.0 / 1024));
    CHECK(sign_test(3, 2) == Approx(1));
    CHECK(sign_test(5, 5) == 1);
    CHECK(sign_test(3000, 0) == Approx(0).margin(1e-12));
}

}  // namespace headroom::analysis
