#include "analysis/results/capacity_lag.hpp"

#include <algorithm>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/times.hpp"

namespace headroom::analysis {

TEST_CASE("CapacityLag: a raise lasts until as many are ready as it asked for") {
    const CapacityLag lag =
        capacity_lag(steps({{0, 2}, {100, 4}}), steps({{0, 2}, {130, 3}, {160, 4}}), at_s(1000));
    CHECK(lag.replicas == 2);
    CHECK(lag.mean_s() == 60.0);
    CHECK(lag.max_s() == 60.0);
}

TEST_CASE("CapacityLag: the mean weighs a raise by the replicas it asked for") {
    // 2 replicas wait from 100 to 180 and 4 from 115 to 200.
    const CapacityLag lag = capacity_lag(steps({{0, 2}, {100, 4}, {115, 8}}),
                                         steps({{0, 2}, {180, 4}, {200, 8}}), at_s(1000));
    CHECK(lag.replicas == 6);
    CHECK(lag.mean_s() == (2 * 80.0 + 4 * 85.0) / 6);
    CHECK(lag.max_s() == 85.0);
}

TEST_CASE("CapacityLag: ends when no more are desired than are ready") {
    // 8 never come: at 150 only 3 are desired, and 3 are ready.
    const CapacityLag gone = capacity_lag(steps({{0, 2}, {100, 8}, {150, 3}}),
                                          steps({{0, 2}, {140, 3}, {150, 3}}), at_s(1000));
    CHECK(gone.max_s() == 50.0);
    // At 150 the desired number falls to 6, of which 3 are missing until 170.
    const CapacityLag fewer = capacity_lag(steps({{0, 2}, {100, 8}, {150, 6}}),
                                           steps({{0, 2}, {140, 3}, {170, 6}}), at_s(1000));
    CHECK(fewer.max_s() == 70.0);
}

TEST_CASE("CapacityLag: a raise that is open at the end counts up to it") {
    const CapacityLag lag =
        capacity_lag(steps({{0, 1}, {100, 2}, {400, 3}}), steps({{0, 1}}), at_s(500));
    CHECK(lag.mean_s() == 250.0);
    CHECK(lag.max_s() == 400.0);
}

TEST_CASE("CapacityLag: what a run begins with, and what is ready already, is not late") {
    CHECK_FALSE(capacity_lag(steps({{0, 4}}), steps({{0, 0}, {60, 4}}), at_s(100)).mean_s());
    CHECK_FALSE(capacity_lag({}, {}, at_s(100)).max_s());
    // Asked to go down to 2 and up again before a pod went.
    const CapacityLag back =
        capacity_lag(steps({{0, 4}, {50, 2}, {60, 4}}), steps({{0, 4}}), at_s(100));
    CHECK(back.replicas == 2);
    CHECK(back.mean_s() == 0.0);
}

TEST_CASE("CapacityLag: a pod that is lost later makes no raise late") {
    const CapacityLag lag = capacity_lag(steps({{0, 1}, {10, 2}}),
                                         steps({{0, 1}, {20, 2}, {50, 1}, {90, 2}}), at_s(100));
    CHECK(lag.max_s() == 10.0);
}

TEST_CASE("CapacityLag: is what looking at every second finds") {
    constexpr int kEnd = 60;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        CAPTURE(seed);
        const RandomStream random(seed, "capacity lag");
        const auto draw = [&](std::uint64_t stream) {
            std::vector<std::int64_t> levels;
            for (std::uint64_t s = 0; s < kEnd; ++s) {
                const bool stays = s > 0 && random.below(4, stream, s) > 0;
                const auto level = static_cast<std::int64_t>(random.below(7, stream + 1, s));
                levels.push_back(stays ? levels.back() : level);
            }
            return levels;
        };
        const std::vector<std::int64_t> desired = draw(0);
        const std::vector<std::int64_t> ready = draw(2);
        std::int64_t replicas = 0;
        std::int64_t waited = 0;
        std::int64_t longest = 0;
        for (std::size_t t = 1; t < kEnd; ++t) {
            if (desired[t] <= desired[t - 1]) continue;
            std::size_t end = t;
            while (end < kEnd && ready[end] < desired[t] && ready[end] < desired[end]) ++end;
            const auto lag = static_cast<std::int64_t>(end - t);
            replicas += desired[t] - desired[t - 1];
            waited += lag * (desired[t] - desired[t - 1]);
            longest = std::max(longest, lag);
        }
        metrics::TimeSeries asked;
        metrics::TimeSeries there;
        for (int s = 0; s < kEnd; ++s) {
            asked.append(at_s(s), desired[static_cast<std::size_t>(s)]);
            there.append(at_s(s), ready[static_cast<std::size_t>(s)]);
        }
        const CapacityLag lag = capacity_lag(asked, there, at_s(kEnd));
        CHECK(lag.replicas == replicas);
        CHECK(lag.waited.to_seconds() == static_cast<double>(waited));
        CHECK(lag.longest == Duration::seconds(longest));
    }
}

TEST_CASE("CapacityLag: workloads are added up") {
    CapacityLag lag = capacity_lag(steps({{0, 1}, {10, 4}}), steps({{0, 1}, {20, 4}}), at_s(100));
    lag += capacity_lag(steps({{0, 1}, {10, 2}}), steps({{0, 1}, {60, 2}}), at_s(100));
    CHECK(lag.mean_s() == (3 * 10.0 + 50.0) / 4);
    CHECK(lag.max_s() == 50.0);
}

}  // namespace headroom::analysis
