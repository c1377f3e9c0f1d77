#include "sim/serving/backlog_meter.hpp"

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::serving {
namespace {

using headroom::tests::at;

/// A backlog that goes through the given levels, one a second.
template <class Level>
BacklogMeter meter_of(int seconds, Level level) {
    BacklogMeter meter;
    for (int s = 0; s < seconds; ++s) {
        meter.change(at(s), static_cast<std::int64_t>(level(s)) - meter.level());
    }
    meter.advance(at(seconds));
    return meter;
}

TEST_CASE("BacklogMeter: integrates the level") {
    BacklogMeter meter;
    CHECK(meter.level() == 0);
    meter.change(at(0.25), 3);
    meter.change(at(0.75), -1);
    meter.advance(at(1.0));
    CHECK(meter.level() == 2);
    CHECK(meter.total().to_seconds() == Approx(3 * 0.5 + 2 * 0.25).epsilon(1e-15));
    meter.advance(at(1.0));  // nothing passes twice
    CHECK(meter.total().to_seconds() == Approx(2.0).epsilon(1e-15));
}

TEST_CASE("BacklogMeter: the integral is exact over every doubling of its spans") {
    const auto cases = static_cast<std::uint64_t>(headroom::tests::scaled(20, 5));
    for (std::uint64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const RandomStream random{seed, "backlog"};
        BacklogMeter meter;
        Int128 sum = 0;
        std::int64_t level = 0;
        Time now;
        bool equal = true;
        // Over the longest horizon. Gaps grow from microseconds to a day and a half; every seventh
        // ends on a whole second, where spans end.
        for (std::uint64_t i = 0; now < Time::horizon_limit(); ++i) {
            const std::int64_t scale = 1'000'000LL << (i / 40 % 38);
            Time next = now + Duration::picoseconds(static_cast<std::int64_t>(
                                  random.below(static_cast<std::uint64_t>(scale), i)));
            if (i % 7 == 0) {
                next = Time::picoseconds((next.ps() / Duration::kPerSecond + 1) *
                                         Duration::kPerSecond);
            }
            sum += static_cast<Int128>(level) * (next - now).ps();
            const auto delta = static_cast<std::int64_t>(random.below(9, i, 1)) - level / 3;
            meter.change(next, delta);
            level += delta;
            now = next;
            equal = equal && meter.total().ps() == sum && meter.level() == level;
        }
        CHECK(equal);
    }
}

TEST_CASE("BacklogMeter: a backlog that piles up grows, a steady or passing one does not") {
    const auto growing = meter_of(600, [](int s) { return s / 2; });
    CHECK(growing.grows(at(0), at(600), 8, 10));
    CHECK(growing.grows(at(100), at(590), 8, 10));

    const auto steady = meter_of(600, [](int s) { return 50 + s % 7; });
    CHECK_FALSE(steady.grows(at(0), at(600), 8, 10));

    const auto falling = meter_of(600, [](int s) { return 300 - s / 2; });
    CHECK_FALSE(falling.grows(at(0), at(600), 8, 10));

    const auto passing = meter_of(600, [](int s) { return s < 400 ? s : 800 - 2 * (s - 200); });
    CHECK_FALSE(passing.grows(at(0), at(600), 8, 10));
}

TEST_CASE("BacklogMeter: a rise by less than the slack or by too little does not count") {
    const auto small = meter_of(600, [](int s) { return s / 60; });
    CHECK_FALSE(small.grows(at(0), at(600), 8, 10));
    CHECK(small.grows(at(0), at(600), 2, 10));
}

TEST_CASE("BacklogMeter: on top of a backlog, growth counts against the calls that came") {
    // 1000 to 1300: each quarter is larger, but the last is not half as large again. From the
    // middle of the second quarter to that of the last 150 calls stayed, of 300 s: 0.5 a second.
    const auto slow = meter_of(600, [](int s) { return 1000 + s / 2; });
    CHECK(slow.grows(at(0), at(600), 8, 24));
    CHECK_FALSE(slow.grows(at(0), at(600), 8, 26));
    CHECK_FALSE(slow.grows(at(0), at(600), 200, 24));
    // However late one looks, a queue that never ends does not.
    const auto overload = meter_of(1024, [](int s) { return 10 * s; });
    for (const int from : {0, 256, 512, 768, 960}) {
        CAPTURE(from);
        CHECK(overload.grows(at(from), at(1024), 8, 20));
    }
}

TEST_CASE("BacklogMeter: judges the window it was asked about, not what came before or after") {
    // High, then from nothing up, then high again: only the middle grows.
    const auto meter = meter_of(1024, [](int s) { return s < 256 || s >= 768 ? 600 : s - 256; });
    CHECK_FALSE(meter.grows(at(0), at(256), 8, 10));
    CHECK(meter.grows(at(256), at(768), 8, 10));
    CHECK_FALSE(meter.grows(at(192), at(704), 8, 10));
    CHECK_FALSE(meter.grows(at(768), at(1024), 8, 10));
}

TEST_CASE("BacklogMeter: an empty window never grows") {
    const auto growing = meter_of(600, [](int s) { return s; });
    CHECK_FALSE(growing.grows(at(300), at(300), 8, 10));
    CHECK_FALSE(growing.grows(at(300), at(200), 8, 10));
}

}  // namespace
}  // namespace headroom::serving
