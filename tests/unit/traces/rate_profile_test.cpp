#include "traces/generators/rate_profile.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::traces {
namespace {

using tests::at;

TEST_CASE("RateProfile: the sine in turns is right to the last digits") {
    for (int i = -1000; i <= 1000; ++i) {
        const double x = i / 250.0 + 1e-4;
        CHECK(std::fabs(sin_turns(x) - std::sin(2 * std::acos(-1.0) * x)) < 3e-15);
    }
    CHECK(sin_turns(0) == 0);
    CHECK(sin_turns(0.25) == 1);
    CHECK(sin_turns(-0.25) == -1);
    CHECK(sin_turns(1e6 + 0.5) == 0);
}

TEST_CASE("PiecewiseLinearRate: integrates steps, slopes and gaps exactly") {
    // 0 until 1 s, 2/s until 3 s, up to 6/s at 5 s, then 6/s.
    PiecewiseLinearRate rate({{at(1), 2}, {at(3), 2}, {at(5), 6}}, std::nullopt);
    CHECK(rate.integral(at(1)) == 0);
    CHECK(rate.integral(at(2)) == 2);
    CHECK(rate.integral(at(3)) == 4);
    CHECK(rate.integral(at(4)) == 7);
    CHECK(rate.integral(at(5)) == 12);
    CHECK(rate.integral(at(10)) == 42);
    CHECK(rate.advance(at(0), 2) == at(2));
    CHECK(rate.advance(at(2), 5) == at(4));
    CHECK(rate.advance(at(4), 35) == at(10));
}

TEST_CASE("PiecewiseLinearRate: runs down to zero and stays there") {
    PiecewiseLinearRate rate({{at(0), 4}, {at(2), 0}}, std::nullopt);
    CHECK(rate.advance(at(0), 3) == at(1));
    CHECK(rate.advance(at(1), 1) == at(2));
    CHECK(rate.advance(at(2), 1e-9) == Time::max());
}

TEST_CASE("PiecewiseLinearRate: repeats with its period up to the horizon") {
    const Duration cycle = Duration::hours(1000);
    PiecewiseLinearRate rate({{at(0), 1},
                              {Time::zero() + Duration::hours(500), 0},
                              {Time::zero() + Duration::hours(500), 0}},
                             cycle);
    // A triangle: 900,000 requests a cycle.
    CHECK(rate.integral(Time::zero() + cycle) == 900'000);
    CHECK(rate.integral(Time::zero() + cycle * 2) == 1'800'000);
    CHECK(rate.advance(Time::zero(), 900'000 + 675'000) ==
          Time::zero() + cycle + Duration::hours(250));
    CHECK(rate.advance(Time::zero() + cycle + Duration::hours(250), 2e6) == Time::max());
}

TEST_CASE("SinusoidRate: advances to where the integral says, with and without a zero") {
    for (const double amplitude : {0.0, 0.5, 1.0}) {
        for (const double gap : {1e-9, 0.3, 40.0, 1e5}) {
            const SinusoidRate rate(2, amplitude, Duration::seconds(600), Duration::seconds(100));
            for (const double from : {0.0, 100.0, 399.99, 400.0, 1e6}) {
                CAPTURE(amplitude, gap, from);
                const Time t = rate.advance(at(from), gap);
                const double area = rate.integral(t) - rate.integral(at(from));
                CHECK(area == Approx(gap).epsilon(1e-9).margin(1e-6));
                CHECK(t >= at(from));
            }
        }
    }
}

TEST_CASE("SinusoidRate: is greatest at its peak and has its mean over a period") {
    const SinusoidRate rate(5, 0.8, Duration::hours(24), Duration::hours(15));
    CHECK(rate.integral(at(86400)) == Approx(5 * 86400));
    const auto around = [&](double hour) {
        return (rate.integral(at(hour * 3600 + 1)) - rate.integral(at(hour * 3600 - 1))) / 2;
    };
    CHECK(around(15) == Approx(9).epsilon(1e-6));
    CHECK(around(3) == Approx(1).epsilon(1e-6));
    CHECK(around(9) == Approx(5).epsilon(1e-6));
    CHECK(around(24 + 15) == Approx(9).epsilon(1e-6));
}

TEST_CASE("SinusoidRate: short gaps over a long wave keep picoseconds apart") {
    const SinusoidRate rate(1e6, 0.5, Duration::hours(2400), Duration::hours(100));
    Time t = Time::zero() + Duration::hours(50);
    for (int i = 0; i < 1000; ++i) {
        const Time next = rate.advance(t, 1);
        const double gap_us = (next - t).to_seconds() * 1e6;
        REQUIRE(gap_us > 0.66);
        REQUIRE(gap_us < 0.68);
        t = next;
    }
}

}  // namespace
}  // namespace headroom::traces
