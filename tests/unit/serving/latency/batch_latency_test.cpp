#include "sim/serving/latency/batch_latency.hpp"

#include "tests/catch.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::serving::tests {
namespace {

TEST_CASE("BatchLatency: returns its points, a line between them, the last slope beyond") {
    const BatchLatency latency({{1, 8, 16}, {1e-3, 1.7e-3, 3.3e-3}});
    CHECK(latency.at(1) == Duration::milliseconds(1));
    CHECK(latency.at(8) == Duration::microseconds(1700));
    CHECK(latency.at(16) == Duration::microseconds(3300));
    CHECK(latency.at(2) == Duration::microseconds(1100));
    CHECK(latency.at(12) == Duration::microseconds(2500));
    CHECK(latency.at(24) == Duration::microseconds(4900));
}

TEST_CASE("BatchLatency: a time that falls is raised, so a larger batch is never faster") {
    const BatchLatency latency({{1, 2, 4}, {1e-3, 0.9e-3, 2e-3}});
    CHECK(latency.at(2) == Duration::milliseconds(1));
    for (std::int64_t b = 1; b < 40; ++b) CHECK(latency.at(b + 1) >= latency.at(b));
}

TEST_CASE(
    "BatchLatency: the estimate is launches, then memory or arithmetic, whichever is slower") {
    const BatchNetwork network{25'000'000, 8e9, 40e6, 60};
    const BatchTimes times = estimated_batch_times(network, h100());
    // 60 launches; 50 MB of weights and 40 MB of activations over 0.8 * 3.35 TB/s.
    CHECK(times.t_s[0] == Approx(60 * 3e-6 + 90e6 / 2.68e12));
    CHECK(times.batch.back() == 1024);
    CHECK(times.t_s.back() == Approx(60 * 3e-6 + 1024 * 8e9 / (0.4 * 989e12)));
}

TEST_CASE("BatchLatency: one measured batch is all that is known") {
    const BatchLatency latency({{4}, {2e-3}});
    CHECK(latency.at(1) == Duration::milliseconds(2));
    CHECK(latency.at(64) == Duration::milliseconds(2));
}

}  // namespace
}  // namespace headroom::serving::tests
