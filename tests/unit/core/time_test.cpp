#include "sim/core/time.hpp"

#include <limits>

#include "tests/catch.hpp"

namespace headroom {
namespace {

TEST_CASE("Time: whole seconds are exact in picoseconds") {
    CHECK(Duration::seconds(2).ps() == 2'000'000'000'000);
    CHECK(Duration::minutes(3) == Duration::seconds(180));
    CHECK(Duration::hours(1) == Duration::minutes(60));
    CHECK(Duration::milliseconds(1) == Duration::microseconds(1000));
    CHECK(Duration::microseconds(1) == Duration::nanoseconds(1000));
    CHECK((Time::zero() + Duration::seconds(5)) - Duration::seconds(2) ==
          Time::picoseconds(3'000'000'000'000));
    CHECK(Duration::seconds(7) / Duration::seconds(2) == 3);
    CHECK(Duration::seconds(7) % Duration::seconds(2) == Duration::seconds(1));
}

TEST_CASE("Time: from_seconds gives the nearest picosecond, halves away from zero") {
    CHECK(Duration::from_seconds(0.0065).ps() == 6'500'000'000);
    CHECK(Duration::from_seconds(0x1p-12).ps() == 244'140'625);
    CHECK(Duration::from_seconds(0x1p-13).ps() == 122'070'313);  // 122070312.5
    CHECK(Duration::from_seconds(-0x1p-13).ps() == -122'070'313);
    CHECK(Duration::from_seconds(4e-13).ps() == 0);
    CHECK(Duration::from_seconds(6e-13).ps() == 1);
    CHECK(Time::from_seconds(1.5) == Time::zero() + Duration::milliseconds(1500));
}

TEST_CASE("Time: from_seconds saturates instead of overflowing") {
    CHECK(Duration::from_seconds(1e9) == Duration::max());
    CHECK(Duration::from_seconds(-1e9) == -Duration::max());
    CHECK(Duration::from_seconds(std::numeric_limits<double>::infinity()) == Duration::max());
    CHECK(Duration::from_seconds(9.1e6).ps() == 9'100'000'000'000'000'000);
}

TEST_CASE("Time: the longest horizon leaves room for sums past the end") {
    const Time end = Time::horizon_limit();
    CHECK(end.since_start() == Duration::hours(100 * 24));
    CHECK(Time::max() - end > Duration::hours(6 * 24));
}

TEST_CASE("TimeIntegral: stays exact far beyond the 106 days that 64 bits hold") {
    TimeIntegral sum;
    // 5000 replicas for 100 days, and one picosecond: 4.32e22 ps, 4684 times an int64's range.
    sum.add(5000, Time::horizon_limit().since_start());
    sum += Duration::picoseconds(1);
    CHECK(sum.ps() == static_cast<Int128>(5000) * 8'640'000 * 1'000'000'000'000 + 1);
    CHECK(sum.to_seconds() == Approx(5000.0 * 8.64e6).epsilon(1e-15));

    TimeIntegral twice = sum;
    twice += sum;
    CHECK((twice - sum) == sum);
    twice.add_ps(-2 * sum.ps());
    CHECK(twice == TimeIntegral{});
}

TEST_CASE("TimeIntegral: many durations add up like one long one") {
    TimeIntegral sum;
    for (int i = 0; i < 300; ++i) sum += Duration::hours(24);
    CHECK(sum.ps() == static_cast<Int128>(300) * Duration::hours(24).ps());
    CHECK(sum.ps() > std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace headroom
