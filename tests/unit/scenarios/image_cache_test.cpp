// The key image_cache_capacity of node pools.
#include "sim/simulation.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

/// A node for one pod at a time: a's until it is killed after a minute, then b's, then a's again.
/// An image takes 6 s.
const VariedScenario kTurns{R"({
  "duration": "5m",
  "initial": "cold",
  "services": {
    "a": {"simple": {}, "pod": {"requests": {"cpu": "1"}, "image_pull_rate": "1Gi",
                                "image": {"name": "a", "size": "6Gi"}}},
    "b": {"simple": {}, "pod": {"requests": {"cpu": "1"}, "image_pull_rate": "1Gi",
                                "image": {"name": "b", "size": "6Gi"}}}
  },
  "sources": {"of_a": {"service": "a", "arrivals": {"process": "poisson", "rate": 1}},
              "of_b": {"service": "b", "arrivals": {"process": "poisson", "rate": 1}}},
  "node_pools": {"one": {"count": 1, "node": {"cpu": "1", "memory": "8Gi"}}},
  "faults": {"first": {"at": "1m", "kind": "kill_instance", "target": "a"},
             "second": {"at": "2m", "kind": "kill_instance", "target": "b"}}
})"};

/// Seconds that pods waited for images: of a, and of b.
std::vector<double> image_pulls(std::vector<std::string> sets) {
    const SimulationResult result = Simulation(kTurns.good(std::move(sets)).spec).run({});
    std::vector<double> seconds;
    for (const control::WorkloadResult& workload : result.control.workloads) {
        seconds.push_back(workload.image_pull_time.to_seconds());
    }
    return seconds;
}

std::vector<std::string> capacity(const char* size) {
    return {std::string("/node_pools/one/image_cache_capacity=") + size};
}

}  // namespace

TEST_CASE("Scenario: a node that cannot keep all images pulls one again after another's turn") {
    using Seconds = std::vector<double>;
    CHECK(image_pulls({}) == Seconds{6, 6});
    CHECK(image_pulls(capacity("12Gi")) == Seconds{6, 6});
    CHECK(image_pulls(capacity("11Gi")) == Seconds{12, 6});
    // What does not fit at all is pulled by each pod and not kept.
    CHECK(image_pulls(capacity("5Gi")) == Seconds{12, 6});
}

TEST_CASE("Scenario: a node keeps all images unless its pool says otherwise") {
    const auto built = [](std::vector<std::string> sets) {
        const Scenario scenario = kTurns.good(std::move(sets));
        return scenario.spec.control.pools.at(0).node.image_cache_capacity;
    };
    CHECK(built({}) == cluster::ImageCache::kUnlimited);
    CHECK(built(capacity("500Gi")) == gibibytes(500));
    CHECK(kTurns.mistakes(capacity("0")).size() == 1);
}

}  // namespace headroom::scenarios
