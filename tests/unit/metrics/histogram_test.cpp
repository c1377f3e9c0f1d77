#include "sim/metrics/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::metrics {
namespace {

constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

/// Values over all octaves: as many small as large ones.
std::vector<std::int64_t> spread(std::uint64_t seed, std::uint64_t n) {
    const RandomStream random{seed, "spread"};
    std::vector<std::int64_t> values;
    for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t drop = 1 + random.below(63, i, 1);
        values.push_back(static_cast<std::int64_t>(random.bits(i, 0) >> drop));
    }
    return values;
}

Histogram of(const std::vector<std::int64_t>& values) {
    Histogram h;
    for (const std::int64_t v : values) h.record(v);
    return h;
}

TEST_CASE("Histogram: an empty one is zero in all respects") {
    const Histogram h;
    CHECK(h.count() == 0);
    CHECK(h.sum() == 0);
    CHECK(h.min() == 0);
    CHECK(h.max() == 0);
    CHECK(h.mean() == 0);
    CHECK(h.quantile(0.5) == 0);
    h.for_each_bucket([](auto, auto, auto) { FAIL("a bucket in an empty histogram"); });
}

TEST_CASE("Histogram: count, sum, mean, least and greatest are exact") {
    Histogram h;
    h.record(5);
    h.record(kGreatest);
    h.record(kGreatest);
    h.record(1'000'003, 2);
    h.record(77, 0);  // none
    CHECK(h.count() == 5);
    CHECK(h.sum() == static_cast<Int128>(kGreatest) * 2 + 5 + 2'000'006);
    CHECK(h.min() == 5);
    CHECK(h.max() == kGreatest);
    CHECK(h.mean() == Approx(2.0 * static_cast<double>(kGreatest) / 5));
}

TEST_CASE("Histogram: quantiles of small values are exact, by nearest rank") {
    Histogram h;
    for (std::int64_t v = 1; v <= 100; ++v) h.record(v);
    for (int percent = 1; percent <= 100; ++percent) {
        CHECK(h.quantile(percent / 100.0) == percent);  // 0.07 * 100 > 7 in doubles
    }
    CHECK(h.quantile(0) == 1);
    CHECK(h.quantile(0.001) == 1);
    CHECK(h.quantile(0.501) == 51);

    Histogram two;
    two.record(10);
    two.record(20);
    CHECK(two.quantile(0.5) == 10);
    CHECK(two.quantile(0.51) == 20);
}

TEST_CASE("Histogram: buckets cover all values once, in order, within 0.4 %") {
    const std::vector<std::int64_t> edges = {0,         1,
                                             127,       128,
                                             255,       256,
                                             257,       511,
                                             512,       1023,
                                             1024,      (1LL << 40) - 1,
                                             1LL << 40, kGreatest - 1,
                                             kGreatest};
    for (const std::int64_t v : edges) {
        Histogram h;
        h.record(v);
        int buckets = 0;
        h.for_each_bucket([&](std::int64_t low, std::int64_t high, std::uint64_t n) {
            ++buckets;
            CHECK(n == 1);
            CHECK(low <= v);
            CHECK((v < high || high == kGreatest));
            CHECK((v < 256 ? high - low == 1 : true));
            CHECK(static_cast<double>(high - low) / 2 <=
                  std::max(0.5, 0.004 * static_cast<double>(low)));
        });
        CHECK(buckets == 1);
        CHECK(h.quantile(0.5) == v);  // held to [min, max]
    }
    // Neighbouring buckets meet, through every octave.
    Histogram h;
    for (int e = 0; e < 63; ++e) {
        for (std::int64_t k = 0; k < 128; ++k) {
            h.record(e < 7 ? k : (1LL << e) + (k << (e - 7)));
        }
    }
    std::int64_t end = 0;
    h.for_each_bucket([&](std::int64_t low, std::int64_t high, std::uint64_t) {
        CHECK(low == end);
        end = high;
    });
    CHECK(end == kGreatest);
}

TEST_CASE("Histogram: a quantile is within 0.4 % of the exact nearest rank") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        std::vector<std::int64_t> values = spread(seed, 997);
        const Histogram h = of(values);
        std::sort(values.begin(), values.end());
        for (const double q : {0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
            const auto rank = static_cast<std::size_t>(std::ceil(q * 997.0));
            const std::int64_t exact = values[rank - 1];
            const auto error = static_cast<double>(h.quantile(q) - exact);
            CHECK(std::fabs(error) <= 0x1p-8 * static_cast<double>(exact));
        }
        CHECK(h.quantile(1) == values.back());
        CHECK(h.quantile(0) == values.front());
    }
}

