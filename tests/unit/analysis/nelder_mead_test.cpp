#include "analysis/statistics/nelder_mead.hpp"

#include <cmath>
#include <limits>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

using Point = std::vector<double>;

double rosenbrock(const Point& x) {
    double sum = 0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
        const double a = x[i + 1] - x[i] * x[i];
        const double b = 1 - x[i];
        sum += 100 * a * a + b * b;
    }
    return sum;
}

/// A narrow bowl with its bottom, 7, at (1, 2, 3, ...).
double bowl(const Point& x) {
    double sum = 7;
    double weight = 1;
    for (std::size_t i = 0; i < x.size(); ++i, weight *= 10) {
        const double away = x[i] - static_cast<double>(i + 1);
        sum += weight * away * away;
    }
    return sum;
}

}  // namespace

TEST_CASE("Nelder-Mead: finds the bottom of a narrow bowl in one to five dimensions") {
    for (std::size_t n = 1; n <= 5; ++n) {
        CAPTURE(n);
        const NelderMeadResult result =
            minimise(bowl, Point(n, 0.0), {.evaluations = 3000, .step = 0.5});
        CHECK(result.converged);
        CHECK(result.value == Approx(7).epsilon(1e-6));
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(result.x[i] == Approx(static_cast<double>(i + 1)).margin(1e-2));
        }
    }
}

TEST_CASE("Nelder-Mead: follows Rosenbrock's valley to its end") {
    const NelderMeadResult two =
        minimise(rosenbrock, {-1.2, 1.0}, {.evaluations = 1000, .step = 0.5});
    CHECK(two.value < 1e-10);
    CHECK(two.x[0] == Approx(1).margin(1e-4));
    CHECK(two.x[1] == Approx(1).margin(1e-4));
    const NelderMeadResult five =
        minimise(rosenbrock, {-1.2, 1.0, -1.2, 1.0, -1.2}, {.evaluations = 5000, .step = 0.5});
    CHECK(five.value < 1e-8);
}

TEST_CASE("Nelder-Mead: never evaluates more often than allowed and keeps the best it saw") {
    for (int budget = 1; budget <= 60; ++budget) {
        int calls = 0;
        double least = std::numeric_limits<double>::infinity();
        Point where;
        const auto counted = [&](const Point& x) {
            ++calls;
            const double value = rosenbrock(x);
            if (value < least) {
                least = value;
                where = x;
            }
            return value;
        };
        const NelderMeadResult result =
            minimise(counted, {-1.2, 1.0, 0.5}, {.evaluations = budget, .step = 0.3});
        CAPTURE(budget);
        CHECK(calls == budget);  // the valley is longer than that
        CHECK(result.evaluations == calls);
        CHECK_FALSE(result.converged);
        CHECK(result.value == least);
        CHECK(result.x == where);
    }
}

TEST_CASE("Nelder-Mead: gives the same bits every time") {
    const auto run = [] {
        return minimise(rosenbrock, {-1.2, 1.0, 0.5, 2.0}, {.evaluations = 333, .step = 0.25});
    };
    const NelderMeadResult first = run();
    for (int i = 0; i < 3; ++i) {
        const NelderMeadResult again = run();
        CHECK(again.x == first.x);
        CHECK(again.value == first.value);
        CHECK(again.evaluations == first.evaluations);
    }
}

TEST_CASE("Nelder-Mead: what is no number counts as infinitely bad") {
    // The bowl with a wall around it that answers NaN, and infinity further out.
    const auto walled = [](const Point& x) {
        if (std::fabs(x[0]) > 100) return std::numeric_limits<double>::infinity();
        return x[0] > 1.5 ? std::numeric_limits<double>::quiet_NaN() : bowl(x);
    };
    const NelderMeadResult result = minimise(walled, {1.4, 5.0}, {.evaluations = 500, .step = 0.4});
    CHECK(result.value == Approx(7).epsilon(1e-6));
    const auto nowhere = [](const Point&) { return std::numeric_limits<double>::quiet_NaN(); };
    const NelderMeadResult none = minimise(nowhere, {1.0, 2.0}, {.evaluations = 50});
    CHECK(none.x == Point{1.0, 2.0});
    CHECK(std::isinf(none.value));
    CHECK(none.converged);  // nowhere is better than elsewhere
}

TEST_CASE("Nelder-Mead: a restart gets out of a simplex that collapsed beside the minimum") {
    // A ridge: descending one coordinate at a time stalls on it.
    const auto ridge = [](const Point& x) {
        return std::fabs(x[0] - x[1]) * 50 + (x[0] + x[1] - 4) * (x[0] + x[1] - 4) +
               std::fabs(x[2] - 1);
    };
    NelderMeadOptions options{.evaluations = 4000, .step = 0.2};
    options.restarts = 0;
    const NelderMeadResult once = minimise(ridge, {-6.0, 9.0, 5.0}, options);
    options.restarts = 20;
    const NelderMeadResult often = minimise(ridge, {-6.0, 9.0, 5.0}, options);
    CHECK(once.restarts == 0);
    CHECK(often.restarts >= 1);
    CHECK(often.value <= once.value);
    CHECK(often.value < 1e-4);
}

}  // namespace headroom::analysis
