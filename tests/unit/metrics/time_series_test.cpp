#include "sim/metrics/time_series.hpp"

#include <algorithm>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::metrics {
namespace {

using tests::at;

using Points = std::vector<TimeSeries::Point>;

TEST_CASE("TimeWeighted: integrates the level over time") {
    TimeWeighted level;
    level.set(at(2), 5);
    level.add(at(4), -3);
    level.add(at(10), 1);
    CHECK(level.current() == 3);
    CHECK(level.changed() == at(10));
    CHECK(level.integral(at(12)).ps() == static_cast<Int128>(10 + 12 + 6) * Duration::kPerSecond);
    CHECK(level.mean(at(0), at(12)) == Approx(28.0 / 12));
    CHECK(level.min() == 0);
    CHECK(level.max() == 5);
}

TEST_CASE("TimeWeighted: a level replaced at the instant it was set was never held") {
    TimeWeighted level{at(0), 3};
    level.set(at(5), 0);
    level.set(at(5), 100);
    level.set(at(5), 4);
    CHECK(level.min() == 3);
    CHECK(level.max() == 4);
}

TEST_CASE("TimeWeighted: counts as zero before it began") {
    TimeWeighted level{at(50), 2};
    CHECK(level.mean(at(0), at(100)) == 1.0);
    CHECK(level.mean(at(50), at(100)) == 2.0);
    CHECK(level.mean(at(50), at(50)) == 0.0);
}

TEST_CASE("TimeWeighted: stays exact where 64 bits would overflow") {
    TimeWeighted level{at(0), 1'000'000'000};
    const Time end = Time::horizon_limit();
    CHECK(level.integral(end).ps() == static_cast<Int128>(1'000'000'000) * end.ps());
    CHECK(level.mean(at(0), end) == 1e9);
    level.set(end - Duration::picoseconds(1), -5);
    CHECK(level.integral(end).ps() == static_cast<Int128>(1'000'000'000) * (end.ps() - 1) - 5);
    CHECK(level.min() == -5);
}

TEST_CASE("TimeSeries: drops a point that changes nothing") {
    TimeSeries series;
    series.append(at(1), 3);
    series.append(at(2), 3);
    series.append(at(3), 4);
    series.append(at(4), 9);
    series.append(at(4), 4);  // back at the same instant
    CHECK(series.points() == Points{{at(1), 3}, {at(3), 4}});
}

TEST_CASE("TimeSeries: a second value at one time replaces the first") {
    TimeSeries series;
    series.append(at(1), 3);
    series.append(at(1), 5);
    CHECK(series.points() == Points{{at(1), 5}});
    CHECK(series.max_during(at(0), at(9)) == 5);
}

TEST_CASE("TimeSeries: a value holds until the next point") {
    TimeSeries series;
    series.append(at(10), 3);
    series.append(at(20), 8);
    series.append(at(30), 1);
    CHECK(series.value_at(at(0)) == 0);
    CHECK(series.value_at(at(10)) == 3);
    CHECK(series.value_at(at(20) - Duration::picoseconds(1)) == 3);
    CHECK(series.value_at(at(20)) == 8);
    CHECK(series.value_at(at(1000)) == 1);
    CHECK(TimeSeries{}.value_at(at(5)) == 0);
}

TEST_CASE("TimeSeries: least and greatest in a stretch include both ends and what held before") {
    TimeSeries series;
    series.append(at(10), 3);
    series.append(at(20), 8);
    series.append(at(30), 1);
    CHECK(series.min_during(at(12), at(19)) == 3);
    CHECK(series.max_during(at(12), at(19)) == 3);
    CHECK(series.max_during(at(12), at(20)) == 8);
    CHECK(series.min_during(at(20), at(29)) == 8);
    CHECK(series.min_during(at(5), at(25)) == 0);
    CHECK(series.max_during(at(25), at(25)) == 8);
    CHECK(series.min_during(at(25), at(1000)) == 1);
}

TEST_CASE("TimeSeries: the mean weighs each value by how long it held") {
    TimeSeries series;
    series.append(at(10), 3);
    series.append(at(20), 8);
    CHECK(series.mean_during(at(10), at(30)) == 5.5);
    CHECK(series.mean_during(at(0), at(20)) == 1.5);
    CHECK(series.mean_during(at(25), at(25)) == 8.0);
}

TEST_CASE("TimeSeries: with an interval it holds what sampling at the multiples would see") {
    const RandomStream random{1, "sampling"};
    TimeSeries exact, sampled{Duration::seconds(10)};
    std::int64_t now = 0;
    for (std::uint64_t i = 0; i < 500; ++i) {
        now += static_cast<std::int64_t>(random.below(12, i, 0));
        const auto value = static_cast<std::int64_t>(random.below(5, i, 1));
        exact.append(at(now), value);
        sampled.append(at(now), value);
    }
    for (std::int64_t t = 0; t <= now; t += 10)
        REQUIRE(sampled.value_at(at(t)) == exact.value_at(at(t)));
    for (const auto& point : sampled.points()) {
        REQUIRE(point.time.since_start() % Duration::seconds(10) == Duration::zero());
    }
    CHECK(sampled.points().size() < exact.points().size());
}

TEST_CASE("TimeSeries: agrees with TimeWeighted about mean and extremes") {
    const RandomStream random{2, "agreement"};
    TimeSeries series;
    TimeWeighted level;
    std::int64_t now = 0;
    series.append(at(0), 0);
    for (std::uint64_t i = 0; i < 300; ++i) {
        now += static_cast<std::int64_t>(random.below(3, i, 0));
        const auto value = static_cast<std::int64_t>(random.below(9, i, 1)) - 4;
        series.append(at(now), value);
        level.set(at(now), value);
    }
    const Time end = at(now + 1);
    CHECK(series.mean_during(at(0), end) == Approx(level.mean(at(0), end)).epsilon(1e-14));
    CHECK(series.min_during(at(0), end) == level.min());
    CHECK(series.max_during(at(0), end) == level.max());
}

}  // namespace
}  // namespace headroom::metrics
