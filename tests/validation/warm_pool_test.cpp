// What a warm pool is worth, by pen and paper: the same load on the same service with and without
// standby pods. Arrivals and times are fixed, so waits are compared to the picosecond.
#include <string>
#include <utility>
#include <vector>

#include "analysis/results/capacity_lag.hpp"
#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/validation/whole_loop.hpp"

namespace headroom::tests {
namespace {

using control::WorkloadResult;

/// 10 s of image (1 GB at 100 MB/s), 2 s to start, 4 s of weights (4 GB at 1 GB/s), 3 s to warm up,
/// half a second until it is an endpoint.
constexpr Duration kColdStart = Duration::milliseconds(19'500);
constexpr Duration kReadinessDelay = Duration::milliseconds(500);
constexpr Duration kActivation = Duration::milliseconds(1'250);

/// Two services alike, "cold" and "warm", each on nodes of its own: a node holds one pod and costs
/// 3.6 an hour, so a pod costs a thousandth a second.
SimulationSpec two_services(std::int64_t replicas, const std::vector<serving::Arrival>& arrivals,
                            Duration end) {
    SimulationSpec spec;
    spec.end = Time::zero() + end;
    spec.control.scheduling = choose<control::SchedulingPolicy>("kube-default");
    for (const char* name : {"cold", "warm"}) {
        const auto service = static_cast<std::uint32_t>(spec.services.size());
        spec.services.push_back(simple_service(name, 100'000, Distribution::fixed(7200)));
        spec.sources.push_back(list_source(service, arrivals));
        spec.sources.back().name = name;

        control::NodePoolSpec pool;
        pool.name = pool.node.name = name;
        pool.count = 20;
        pool.node.capacity = {MilliCpu{1000}, gibibytes(64), 10};
        pool.node.allocatable = pool.node.capacity;
        pool.node.nic_bytes_per_s = 10'000'000'000;
        pool.node.price_per_hour = Money{3'600'000};
        spec.control.pools.push_back(pool);

        control::WorkloadSpec workload;
        workload.name = workload.pod.name = name;
        workload.service = service;
        workload.replicas = replicas;
        workload.pod.requests.cpu = MilliCpu{1000};
        workload.pod.node_selector[std::string(cluster::kPoolLabel)] = name;
        workload.pod.image = {"web", Bytes{1'000'000'000}};
        workload.pod.weights = {"model", Bytes{4'000'000'000}};
        workload.lifecycle.image_pull_bytes_per_s = 100'000'000;
        workload.lifecycle.weights_load_bytes_per_s = 1'000'000'000;
        workload.lifecycle.container_start = Duration::seconds(2);
        workload.lifecycle.warm_up = Duration::seconds(3);
        workload.lifecycle.readiness_delay = kReadinessDelay;
        spec.control.workloads.push_back(workload);
    }
    return spec;
}

/// An HPA at 4 requests in flight a pod, ticks at 5 + 15 k s, that sees the scrape of 43 s at 50 s.
void scale_by_in_flight(SimulationSpec& spec) {
    spec.control.metrics.scrape_phase = Duration::seconds(3);
    spec.control.metrics.scrape_interval = Duration::seconds(10);
    spec.control.metrics.delay = Duration::seconds(4);
    scale_by(spec, "hpa",
             {{"min_replicas", whole(1)},
              {"max_replicas", whole(20)},
              {"metrics", four_in_flight_a_pod()},
              {"sync_period", {Duration::seconds(15)}}},
             Duration::seconds(5));
}

analysis::CapacityLag lag_of(const SimulationResult& result, std::size_t workload) {
    const WorkloadResult& of = result.control.workloads.at(workload);
    return analysis::capacity_lag(of.desired_replicas, of.ready_replicas, result.end);
}

Duration first_wait(const SimulationResult& result, std::uint32_t service) {
    for (const serving::RequestRow& row : result.rows) {
        if (row.service == service) return row.first_scheduled - row.arrival;
    }
    FAIL("no request of the service");
    return {};
}

}  // namespace

// Both are at zero. A request at 60 s wakes kpa at that instant; the cold service needs its whole
// start, the warm one the activation and the readiness delay.
TEST_CASE("Warm pool: from zero, a request waits for the activation, not for a cold start") {
    SimulationSpec spec =
        two_services(0, {arrival_at(Duration::seconds(60))}, Duration::minutes(3));
    scale_by(spec, "kpa", {{"min_replicas", whole(0)}, {"max_replicas", whole(5)}},
             Duration::milliseconds(300));
    spec.control.workloads[1].warm_pool = {1, kActivation, false};
    RunOptions options;
    options.keep_rows = true;
    const SimulationResult result = Simulation(spec).run(options);
    CHECK(first_wait(result, 0) == kColdStart);
    CHECK(first_wait(result, 1) == kActivation + kReadinessDelay);
    CHECK(result.control.workloads[1].promotions == 1);
    CHECK(lag_of(result, 0).longest == kColdStart - kReadinessDelay);
    CHECK(lag_of(result, 1).longest == kActivation);
}

// 16 requests come at 40 s and stay: at 50 s the HPA wants 16 / 4 = 4 pods instead of 1. A pool of
// 3 has them ready 1.25 s later, one of 2 all but one; its own pods of that instant, and the cold
// service's, are ready or loaded 19 s later, each on a node without image and weights. The run ends
// at 600 s: 600 + 3 x 550 = 2250 s of active pods for each.
TEST_CASE("Warm pool: a raise is met after the activation as far as the pool goes") {
    const auto run = [](std::int64_t size) {
        SimulationSpec spec =
            two_services(1, std::vector<serving::Arrival>(16, arrival_at(Duration::seconds(40))),
                         Duration::minutes(10));
        scale_by_in_flight(spec);
        spec.control.workloads[1].warm_pool = {size, kActivation, false};
        return Simulation(spec).run({});
    };
    const SimulationResult large = run(3);
    const WorkloadResult& cold = large.control.workloads[0];
    const WorkloadResult& warm = large.control.workloads[1];
    CHECK(steps(cold.desired_replicas) == Steps{{0, 1}, {50, 4}});
    CHECK(steps(warm.desired_replicas) == Steps{{0, 1}, {50, 4}});
    CHECK(steps(cold.ready_replicas) == Steps{{0, 1}, {69, 4}});
    CHECK(steps(warm.ready_replicas) == Steps{{0, 1}, {51.25, 4}});
    CHECK(lag_of(large, 0).mean_s() == 19);
    CHECK(lag_of(large, 1).mean_s() == 1.25);
    // The price: three pods more all the time, loaded but for the 19 s of the new ones.
    CHECK(cold.cost == Money{2'250'000});
    CHECK(warm.cost == Money{2'250'000 + 1'800'000});
    CHECK(warm.standby_cost == Money{1'800'000});
    CHECK(warm.standby_loaded_time.to_seconds() == 3 * (600 - 19));
    CHECK(warm.pods_created == 1 + 3 + 3);

    const SimulationResult smaller = run(2);
    const WorkloadResult& small = smaller.control.workloads[1];
    CHECK(steps(small.ready_replicas) == Steps{{0, 1}, {51.25, 3}, {69, 4}});
    CHECK(small.promotions == 2);
}

}  // namespace headroom::tests
