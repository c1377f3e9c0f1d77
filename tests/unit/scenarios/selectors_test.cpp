// Selectors that match nothing: a mistake that is named at load where nothing could ever match,
// else a condition that the run records. Never a run without an end.
#include <algorithm>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kCluster{R"({
  "drain": true,
  "services": {"web": {"simple": {"servers": 2}, "replicas": 2,
                       "pod": {"requests": {"cpu": "1", "memory": "1Gi"}}}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5},
                        "max_requests": 100}},
  "node_pools": {"own": {"count": 2, "node": {"cpu": "16", "memory": "64Gi"},
                         "labels": {"tier": "gold"}}}
})"};

SimulationResult run_cluster(std::vector<std::string> sets) {
    return Simulation(kCluster.good(std::move(sets)).spec).run({});
}

/// The decisions of an actor, each as "subject: reason".
std::vector<std::string> decisions_of(const SimulationResult& result, const std::string& actor) {
    std::vector<std::string> found;
    for (const control::Decision& decision : result.control.decisions) {
        if (decision.actor == actor) found.push_back(decision.subject + ": " + decision.reason);
    }
    return found;
}

}  // namespace

TEST_CASE("Selectors: a node_selector that no node has is a mistake of the scenario") {
    CHECK(run_cluster({R"(/services/web/pod/node_selector={"tier": "gold"})"})
              .control.workloads[0]
              .pods_pending == 0);
    const std::string found =
        kCluster.mistake({R"(/services/web/pod/node_selector={"tier": "silver"})"});
    CHECK(found ==
          "/services/web/pod: expected a pod that an empty node of some node pool can hold, "
          "found web: node selector does not match");
}

TEST_CASE("Selectors: a topology key that no node has leaves the pods pending, and says so") {
    const SimulationResult result = run_cluster(
        {"/duration=1h", R"(/services/web/pod/topology_spread=[{"topology_key": "rack"}])"});
    CHECK(result.control.workloads[0].pods_pending == 2);
    const auto said = decisions_of(result, "scheduler");
    REQUIRE(said.size() == 2);
    CHECK(has(said[0],
              "web-0: 0/2 nodes are available: 2 node(s) didn't match pod topology "
              "spread constraints (missing required label)"));
    CHECK(result.total.requests.in_flight() == 100);
}

TEST_CASE("Selectors: a topology key that no node has is warned of") {
    const auto warnings = [](const std::string& constraint) {
        return kCluster.good({"/services/web/pod/topology_spread=[" + constraint + "]"}).warnings;
    };
    CHECK(warnings(R"({"topology_key": "rack"})") ==
          std::vector<std::string>{
              "service web: no node has the label \"rack\" of its topology_spread: its pods are "
              "never placed (labels of nodes: headroom/node-pool, kubernetes.io/hostname, tier, "
              "topology.kubernetes.io/zone)"});
    const auto soft =
        warnings(R"({"topology_key": "rack", "when_unsatisfiable": "ScheduleAnyway"})");
    REQUIRE(soft.size() == 1);
    CHECK(has(soft[0], "no ScheduleAnyway of it has an effect"));
    for (const char* key : {"tier", "kubernetes.io/hostname", "topology.kubernetes.io/zone"}) {
        CHECK(warnings(std::string(R"({"topology_key": ")") + key + "\"}").empty());
    }
    const auto odd = warnings(R"({"topology_key": "a\nrack)" + std::string(500, 'k') + "\"}");
    REQUIRE(odd.size() == 1);
    CHECK(odd[0].size() < 400);
    CHECK(has(odd[0], "\"a?rack"));
    // Nodes that are made for the pods have what every node has; an empty pool has none.
    const std::string spread = R"(/services/web/pod/topology_spread=[{"topology_key": "pool"}])";
    CHECK(kCluster.good({"/node_pools=null", spread}).warnings.size() == 1);
    const std::string empty = R"(/node_pools/empty={"count": 0, "labels": {"pool": "b"},
        "node": {"cpu": "1", "memory": "1Gi"}})";
    CHECK(kCluster.good({empty, spread}).warnings.size() == 1);
    CHECK(kCluster.good({empty, "/node_pools/empty/count=1", spread}).warnings.empty());
}

