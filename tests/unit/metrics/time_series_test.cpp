#include "sim/metrics/time_series.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::metrics {
namespace {

using tests::at;

using Points = std::vector<TimeSeries::Point>;

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

TEST_CASE("TimeSeries: mean and extremes are those of a walk second by second") {
    const RandomStream random{2, "agreement"};
    TimeSeries series;
    std::vector<std::int64_t> held;  // in each second
    for (std::uint64_t i = 0; i < 300; ++i) {
        const auto value = static_cast<std::int64_t>(random.below(9, i, 1)) - 4;
        series.append(at(static_cast<double>(held.size())), value);
        held.resize(held.size() + random.below(3, i, 0), value);
    }
    const Time end = at(static_cast<double>(held.size())) - Duration::picoseconds(1);
    const auto [least, greatest] = std::minmax_element(held.begin(), held.end());
    CHECK(series.min_during(at(0), end) == *least);
    CHECK(series.max_during(at(0), end) == *greatest);
    const double sum = std::accumulate(held.begin(), held.end(), 0.0);
    CHECK(series.mean_during(at(0), at(static_cast<double>(held.size()))) ==
          Approx(sum / static_cast<double>(held.size())).epsilon(1e-14));
}

}  // namespace
}  // namespace headroom::metrics
