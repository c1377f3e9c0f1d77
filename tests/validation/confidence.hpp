/// Validation against queueing theory: runs a model in independent replications and compares the
/// mean of their means with the exact value, by a confidence interval of Student's t.
///
///     Replications runs = replicate(kReplications, 200'000, make_spec);
///     check_covers("wait", runs.estimate(mean_wait), exact, runs.widest);
///
/// Replication k is one simulation with seed k; each drops its first part from its latencies
/// (`measure_from` of the spec). Means over a fixed number of requests, all of which end, are
/// unbiased but for what is left of the start. The interval holds 99 % (two-sided), and must be
/// narrower than 1 % of the exact value to either side; where HEADROOM_TEST_SCALE makes the runs
/// shorter, to a tenth at most, that bound grows with one over the square root. On each run
/// Little's law must hold as an identity in integers, and no request may be lost from the books.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "analysis/statistics/interval.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {

using analysis::Interval;

inline constexpr int kReplications = 24;

struct Replications {
    std::vector<serving::ServiceStats> stats;  ///< of service 0
    double widest = 0.01;                      ///< half-width allowed, relative

    template <class Figure>
    [[nodiscard]] Interval estimate(Figure figure) const {
        std::vector<double> values;
        for (const serving::ServiceStats& one : stats) values.push_back(figure(one));
        return analysis::mean_interval(values, 0.99);
    }
};

/// Runs `make(requests)` of a spec in each of `count` replications of that many requests.
inline Replications replicate(int count, std::int64_t requests,
                              const std::function<SimulationSpec(std::int64_t requests)>& make) {
    Replications runs;
    const std::int64_t taken = scaled(requests, requests / 10);
    if (taken < requests) {
        runs.widest *= std::sqrt(static_cast<double>(requests) / static_cast<double>(taken));
    }
    for (int k = 1; k <= count; ++k) {
        SimulationSpec spec = make(taken);
        spec.seed = static_cast<std::uint64_t>(k);
        const SimulationResult result = Simulation(spec).run({});
        const serving::ServiceStats& stats = result.services[0].stats;
        INFO("replication " << k);
        REQUIRE(imbalance(stats) == "");
        REQUIRE(stats.requests.arrived == taken);
        REQUIRE(stats.requests.in_flight() == 0);
        runs.stats.push_back(stats);
    }
    // Once more, cut off in the middle: the identity includes what is still in flight.
    SimulationSpec cut = make(taken);
    cut.drain = false;
    for (std::int64_t second = 20; second < 40; ++second) {
        cut.end = Time::zero() + Duration::seconds(second);
        const serving::ServiceStats stats = Simulation(cut).run({}).services[0].stats;
        INFO("cut off at " << second << " s");
        CHECK(imbalance(stats) == "");
        if (stats.calls.in_flight() > 0) return runs;
    }
    FAIL("nothing was ever in flight");
    return runs;
}

/// The interval is narrow and covers the exact value. `grain` is the relative error of the figure
/// itself, such as a histogram's bucket.
inline void check_covers(const std::string& what, Interval estimate, double exact, double widest,
                         double grain = 0) {
    INFO(what << ": " << estimate.mean << " +- " << estimate.half_width << ", exact " << exact
              << ", off by " << (estimate.mean - exact) / estimate.half_width << " half-widths of "
              << 100 * estimate.half_width / exact << " %");
    CHECK(estimate.half_width <= widest * exact);
    CHECK(std::abs(estimate.mean - exact) <= estimate.half_width + grain * exact);
}

inline double mean_wait(const serving::ServiceStats& stats) {
    return stats.queue.mean() * 1e-12;
}
inline double mean_response(const serving::ServiceStats& stats) {
    return stats.e2e.mean() * 1e-12;
}

/// One service of `servers` under Poisson arrivals, measured from `warm_up` on, drained.
inline SimulationSpec open_queue(std::int64_t servers, double rate, const Distribution& service,
                                 std::int64_t requests, Duration warm_up,
                                 std::int64_t queue_limit = -1) {
    SimulationSpec spec;
    spec.drain = true;
    spec.measure_from = Time::zero() + warm_up;
    spec.services.push_back(simple_service("queue", servers, service, queue_limit));
    spec.sources.push_back(poisson_source(0, rate, requests));
    add_workload(spec, 0, 1);
    return spec;
}

}  // namespace headroom::tests
