// Versions of one service that are scaled each for itself by a metric of the service: in a cluster
// each would have metrics of its own, so that their pods are in the proportion of the traffic.
#include <string>
#include <utility>

#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/validation/whole_loop.hpp"

namespace headroom::tests {
namespace {

/// Two versions at 70 : 30, of requests that take a second each, in pods that take any number.
SimulationSpec split_service(std::int64_t replicas, double rate, Duration end) {
    SimulationSpec spec = one_service(replicas, {}, Duration::seconds(1), end);
    spec.sources = {poisson_source(0, rate)};
    auto& versions = spec.services[0].versions;
    versions.resize(2, versions[0]);
    auto& workloads = spec.control.workloads;
    workloads.resize(2, workloads[0]);
    for (std::uint32_t i = 0; i < 2; ++i) {
        versions[i].name = "v" + std::to_string(i);
        versions[i].weight = i == 0 ? 70 : 30;
        workloads[i].name = workloads[i].pod.name = "web-" + versions[i].name;
        workloads[i].version = i;
    }
    return spec;
}

std::int64_t last_level(const control::WorkloadResult& workload) {
    return steps(workload.desired_replicas).back().level;
}

}  // namespace

// 1000 requests a second at 105 a pod: 700 / 105 = 6.67 and 300 / 105 = 2.86, and over a window of
// a minute 7 standard deviations of either are less than what is missing to the next whole pod.
TEST_CASE("Versions: an HPA on the service's arrivals gives each its share of the pods") {
    SimulationSpec spec = split_service(1, 1000, Duration::minutes(10));
    Parameters target;
    target.set("type", words("AverageValue"));
    target.set("value", whole(105'000));
    Parameters metric;
    metric.set("type", words("External"));
    metric.set("name", words("arrivals_per_second"));
    metric.set("container", words(""));
    metric.set("target", object(target));
    scale_by(spec, "hpa", {{"max_replicas", whole(20)}, {"metrics", list({object(metric)})}});
    const SimulationResult result = Simulation(spec).run({});
    CHECK(last_level(result.control.workloads[0]) == 7);
    CHECK(last_level(result.control.workloads[1]) == 3);
}

// From none: what waits at the gateway wakes both. 7 of 10 requests in flight a pod are the KPA's
// aim, 70 % of its target: 700 / 7 = 100 pods and 300 / 7 = 43. The mean number of Poisson requests
// in flight over a minute deviates by less than 4 %, 4 standard deviations, of the fewer.
TEST_CASE("Versions: a KPA on requests in flight does likewise, from no pod at all") {
    SimulationSpec spec = split_service(0, 1000, Duration::minutes(5));
    scale_by(spec, "kpa", {{"max_replicas", whole(150)}, {"target", {10.0}}});
    const SimulationResult result = Simulation(spec).run({});
    CHECK(static_cast<double>(last_level(result.control.workloads[0])) ==
          Approx(100).epsilon(0.04));
    CHECK(static_cast<double>(last_level(result.control.workloads[1])) == Approx(43).epsilon(0.06));
}

}  // namespace headroom::tests
