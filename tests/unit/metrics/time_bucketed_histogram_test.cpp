#include "sim/metrics/time_bucketed_histogram.hpp"

#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::metrics {
namespace {

using tests::at;

TEST_CASE("TimeBucketedHistogram: a value goes to the stretch that holds its time") {
    TimeBucketedHistogram h{Duration::seconds(10)};
    h.record(at(0), 1);
    h.record(at(10) - Duration::picoseconds(1), 2);
    h.record(at(10), 3, 2);
    h.record(at(1000), 4);
    std::vector<Time> starts;
    std::vector<std::uint64_t> counts;
    h.for_each([&](Time start, const Histogram& histogram) {
        starts.push_back(start);
        counts.push_back(histogram.count());
    });
    CHECK(starts == std::vector<Time>{at(0), at(10), at(1000)});
    CHECK(counts == std::vector<std::uint64_t>{2, 2, 1});
    CHECK(h.size() == 3);
    REQUIRE(h.find(at(15)) != nullptr);
    CHECK(h.find(at(15))->sum() == 6);
    CHECK(h.find(at(20)) == nullptr);
    CHECK(h.find(at(5000)) == nullptr);
}

TEST_CASE("TimeBucketedHistogram: the order of recording leaves no trace") {
    const RandomStream random{1, "time-buckets"};
    TimeBucketedHistogram forward{Duration::seconds(7)}, backward{Duration::seconds(7)};
    for (std::uint64_t i = 0; i < 500; ++i) {
        for (const bool ahead : {true, false}) {
            const std::uint64_t k = ahead ? i : 499 - i;
            (ahead ? forward : backward)
                .record(at(static_cast<std::int64_t>(random.below(300, k, 0))),
                        static_cast<std::int64_t>(random.below(100000, k, 1)));
        }
    }
    CHECK(forward == backward);
    CHECK(forward.size() == 43);
}

TEST_CASE("TimeBucketedHistogram: merging is the union") {
    TimeBucketedHistogram a{Duration::seconds(10)}, b{Duration::seconds(10)},
        both{Duration::seconds(10)};
    for (std::int64_t i = 0; i < 100; ++i) {
        (i % 3 == 0 ? a : b).record(at(i * i % 97), i);
        both.record(at(i * i % 97), i);
    }
    b.record(at(5000), 1);
    both.record(at(5000), 1);
    CHECK_FALSE(a == both);
    a.merge(b);
    CHECK(a == both);
}

}  // namespace
}  // namespace headroom::metrics