TEST_CASE("Selectors: a pool without zones beside pools with zones is one more, and warned of") {
    const std::string zone = R"(topology_spread=[{"topology_key": "topology.kubernetes.io/zone")";
    const std::string spread = "/services/web/pod/" + zone + "}]";
    const std::string zones = R"(/node_pools/own/zones=["b", "c"])";
    // Too small for any pod of the service, and yet the emptiest zone.
    const std::string small =
        R"(/node_pools/small={"count": 1, "node": {"cpu": "500m", "memory": "4Gi"}})";
    const std::vector<std::string> four = {zones, small, spread, "/services/web/replicas=4",
                                           "/duration=1h"};
    CHECK(run_cluster(four).control.workloads[0].pods_pending == 2);
    CHECK(kCluster.good(four).warnings ==
          std::vector<std::string>{
              "service web: node pool small has no \"zones\": to the service's topology_spread it "
              "is one more zone (\"zone-a\"), whether its pods can run there or not"});

    const auto warnings = [&](const std::vector<std::string>& sets) {
        return kCluster.good(sets).warnings;
    };
    CHECK(warnings({small, spread}).empty());
    CHECK(warnings({zones, small}).empty());
    CHECK(warnings({zones, small, spread, R"(/node_pools/small/zones=["b"])"}).empty());
    CHECK(warnings({R"(/node_pools/own/zones=["zone-a", "c"])", small, spread}).empty());
    CHECK(warnings({zones, small, spread,
                    R"(/node_pools/small/labels={"topology.kubernetes.io/zone": "b"})"})
              .empty());
    CHECK(warnings({zones, small, spread, R"(/services/web/pod/node_selector={"tier": "gold"})"})
              .empty());
    CHECK(warnings({zones, small,
                    "/services/web/pod/" + zone + R"(, "when_unsatisfiable": "ScheduleAnyway"}])"})
              .empty());
}

TEST_CASE("Selectors: a run that drains ends at the horizon when no pod ever serves") {
    const SimulationResult result =
        run_cluster({R"(/services/web/pod/topology_spread=[{"topology_key": "rack"}])"});
    CHECK(result.status == RunStatus::finished);
    CHECK(result.end == Time::horizon_limit());
    CHECK(result.total.requests.in_flight() == 100);
}

TEST_CASE("Selectors: metrics of a service without pods are none, and the autoscaler says so") {
    const std::string hpa = R"(/services/web/autoscaling={"policy": "hpa", "min_replicas": 1,
        "max_replicas": 4, "metrics": [{"type": "Pods", "name": "requests_in_flight",
        "target": {"type": "AverageValue", "value": "2"}}]})";
    // No pod ever runs, so that no sample ever comes.
    const SimulationResult result = run_cluster(
        {"/duration=1h", hpa, R"(/services/web/pod/topology_spread=[{"topology_key": "rack"}])"});
    const auto said = decisions_of(result, "hpa web");
    REQUIRE_FALSE(said.empty());
    CHECK(has(said[0], "no pod has a visible sample"));
    CHECK(result.control.workloads[0].scale_ups == 0);
}

TEST_CASE("Selectors: a fault that meets no pod is recorded as one that did not happen") {
    const SimulationResult result = run_cluster(
        {R"(/faults={"kill": {"at": "1s", "kind": "kill_instance", "target": "web", "index": 7}})"});
    CHECK(decisions_of(result, "fault") == std::vector<std::string>{"web: there is no such pod"});
}

TEST_CASE("Selectors: a container policy of vpa for a container that no pod has is named") {
    const SimulationResult result =
        run_cluster({"/duration=10m", R"(/services/web/vertical_autoscaling={
        "policy": "vpa", "container_policies": [{"container_name": "main", "mode": "Off"}]})"});
    const auto found =
        std::find_if(result.control.decisions.begin(), result.control.decisions.end(),
                     [](const control::Decision& d) { return d.actor == "vpa web"; });
    REQUIRE(found != result.control.decisions.end());
    CHECK(has(found->inputs, "no pod has the container \"main\" of container_policies"));
}

}  // namespace headroom::scenarios
