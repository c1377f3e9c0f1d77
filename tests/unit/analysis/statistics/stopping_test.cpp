#include "analysis/statistics/stopping.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/aborts.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

/// Mean 10, variance 2.5: half-width 2.776 sqrt(2.5 / 5) = 1.963.
const std::vector<double> kPilot{8, 9, 10, 11, 12};

}  // namespace

// g / (1 + g) of 0.25 is 0.2, 2.0 of the mean: reached. Of 0.24 1.935: not with five; with six
// 2.571 sqrt(2.5 / 6) = 1.659. Of 0.05 0.4762: 2.0167 sqrt(2.5 / 44) = 0.4807 is too wide, 2.0154
// sqrt(2.5 / 45) = 0.4750 is not.
TEST_CASE("Stopping: replications needed, worked by hand with Law's corrected half-width") {
    CHECK(replications_needed(kPilot, {.relative = 0.25}) == 5u);
    CHECK(replications_needed(kPilot, {.relative = 0.24}) == 6u);
    CHECK(replications_needed(kPilot, {.relative = 0.05}) == 45u);
    // t with one degree: 12.706 sqrt(2.5 / 2) = 14.2.
    CHECK(replications_needed(kPilot, {.relative = 1e6}) == 3u);  // at most the mean itself
    CHECK(replications_needed(std::vector<double>(3, 4.0), {}) == 2u);
}

TEST_CASE("Stopping: what a pilot cannot say") {
    CHECK_FALSE(replications_needed({}, {}));
    CHECK_FALSE(replications_needed(std::vector<double>{3}, {}));
    CHECK_FALSE(replications_needed(std::vector<double>{-1, 1}, {}));
    CHECK_FALSE(replications_needed(std::vector<double>{1e-9, -1e-9, 1e-12}, {.relative = 0.001}));
    CHECK(replications_needed(std::vector<double>{0, 0, 0}, {}) == 2u);
}

TEST_CASE("Stopping: looks first at the minimum, then at what is needed, at most twice as far") {
    const auto judge = [](const std::vector<double>& values, double relative, std::size_t maximum) {
        return judge_precision(std::vector<std::vector<double>>{values},
                               {.relative = relative, .minimum = 5, .maximum = maximum});
    };
    const PrecisionVerdict none = judge({}, 0.05, 100);
    CHECK_FALSE(none.stop());
    CHECK(none.next == 5);
    CHECK_FALSE(none.needed);
    CHECK(judge({8, 9, 10, 11}, 0.9, 100).next == 5);  // precise enough, but too early to say
    const PrecisionVerdict reached = judge(kPilot, 0.25, 100);
    CHECK(reached.reached);
    CHECK(reached.stop());
    CHECK(reached.needed == 5u);
    CHECK(judge(kPilot, 0.24, 100).next == 6);
    const PrecisionVerdict far = judge(kPilot, 0.05, 100);
    CHECK_FALSE(far.reached);
    CHECK(far.next == 10);
    CHECK(far.needed == 45u);
    CHECK(judge(kPilot, 0.05, 8).next == 8);
    const PrecisionVerdict given_up = judge(kPilot, 0.05, 5);
    CHECK_FALSE(given_up.reached);
    CHECK(given_up.stop());
}

TEST_CASE("Stopping: the metric that needs most decides, the first of equals") {
    const std::vector<double> calm{9.9, 10, 10, 10, 10.1};
    const std::vector<double> around_zero{-1, 1, -1, 1, 0};
    const PrecisionGoal goal{.relative = 0.1, .minimum = 5};
    const auto judge = [&](const std::vector<std::vector<double>>& metrics) {
        return judge_precision(metrics, goal);
    };
    CHECK(judge({calm, kPilot, calm, kPilot}).worst == 1);
    CHECK(judge({calm, kPilot}).needed == replications_needed(kPilot, goal));
    CHECK_FALSE(judge({calm, kPilot}).reached);
    CHECK(judge({calm, calm}).reached);
    const PrecisionVerdict hopeless = judge({calm, around_zero, kPilot, around_zero});
    CHECK(hopeless.worst == 1);
    CHECK_FALSE(hopeless.needed);
    CHECK_FALSE(hopeless.reached);
    CHECK(hopeless.next == 10);
}

TEST_CASE("Stopping: relative half-widths of means that are 0 or negative") {
    CHECK(relative_half_width({-4, 1, 5}) == 0.25);
    CHECK(relative_half_width({0, 0, 5}) == 0);
    CHECK(std::isinf(relative_half_width({0, 1, 5})));
    CHECK(std::isinf(relative_half_width(mean_interval(std::vector<double>{3}))));
}

TEST_CASE("Stopping: goals that make no sense are refused") {
    const auto refuses = [](const std::vector<std::vector<double>>& metrics,
                            const PrecisionGoal& goal) {
        return tests::aborts([&] { static_cast<void>(judge_precision(metrics, goal)); });
    };
    CHECK(refuses({}, {}));
    CHECK(refuses({kPilot}, {.relative = 0}));
    CHECK(refuses({kPilot}, {.confidence = 1}));
    CHECK(refuses({kPilot}, {.minimum = 1}));
    CHECK(refuses({kPilot}, {.minimum = 10, .maximum = 9}));
    CHECK(refuses({kPilot, {1, 2}}, {}));
    CHECK(refuses({{1, std::numeric_limits<double>::quiet_NaN()}}, {}));
    CHECK_FALSE(refuses({kPilot}, {}));
}

}  // namespace headroom::analysis
