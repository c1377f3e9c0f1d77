#include "sim/control/faults.hpp"

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

FaultSpec fault(std::int64_t at, FaultSpec::Kind kind, std::string target, std::int64_t index = 0) {
    FaultSpec spec;
    spec.at = at_s(at);
    spec.kind = kind;
    spec.target = std::move(target);
    spec.index = index;
    return spec;
}

}  // namespace

TEST_CASE("Faults: the pods of a lost node are killed and made again elsewhere") {
    ControlSpec spec = small_spec(2, 2, 2);  // one pod a node
    spec.faults.push_back(fault(10, FaultSpec::Kind::lose_node, "gpu-0"));
    Run run(spec);
    run.start();
    run.run_until(at_s(60));
    REQUIRE(run.plane.of("kill").size() == 1);
    CHECK(run.plane.of("kill")[0].time == at_s(10));
    REQUIRE(run.plane.of("add").size() == 3);
    CHECK(run.plane.of("add")[2].time == at_s(12));
    CHECK(run.plane.of("add")[2].key.ordinal == 2);
    CHECK(run.plane.of("drain").empty());
    CHECK(run.workload().pods.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(run.control->state().cluster.node(run.placed(i).node).spec->name == "gpu-1");
    }
}

TEST_CASE("Faults: pods that found no room wait until the node is restored") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.faults.push_back(fault(10, FaultSpec::Kind::lose_node, "gpu-0"));
    spec.faults.push_back(fault(50, FaultSpec::Kind::restore_node, "gpu-0"));
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    REQUIRE(run.plane.of("add").size() == 2);
    CHECK(run.plane.of("add")[1].time == at_s(52));
    const ControlResults results = run.control->finish(at_s(100));
    CHECK(results.workloads[0].pending_time == Duration::seconds(40));
    // The lost node is not paid for: 60 of 100 s at 3.6 an hour.
    CHECK(results.cost.count() == 60'000);
    CHECK(results.pools[0].node_time.to_seconds() == 60.0);
}

TEST_CASE("Faults: a killed instance is replaced, a drained one finishes first") {
    ControlSpec spec = small_spec(1, 4, 2);
    spec.faults.push_back(fault(10, FaultSpec::Kind::kill_instance, "chat", 1));
    spec.faults.push_back(fault(20, FaultSpec::Kind::drain_instance, "chat", 0));
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    const serving::InstanceKey oldest = run.plane.calls[0].key;
    run.run_until(at_s(25));
    REQUIRE(run.plane.of("kill").size() == 1);
    REQUIRE(run.plane.of("drain").size() == 1);
    CHECK(run.plane.of("drain")[0].key == oldest);
    REQUIRE(run.plane.of("add").size() == 4);
    CHECK(run.plane.of("add")[2].time == at_s(12));
    CHECK(run.plane.of("add")[3].time == at_s(22));  // the draining one does not count
    CHECK(run.workload().pods.size() == 3);
}

TEST_CASE("Faults: a target that is not there is recorded and changes nothing") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.faults.push_back(fault(10, FaultSpec::Kind::kill_instance, "chat", 7));
    spec.faults.push_back(fault(11, FaultSpec::Kind::lose_node, "gpu-9"));
    spec.faults.push_back(fault(12, FaultSpec::Kind::restore_node, "gpu-0"));
    Run run(spec);
    run.start();
    run.run_until(at_s(60));
    CHECK(run.plane.calls.size() == 1);
    const ControlResults results = run.control->finish(at_s(60));
    REQUIRE(results.decisions.size() == 4);  // the first is the bind
    for (std::size_t i = 1; i < 4; ++i) {
        CHECK(results.decisions[i].actor == "fault");
        CHECK(results.decisions[i].outcome == Decision::Outcome::blocked);
    }
}

TEST_CASE("NodePools: cost, node time and shares by hand, from measure_from on") {
    ControlSpec spec = small_spec(2, 4, 2);  // 3.6 an hour a node: 1000 micro a second
    Run run(spec, at_s(100));
    run.start();
    run.run_until(at_s(300));
    const ControlResults results = run.control->finish(at_s(300));
    CHECK(results.cost.count() == 2 * 200 * 1000);
    CHECK(results.pools[0].cost == results.cost);
    CHECK(results.pools[0].nodes == 2);
    CHECK(results.pools[0].node_time.to_seconds() == 400.0);
    CHECK(results.pools[0].device_time.to_seconds() == 1600.0);
    CHECK(results.pools[0].device_allocated_time.to_seconds() == 400.0);
    CHECK(results.workloads[0].device_time.to_seconds() == 400.0);
    CHECK(results.workloads[0].ready_replica_time.to_seconds() == 400.0);
    // Each pod holds one of four devices of its node.
    CHECK(results.workloads[0].cost.count() == 2 * 200 * 1000 / 4);
}

TEST_CASE("NodePools: on nodes without devices the greater share of CPU and memory counts") {
    ControlSpec spec = small_spec(1, 0, 1);
    spec.workloads[0].pod.devices.count = 0;
    spec.workloads[0].pod.requests = {MilliCpu{6'400}, gibibytes(256)};  // a tenth, a half
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    const ControlResults results = run.control->finish(at_s(100));
    CHECK(results.cost.count() == 100'000);
    CHECK(results.workloads[0].cost.count() == 50'000);
}

TEST_CASE("NodePools: nodes are named after their pool and dealt to zones in turn") {
    ControlSpec spec = small_spec(3, 1, 0);
    spec.pools[0].zones = {"a", "b"};
    Run run(spec);
    run.start();
    const cluster::Cluster& cluster = run.control->state().cluster;
    const auto zone = [&](const char* name) {
        const cluster::NodeId id = cluster.find_node(name);
        REQUIRE(id.valid());
        return cluster::label(*cluster.node(id).spec, cluster::kZoneLabel);
    };
    CHECK(zone("gpu-0") == "a");
    CHECK(zone("gpu-1") == "b");
    CHECK(zone("gpu-2") == "a");
}

}  // namespace headroom::control::testing
