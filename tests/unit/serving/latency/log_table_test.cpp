#include "sim/serving/latency/log_table.hpp"

#include <cmath>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::serving::tests {
namespace {

TEST_CASE("LogTable: returns its own points, a straight line between them, and the ends beyond") {
    const LogTable<1> table({{{1.0}, 10.0}, {{4.0}, 20.0}, {{64.0}, 0.0}});
    CHECK(table.at({1.0}) == 10.0);
    CHECK(table.at({4.0}) == 20.0);
    CHECK(table.at({64.0}) == 0.0);
    CHECK(table.at({2.0}) == Approx(15.0));
    CHECK(table.at({16.0}) == Approx(10.0));
    CHECK(table.at({0.25}) == 10.0);
    CHECK(table.at({1e6}) == 0.0);
}

TEST_CASE("LogTable: reproduces every point of a grid with holes exactly") {
    const RandomStream random{3, "test/log-table"};
    std::vector<LogTable<3>::Point> points;
    std::uint64_t draw = 0;
    for (const double a : {1.0, 3.0, 700.0}) {
        for (const double b : {2.0, 5.0, 8.0, 1000.0}) {
            for (const double c : {1.0, 2.0, 1e5}) {
                const double value = random.uniform(draw++, 0) - 0.5;
                if (draw % 5 != 0) points.push_back({{a, b, c}, value});
            }
        }
    }
    const LogTable<3> table(points);
    for (const auto& point : points) REQUIRE(table.at(point.at) == point.value);
}

TEST_CASE("LogTable: what is linear in the logarithms comes back everywhere inside") {
    const auto law = [](double x, double y) { return 3 + 2 * std::log(x) - 0.5 * std::log(y); };
    std::vector<LogTable<2>::Point> points;
    for (const double x : {1.0, 10.0, 50.0}) {
        for (const double y : {16.0, 100.0, 3000.0}) points.push_back({{x, y}, law(x, y)});
    }
    const LogTable<2> table(points);
    for (const double x : {1.5, 9.0, 33.0}) {
        for (const double y : {17.0, 400.0, 2999.0}) {
            CHECK(table.at({x, y}) == Approx(law(x, y)).epsilon(1e-12));
        }
    }
}

TEST_CASE("LogTable: an axis that one row lacks is clamped there alone") {
    // The large batch was measured with short contexts only.
    const LogTable<2> table({{{1.0, 100.0}, 1.0}, {{1.0, 10000.0}, 3.0}, {{8.0, 100.0}, 5.0}});
    CHECK(table.at({8.0, 10000.0}) == 5.0);
    CHECK(table.at({1.0, 1000.0}) == Approx(2.0));
    CHECK(table.at({std::sqrt(8.0), 1000.0}) == Approx(3.5));
}

}  // namespace
}  // namespace headroom::serving::tests
