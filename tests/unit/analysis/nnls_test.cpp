#include "analysis/statistics/nnls.hpp"

#include <random>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

using Row = std::vector<double>;

}  // namespace

TEST_CASE("Nnls: a law that holds exactly is found, whatever the units") {
    const std::vector<double> x = nnls({{1, 10}, {1, 20}, {1, 40}}, {3, 5, 9});
    CHECK(x[0] == Approx(1));
    CHECK(x[1] == Approx(0.2));
    // Microseconds beside bytes: columns of 1 and of 1e9.
    std::vector<Row> rows;
    std::vector<double> right;
    for (const double bytes : {1e4, 1e6, 1e8, 1e9}) {
        rows.push_back({1, bytes});
        right.push_back(2.5e-6 + bytes / 2.6e12);
    }
    const std::vector<double> launch = nnls(rows, right);
    CHECK(launch[0] == Approx(2.5e-6).epsilon(1e-9));
    CHECK(launch[1] == Approx(1 / 2.6e12).epsilon(1e-9));
}

TEST_CASE("Nnls: what would be negative is 0 and the others are fitted without it") {
    // The line through these has a negative start: only the slope is left.
    const std::vector<double> x = nnls({{1, 1}, {1, 2}, {1, 3}}, {0.5, 2, 3.5});
    CHECK(x[0] == 0);
    CHECK(x[1] == Approx((0.5 + 4 + 10.5) / 14));
    CHECK(nnls({{1}, {1}}, {-1, -2}) == Row{0});
    const std::vector<double> second = nnls({{0, 1}, {0, 1}}, {2, 4});
    CHECK(second[0] == 0);
    CHECK(second[1] == Approx(3));
}

TEST_CASE("Nnls: random problems meet the conditions of an optimum") {
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal;
    for (int round = 0; round < 100; ++round) {
        std::vector<Row> rows(8, Row(4));
        Row right(8);
        for (Row& row : rows) {
            for (double& value : row) value = normal(random);
        }
        for (double& value : right) value = normal(random);
        const Row x = nnls(rows, right);
        Row gradient(4, 0.0);
        for (std::size_t i = 0; i < 8; ++i) {
            double residual = right[i];
            for (std::size_t j = 0; j < 4; ++j) residual -= rows[i][j] * x[j];
            for (std::size_t j = 0; j < 4; ++j) gradient[j] += rows[i][j] * residual;
        }
        for (std::size_t j = 0; j < 4; ++j) {
            CHECK(x[j] >= 0);
            CHECK(gradient[j] < 1e-9);                 // no column would help more
            if (x[j] > 0) CHECK(gradient[j] > -1e-9);  // nor would less of it
        }
    }
}

}  // namespace headroom::analysis
