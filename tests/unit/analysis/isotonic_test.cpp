#include "analysis/statistics/isotonic.hpp"

#include <cmath>
#include <random>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

using Values = std::vector<double>;

double squares(const Values& a, const Values& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

bool never_falls(const Values& values, const std::vector<Chain>& chains) {
    for (const Chain& chain : chains) {
        for (std::size_t i = 1; i < chain.size(); ++i) {
            if (values[chain[i]] < values[chain[i - 1]]) return false;
        }
    }
    return true;
}

/// Rows and columns of a full table, row by row.
struct FullTable {
    std::vector<Chain> rows;
    std::vector<Chain> columns;
    FullTable(std::size_t height, std::size_t width) : rows(height), columns(width) {
        for (std::size_t i = 0; i < height * width; ++i) {
            rows[i / width].push_back(i);
            columns[i % width].push_back(i);
        }
    }
};

}  // namespace

TEST_CASE("Isotonic: neighbours that fall share their mean") {
    CHECK(isotonic({}).empty());
    CHECK(isotonic({1, 3, 2, 4}) == Values{1, 2.5, 2.5, 4});
    CHECK(isotonic({4, 3, 2, 1}) == Values{2.5, 2.5, 2.5, 2.5});
    // The pooled pair is below what came before it, so that joins them.
    CHECK(isotonic({1, 5, 6, 1, 9}) == Values{1, 4, 4, 4, 9});
}

TEST_CASE("Isotonic: what does not fall comes back bit for bit") {
    const Values values = {0.1, 0.1, 0.30000000000000004, 1e300};
    CHECK(isotonic(values) == values);
    const FullTable table(2, 2);
    CHECK(isotonic_two_ways(values, table.rows, table.columns) == values);
}

TEST_CASE("Isotonic: two orders hold at once, and equal one order where there is one") {
    const Values values = {1, 3, 2, 4};
    CHECK(isotonic_two_ways(values, {{0, 1, 2, 3}}, {}) == isotonic(values));
    // Along the rows nothing falls; down the columns the first falls.
    const FullTable table(2, 2);
    const Values smoothed = isotonic_two_ways({2, 5, 1, 6}, table.rows, table.columns);
    CHECK(smoothed[0] == Approx(1.5));
    CHECK(smoothed[1] == Approx(5));
    CHECK(smoothed[2] == Approx(1.5));
    CHECK(smoothed[3] == Approx(6));
}

TEST_CASE("Isotonic: random tables come out monotone and no random monotone table is nearer") {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform(0, 1);
    const FullTable table(5, 4);
    for (int round = 0; round < 50; ++round) {
        Values values;
        for (int i = 0; i < 20; ++i) values.push_back(uniform(random));
        const Values best = isotonic_two_ways(values, table.rows, table.columns);
        REQUIRE(never_falls(best, table.rows));
        REQUIRE(never_falls(best, table.columns));
        // Moving towards any other monotone table must not pay: the projection is the nearest.
        for (int other = 0; other < 20; ++other) {
            Values moved(20);
            for (std::size_t i = 0; i < 20; ++i) {
                const double left = i % 4 > 0 ? moved[i - 1] : 0;
                const double above = i >= 4 ? moved[i - 4] : 0;
                moved[i] = std::max(left, above) + uniform(random) / 5;
            }
            for (std::size_t i = 0; i < 20; ++i) moved[i] = best[i] + 0.01 * (moved[i] - best[i]);
            CHECK(squares(values, best) <= squares(values, moved) + 1e-9);
        }
    }
}

}  // namespace headroom::analysis
