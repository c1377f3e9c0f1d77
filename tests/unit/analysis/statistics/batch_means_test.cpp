#include "analysis/statistics/batch_means.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "sim/core/random.hpp"
#include "tests/aborts.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

std::vector<double> uniforms(std::size_t count, std::uint64_t seed = 1) {
    const RandomStream stream(seed, "batch means");
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = stream.uniform(i);
    return values;
}

}  // namespace

// Ranks 0 to 4: steps 4, squares 10, ratio 0.4. Zigzag 0 3 1 4 2: steps 9 + 4 + 9 + 4, ratio 2.6.
TEST_CASE("BatchMeans: von Neumann's ratio of ranks, worked by hand") {
    CHECK(rank_von_neumann(std::vector<double>{1, 2, 3, 50, 1000}) == Approx(0.8 * std::sqrt(6.4)));
    CHECK(rank_von_neumann(std::vector<double>{1, 4, 2, 5, 3}) == Approx(-0.3 * std::sqrt(6.4)));
    // Ranks 0, 1.5, 1.5, 3: steps 4.5, squares 4.5, ratio 1.
    CHECK(rank_von_neumann(std::vector<double>{5, 7, 7, 9}) == Approx(0.5 * std::sqrt(5.4)));
    CHECK(rank_von_neumann(std::vector<double>{2, 2, 2, 2}) == 0);
    CHECK(rank_von_neumann({}) == 0);
}

TEST_CASE("BatchMeans: the statistic of independent values is about standard normal") {
    std::vector<double> statistics;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        statistics.push_back(rank_von_neumann(uniforms(100, seed)));
    }
    const Moments moments = moments_of(statistics);
    CHECK(std::abs(moments.mean) < 0.1);
    CHECK(moments.variance() == Approx(1).margin(0.15));
}

TEST_CASE("BatchMeans: independent values need no batches, and the interval is that of twenty") {
    const std::vector<double> values = uniforms(2007);
    const auto means = batch_means(values, 0.9);
    REQUIRE(means);
    CHECK(means->independent_size == 1);
    CHECK(means->batch_size == 100);
    std::vector<double> by_hand;
    for (std::size_t b = 0; b < 20; ++b) {  // the first seven are left out
        by_hand.push_back(moments_of(std::span(values).subspan(7 + 100 * b, 100)).mean);
    }
    const Interval expected = mean_interval(by_hand, 0.9);
    CHECK(means->interval.count == 20);
    CHECK(means->interval.mean == expected.mean);
    CHECK(means->interval.half_width == expected.half_width);
}

TEST_CASE("BatchMeans: batches grow until neighbours are independent, counted from the end") {
    std::vector<double> values(5, 0.5);
    for (const double value : uniforms(250)) values.insert(values.end(), 16, value);
    const auto means = batch_means(values);
    REQUIRE(means);
    CHECK(means->independent_size == 16);
    CHECK(means->batch_size == 200);
}

TEST_CASE("BatchMeans: a run that is short for its correlation has no interval") {
    std::vector<double> walk;
    double at = 0;
    for (const double step : uniforms(20'000)) walk.push_back(at += step - 0.5);
    CHECK_FALSE(batch_means(walk));
    std::vector<double> blocks;  // 100 independent ones
    for (const double value : uniforms(100)) blocks.insert(blocks.end(), 16, value);
    CHECK_FALSE(batch_means(blocks));
    CHECK_FALSE(batch_means(uniforms(199)));
    CHECK(batch_means(uniforms(200)));
    CHECK_FALSE(batch_means({}));
}

TEST_CASE("BatchMeans: equal values have a width of exactly 0") {
    const auto means = batch_means(std::vector<double>(1000, 0.1));
    REQUIRE(means);
    CHECK(means->interval.mean == 0.1);
    CHECK(means->interval.half_width == 0);
}

TEST_CASE("BatchMeans: a value that is no number is refused") {
    std::vector<double> values = uniforms(400);
    values[200] = std::numeric_limits<double>::quiet_NaN();
    CHECK(tests::aborts([&] { static_cast<void>(batch_means(values)); }));
}

}  // namespace headroom::analysis
