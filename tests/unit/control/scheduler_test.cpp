#include "sim/control/scheduler.hpp"

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

TEST_CASE("Scheduler: looks for all nodes below 100, then for the adaptive percentage") {
    CHECK(Scheduler::feasible_nodes_to_find(99, 0) == 99);
    CHECK(Scheduler::feasible_nodes_to_find(100, 0) == 100);
    CHECK(Scheduler::feasible_nodes_to_find(1000, 0) == 420);  // 50 - 8 per cent
    CHECK(Scheduler::feasible_nodes_to_find(6000, 0) == 300);  // 5 per cent at least
    CHECK(Scheduler::feasible_nodes_to_find(1000, 40) == 400);
    CHECK(Scheduler::feasible_nodes_to_find(1000, 1) == 100);  // 100 nodes at least
    CHECK(Scheduler::feasible_nodes_to_find(1000, 200) == 1000);
}

TEST_CASE("SchedulingQueue: backoff doubles from 1 s to 10 s") {
    CHECK(SchedulingQueue::backoff(1) == Duration::seconds(1));
    CHECK(SchedulingQueue::backoff(2) == Duration::seconds(2));
    CHECK(SchedulingQueue::backoff(4) == Duration::seconds(8));
    CHECK(SchedulingQueue::backoff(5) == Duration::seconds(10));
    CHECK(SchedulingQueue::backoff(50) == Duration::seconds(10));
}

TEST_CASE("Scheduler: a pod that did not fit is tried when room appears, after its backoff") {
    ControlSpec spec = small_spec(1, 1, 1);
    // At 10 s a second workload's pod is created; at 10.5 s the first one's device becomes free.
    WorkloadSpec batch = spec.workloads[0];
    batch.name = "batch";
    batch.service = 1;
    batch.replicas = 0;
    spec.workloads.push_back(batch);
    with_script(spec, Duration::milliseconds(10'500), [](const ScalingView& view) {
        return want(view, view.now == Time::zero() ? 1 : 0);
    });
    spec.workloads[1].autoscaler = spec.workloads[0].autoscaler;
    spec.workloads[1].autoscaler->phase = Duration::seconds(10);
    ScriptedScaling::script = [](const ScalingView& view) {
        if (view.now == at_s(10)) return want(view, 1);
        if (view.now == at_ms(10'500)) return want(view, 0);
        return want(view, view.spec_replicas);
    };
    Run run(spec);
    run.start();
    run.run_until(at_ms(10'999));
    REQUIRE(run.workload(1).pods.size() == 1);
    const ControlState& state = run.control->state();
    CHECK(state.managed(run.workload(1).pods[0]).place == QueuePlace::backoff);
    run.run_until(at_s(11));
    CHECK(state.managed(run.workload(1).pods[0]).bound_at == at_s(11));
    run.run_until(at_s(20));
    CHECK(run.plane.of("add").back().time == at_s(13));  // 2 s container start
}

TEST_CASE("Scheduler: an unschedulable pod is tried again after 5 min without any event") {
    ControlSpec spec = small_spec(1, 1, 2);
    Run run(spec);
    run.start();
    run.run_until(at_s(299));
    CHECK(run.pod(1).attempts == 1);
    run.run_until(at_s(300));
    CHECK(run.pod(1).attempts == 2);
    run.run_until(at_s(600));
    CHECK(run.pod(1).attempts == 3);
    // The reason did not change: it is recorded once.
    const ControlResults results = run.control->finish(at_s(600));
    std::int64_t blocked = 0;
    for (const Decision& decision : results.decisions) {
        if (decision.outcome != Decision::Outcome::blocked) continue;
        ++blocked;
        CHECK(decision.actor == "scheduler");
        CHECK(decision.reason == "0/1 nodes are available: 1 does not fit");
    }
    CHECK(blocked == 1);
}

TEST_CASE("Scheduler: higher priority goes first, then creation order") {
    ControlSpec spec = small_spec(1, 1, 1);
    WorkloadSpec urgent = spec.workloads[0];
    urgent.name = "urgent";
    urgent.pod.priority = 10;
    urgent.service = 1;
    spec.workloads.push_back(urgent);
    Run run(spec);
    run.start();
    REQUIRE(run.plane.calls.size() == 1);
    CHECK(run.plane.calls[0].key.service == 1);
}

TEST_CASE("Scheduler: equal nodes are drawn uniformly, and the same for one seed") {
    ControlSpec spec = small_spec(4, 1, 1);
    std::map<std::uint32_t, int> chosen;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        register_test_policies();
        FakeDataPlane plane;
        ControlPlane control(spec, plane, seed, Time::zero(), false);
        control.start();
        const ControlState& state = control.state();
        ++chosen[state.cluster.pod(state.workloads[0].pods[0]).node.index];
        FakeDataPlane other_plane;
        ControlPlane other(spec, other_plane, seed, Time::zero(), false);
        other.start();
        CHECK(other.digest() == control.digest());
    }
    REQUIRE(chosen.size() == 4);
    for (const auto& [node, count] : chosen) {
        CHECK(count > 60);
        CHECK(count < 140);
    }
}

TEST_CASE("ControlPlane: says which workloads no node could ever hold") {
    ControlSpec spec = small_spec(2, 4, 100);  // only waits: not an error
    CHECK(unschedulable_workloads(spec).empty());
    spec.workloads[0].pod.devices.count = 5;
    REQUIRE(unschedulable_workloads(spec).size() == 1);
    CHECK(unschedulable_workloads(spec)[0].rfind("chat: ", 0) == 0);
    spec.workloads[0].pod.devices.count = 1;
    spec.workloads[0].pod.node_selector = {{"topology.kubernetes.io/zone", "b"}};
    CHECK(unschedulable_workloads(spec).size() == 1);
    spec.pools[0].zones = {"a", "b"};
    CHECK(unschedulable_workloads(spec).empty());
    spec.pools.clear();
    CHECK(unschedulable_workloads(spec).size() == 1);
}

}  // namespace headroom::control::testing