TEST_CASE("Histogram: the order of recording and the split into parts leave no trace") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        INFO("seed " << seed);
        std::vector<std::int64_t> values = spread(seed, 500);
        const Histogram whole = of(values);
        std::vector<Histogram> parts(3);
        for (std::size_t i = 0; i < values.size(); ++i) parts[i * i % 3].record(values[i]);
        Histogram merged;
        for (std::size_t i = parts.size(); i-- > 0;) merged.merge(parts[i]);
        CHECK(merged == whole);
        std::reverse(values.begin(), values.end());
        CHECK(of(values) == whole);
        merged.record(1);
        CHECK_FALSE(merged == whole);
    }
}

TEST_CASE("Histogram: equal sums do not make histograms equal") {
    const Histogram a = of({10, 400, 600, 1000});
    const Histogram b = of({10, 300, 700, 1000});
    CHECK(a.sum() == b.sum());
    CHECK_FALSE(a == b);
}

TEST_CASE("Histogram: a progression leaves the state of as many single records") {
    const RandomStream random{3, "progressions"};
    for (std::uint64_t i = 0; i < 400; ++i) {
        const auto first =
            static_cast<std::int64_t>(random.bits(i, 0) >> (20 + random.below(44, i, 1)));
        const auto step =
            static_cast<std::int64_t>(random.bits(i, 2) >> (30 + random.below(34, i, 3)));
        const auto n = static_cast<std::int64_t>(random.below(i % 10 == 0 ? 5000 : 60, i, 4));
        const std::uint64_t weight = 1 + random.below(3, i, 5);
        INFO("first " << first << " step " << step << " n " << n << " weight " << weight);
        Histogram fast, slow;
        fast.record_progression(first, step, n, weight);
        for (std::int64_t k = 0; k < n; ++k) {
            for (std::uint64_t w = 0; w < weight; ++w) slow.record(first + k * step);
        }
        REQUIRE(fast == slow);
        REQUIRE(fast.sum() == slow.sum());
        REQUIRE(fast.count() == static_cast<std::uint64_t>(n) * weight);
    }
}

TEST_CASE("Histogram: a progression of no step, no value or huge values") {
    Histogram constant, single;
    constant.record_progression(12345, 0, 1000);
    single.record(12345, 1000);
    CHECK(constant == single);
    Histogram none;
    none.record_progression(5, 5, 0);
    none.record_progression(5, 5, 5, 0);
    CHECK(none == Histogram{});
    Histogram wide, loop;
    const std::int64_t step = kGreatest / 100 - 1;
    wide.record_progression(3, step, 100);
    for (std::int64_t k = 0; k < 100; ++k) loop.record(3 + k * step);
    CHECK(wide == loop);
}

TEST_CASE("Histogram: copies are independent, moves leave an empty one behind") {
    Histogram a = of({1, 1000, 1'000'000});
    Histogram copy = a;
    CHECK(copy == a);
    copy.record(5);
    CHECK(a.count() == 3);
    Histogram other = of({7, 1LL << 50});
    other = a;
    CHECK(other == a);
    const Histogram moved = std::move(copy);
    CHECK(moved.count() == 4);
    CHECK(copy == Histogram{});  // NOLINT: the state after a move is promised
    copy.record(3);
    CHECK(copy.count() == 1);
    a = std::move(other);
    CHECK(a == of({1, 1000, 1'000'000}));
}

TEST_CASE("Histogram: clear forgets everything") {
    Histogram h = of(spread(1, 100));
    h.clear();
    CHECK(h == Histogram{});
    h.record(9);
    CHECK(h == of({9}));
}

TEST_CASE("Histogram: counts what lies at or below a value") {
    Histogram h = of({0, 5, 5, 100, 1'000'000, 2'000'000});
    CHECK(h.count_at_most(-1) == 0);
    CHECK(h.count_at_most(0) == 1);
    CHECK(h.count_at_most(5) == 3);
    CHECK(h.count_at_most(999) == 4);
    CHECK(h.count_at_most(1'500'000) == 5);
    CHECK(h.count_at_most(kGreatest) == 6);
}

}  // namespace
}  // namespace headroom::metrics
