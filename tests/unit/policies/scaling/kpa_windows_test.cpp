#include "policies/scaling/kpa/window_buckets.hpp"

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::policies {
namespace {

using tests::at;

WindowBuckets seconds_window(std::int64_t window,
                             WindowAlgorithm algorithm = WindowAlgorithm::linear) {
    return WindowBuckets(Duration::seconds(window), Duration::seconds(1), algorithm);
}

TEST_CASE("WindowBuckets: averages over the seconds since the first write, then the window") {
    WindowBuckets window = seconds_window(4);
    CHECK(window.empty(at(0)));
    CHECK(window.average(at(0)) == 0.0);
    window.record(at(10.2), 8);
    CHECK(window.average(at(10.9)) == 8.0);
    window.record(at(11), 4);
    CHECK(window.average(at(11)) == 6.0);  // (8 + 4) / 2
    window.record(at(13.5), 3);            // nothing in second 12
    CHECK(window.average(at(13.9)) == 3.75);
    window.record(at(14), 5);              // second 10 is out
    CHECK(window.average(at(14)) == 3.0);  // (4 + 0 + 3 + 5) / 4
}

TEST_CASE("WindowBuckets: seconds that nothing was written for lately do not count") {
    WindowBuckets window = seconds_window(4);
    for (int s = 0; s < 4; ++s) window.record(at(s), s);
    CHECK(window.average(at(3)) == 1.5);  // (0 + 1 + 2 + 3) / 4
    CHECK(window.average(at(5)) == 2.5);  // (2 + 3) / 2
    CHECK(window.average(at(6)) == 3.0);
    CHECK(window.average(at(7)) == 0.0);
    CHECK_FALSE(window.empty(at(7)));  // not for longer than the window
    CHECK(window.empty(at(8)));
    window.record(at(9), 20);  // after a whole window the first write begins anew
    CHECK(window.average(at(9)) == 20.0);
}

TEST_CASE("WindowBuckets: takes late values, but none a window old") {
    WindowBuckets window = seconds_window(4);
    window.record(at(10), 10);
    window.record(at(8), 2);
    CHECK(window.average(at(10)) == 4.0);  // (2 + 0 + 10) / 3
    window.record(at(6), 100);
    CHECK(window.average(at(10)) == 4.0);
    window.record(at(10), 6);  // two values of one second add up
    CHECK(window.average(at(10)) == 6.0);
}

TEST_CASE("WindowBuckets: an average has six digits after the point") {
    WindowBuckets window = seconds_window(3);
    for (const double value : {1.0, 1.0, 0.0}) window.record(at(value == 0.0 ? 2 : 1), value);
    window.record(at(0), 0.0);
    CHECK(window.average(at(2)) == 0.666667);  // 2 / 3
}

TEST_CASE("WindowBuckets: no rest of the arithmetic stays behind") {
    WindowBuckets window = seconds_window(3);
    for (int s = 0; s < 1000; ++s) window.record(at(s), 0.1 * (s % 7));
    for (int s = 1000; s < 1003; ++s) window.record(at(s), 0.0);
    CHECK(window.average(at(1002)) == 0.0);
}

TEST_CASE("WindowBuckets: the weighted average forgets by its coefficient") {
    // 1 - 0.0001^(1/4) = 0.9
    CHECK(smoothing_coefficient(4) == Approx(0.9).epsilon(1e-12));
    CHECK(smoothing_coefficient(1000) == 0.2);
    WindowBuckets window = seconds_window(4, WindowAlgorithm::weighted_exponential);
    CHECK(window.average(at(0)) == 0.0);
    for (int s = 0; s < 4; ++s) window.record(at(s), s < 2 ? 10 : 5);
    // 5 * 0.9 + 5 * 0.09 + 10 * 0.009 + 10 * 0.0009
    CHECK(window.average(at(3)) == Approx(5.049).epsilon(1e-12));
    // A second without a value: 0 * 0.9 + 5 * 0.09 + 5 * 0.009 + 10 * 0.0009
    CHECK(window.average(at(4)) == Approx(0.504).epsilon(1e-12));
}

TEST_CASE("WindowBuckets: a window shorter than a bucket is one bucket") {
    WindowBuckets window(Duration::zero(), Duration::seconds(1));
    window.record(at(3), 7);
    CHECK(window.average(at(3.9)) == 7.0);
    CHECK(window.average(at(4)) == 0.0);
}

}  // namespace
}  // namespace headroom::policies
