#include "analysis/statistics/mser5.hpp"

#include <limits>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/aborts.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

/// Every value five times, so that the batches are the values.
std::vector<double> batches(const std::vector<double>& means) {
    std::vector<double> values;
    for (const double mean : means) values.insert(values.end(), 5, mean);
    return values;
}

/// The definition, point by point in O(n^2).
std::optional<std::size_t> naive_truncation(const std::vector<double>& values) {
    const std::size_t count = values.size() / 5;
    std::vector<double> means(count);
    for (std::size_t i = 0; i < 5 * count; ++i) means[i / 5] += values[i] / 5;
    std::size_t best = count;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t d = 0; d + 5 < count; ++d) {
        const auto left = static_cast<double>(count - d);
        double mean = 0;
        for (std::size_t i = d; i < count; ++i) mean += means[i] / left;
        double squares = 0;
        for (std::size_t i = d; i < count; ++i) {
            squares += (means[i] - mean) * (means[i] - mean);
        }
        if (squares / left / left < least) {
            least = squares / left / left;
            best = d;
        }
    }
    if (2 * best > count) return std::nullopt;
    return 5 * best;
}

}  // namespace

// Marginal standard errors of 1, 3, 1, 3, ...: 10 / 10^2 for the ten after the first, 8.9 / 9^2 for
// nine, 8 / 8^2 for eight: the more are kept, the smaller.
TEST_CASE("Mser5: drops a wrong start and nothing more") {
    CHECK(mser5_truncation(batches({100, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3})) == 5u);
    CHECK(mser5_truncation(batches({90, 60, 30, 1, 3, 1, 3, 1, 3, 1, 3})) == 15u);
    CHECK(mser5_truncation(batches({1, 3, 1, 3, 1, 3, 1, 3, 1, 3})) == 0u);
}

TEST_CASE("Mser5: of equals the earliest point, so a constant keeps all of itself") {
    CHECK(mser5_truncation(std::vector<double>(1000, 0.1)) == 0u);
}

TEST_CASE("Mser5: a point in the second half is no steady state, half is one") {
    std::vector<double> means(10, 100);
    for (int i = 0; i < 10; ++i) means.push_back(i % 2 == 0 ? 1 : 3);
    CHECK(mser5_truncation(batches(means)) == 50u);
    means.insert(means.begin(), 100);
    CHECK_FALSE(mser5_truncation(batches(means)));
    std::vector<double> grows;  // a backlog that only grows
    for (int i = 0; i < 500; ++i) grows.push_back(i);
    CHECK_FALSE(mser5_truncation(grows));
}

TEST_CASE("Mser5: neither five calm batches at the end nor an unfinished one decide") {
    std::vector<double> means;
    for (int i = 0; i < 40; ++i) means.push_back(i % 2 == 0 ? 1 : 3);
    means.insert(means.end(), 5, 2);
    CHECK(mser5_truncation(batches(means)) == 0u);
    std::vector<double> values = batches(means);
    values.insert(values.end(), 4, 1e6);
    CHECK(mser5_truncation(values) == 0u);
}

TEST_CASE("Mser5: too few values cannot say") {
    CHECK_FALSE(mser5_truncation({}));
    CHECK_FALSE(mser5_truncation(std::vector<double>(49, 1)));
    CHECK(mser5_truncation(std::vector<double>(50, 1)) == 0u);
}

TEST_CASE("Mser5: a single pass finds what the definition does") {
    std::size_t steady = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const RandomStream stream(seed, "mser5");
        const std::size_t count = 50 + stream.below(400, 0, 1);
        std::vector<double> values;
        double level = 30 * stream.uniform(0, 2);
        for (std::size_t i = 0; i < count; ++i) {
            level *= 0.97;
            values.push_back(1000 + level + 4 * stream.uniform(i + 1));
        }
        const auto found = mser5_truncation(values);
        INFO("seed " << seed);
        REQUIRE(found == naive_truncation(values));
        if (found && *found > 0) ++steady;
    }
    CHECK(steady > 50);
}

TEST_CASE("Mser5: a value that is no number is refused") {
    std::vector<double> values(60, 1);
    values[30] = std::numeric_limits<double>::quiet_NaN();
    CHECK(tests::aborts([&] { static_cast<void>(mser5_truncation(values)); }));
}

}  // namespace headroom::analysis
