#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

constexpr std::int64_t kGigabyte = 1'000'000'000;

ControlSpec cold_spec(std::int64_t nodes, std::int64_t devices, std::int64_t replicas) {
    ControlSpec spec = small_spec(nodes, devices, replicas);
    spec.initial = InitialState::cold;
    WorkloadSpec& workload = spec.workloads[0];
    workload.pod.image = {"server:v1", Bytes{kGigabyte}, Bytes{0}};
    workload.pod.weights = {"model", Bytes{10 * kGigabyte}};
    workload.lifecycle.image_pull_bytes_per_s = 100'000'000;
    workload.lifecycle.weights_load_bytes_per_s = kGigabyte;
    workload.lifecycle.warm_up = Duration::seconds(3);
    workload.lifecycle.readiness_delay = Duration::seconds(1);
    return spec;
}

}  // namespace

TEST_CASE("PodLifecycle: a cold start takes pull, start, load, warm-up and readiness delay") {
    Run run(cold_spec(1, 1, 1));
    run.start();
    run.run_until(at_s(100));
    // 1 GB at 100 MB/s, 2 s, 10 GB at 1 GB/s, 3 s, 1 s.
    REQUIRE(run.plane.calls.size() == 1);
    CHECK(run.plane.calls[0].time == at_s(26));
    const ControlResults results = run.control->finish(at_s(100));
    const WorkloadResult& chat = results.workloads[0];
    CHECK(chat.pods_became_ready == 1);
    CHECK(chat.image_pull_time == Duration::seconds(10));
    CHECK(chat.container_start_time == Duration::seconds(2));
    CHECK(chat.weights_load_time == Duration::seconds(10));
    CHECK(chat.warm_up_time == Duration::seconds(3));
    // Ready is the condition, a second before the endpoint.
    CHECK(chat.ready_replicas.value_at(at_ms(24'999)) == 0);
    CHECK(chat.ready_replicas.value_at(at_s(25)) == 1);
    CHECK(chat.ready_replica_time.to_seconds() == 75.0);
}

TEST_CASE("PodLifecycle: two pods that pull at once over one registry link take twice as long") {
    ControlSpec spec = cold_spec(2, 1, 2);
    spec.registry_bytes_per_s = 100'000'000;
    spec.weights_store_bytes_per_s = kGigabyte;
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    const auto added = run.plane.of("add");
    REQUIRE(added.size() == 2);
    // 2 GB over 100 MB/s, 2 s, 20 GB over 1 GB/s, 3 s, 1 s.
    CHECK(added[0].time == at_s(46));
    CHECK(added[1].time == at_s(46));
}

TEST_CASE("PodLifecycle: pods of one node share the transfer of one image") {
    ControlSpec spec = cold_spec(1, 2, 2);
    spec.registry_bytes_per_s = 100'000'000;
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    const auto added = run.plane.of("add");
    REQUIRE(added.size() == 2);
    CHECK(added[0].time == at_s(26));
    CHECK(added[1].time == at_s(26));
}

TEST_CASE("PodLifecycle: a pod that joins a weights transfer late reads no faster than its rate") {
    ControlSpec spec = cold_spec(1, 2, 1);
    spec.workloads[0].pod.image = {};
    with_script(spec, Duration::seconds(4),
                [](const ScalingView& view) { return want(view, view.now >= at_s(4) ? 2 : 1); });
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    const auto added = run.plane.of("add");
    REQUIRE(added.size() == 2);
    CHECK(added[0].time == at_s(16));  // 2 + 10 + 3 + 1
    CHECK(added[1].time == at_s(20));  // four seconds later, all along
}

TEST_CASE("PodLifecycle: cached weights load at the load rate without the store link") {
    ControlSpec spec = cold_spec(1, 1, 1);
    spec.weights_store_bytes_per_s = 100'000'000;  // 100 s for the first
    FaultSpec kill;
    kill.at = at_s(200);
    kill.target = "chat";
    spec.faults.push_back(kill);
    Run run(spec);
    run.start();
    run.run_until(at_s(300));
    const auto added = run.plane.of("add");
    REQUIRE(added.size() == 2);
    CHECK(added[0].time == at_s(116));
    // Image and weights lie there: 2 s start, 10 s load, 3 s, 1 s.
    CHECK(added[1].time == at_s(216));
    CHECK(added[1].key.ordinal == 1);
}

TEST_CASE("PodLifecycle: initially ready pods are endpoints at time 0, their artifacts cached") {
    ControlSpec spec = cold_spec(1, 2, 3);
    spec.initial = InitialState::ready;
    Run run(spec);
    run.start();
    REQUIRE(run.plane.of("add").size() == 2);  // the third waits for a device
    CHECK(run.plane.calls[0].time == Time::zero());
    CHECK(run.control->state().cluster.node(run.placed(0).node).images.contains("model"));
    run.run_until(at_s(100));
    CHECK(run.plane.of("add").size() == 2);
    const ControlResults results = run.control->finish(at_s(100));
    CHECK(results.workloads[0].pods_became_ready == 0);
    CHECK(results.workloads[0].pods_pending == 1);
    CHECK(results.workloads[0].ready_replica_time.to_seconds() == 200.0);
}

TEST_CASE("PodLifecycle: scaling down drains, and the notification frees the device") {
    ControlSpec spec = small_spec(1, 2, 2);
    with_script(spec, Duration::seconds(10),
                [](const ScalingView& view) { return want(view, view.now >= at_s(10) ? 1 : 2); });
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_s(20));
    const auto drained = run.plane.of("drain");
    REQUIRE(drained.size() == 1);
    CHECK(drained[0].time == at_s(10));
    REQUIRE(run.workload().pods.size() == 2);
    CHECK(run.workload().active == 1);
    const auto free = [&run] {
        const cluster::Cluster& cluster = run.control->state().cluster;
        return cluster.node(cluster.find_node("gpu-0")).usage.free_milli();
    };
    CHECK(free() == MilliGpu{0});
    run.plane.finish_drain(at_s(21), drained[0].key);
    CHECK(run.control->next_event_time() == at_s(21));
    run.run_until(at_s(60));
    CHECK(run.workload().pods.size() == 1);
    CHECK(free() == cluster::kWholeDevice);
    CHECK(run.plane.of("kill").empty());
}

TEST_CASE("PodLifecycle: a drain that outlasts the termination grace is killed") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.workloads[0].lifecycle.termination_grace = Duration::seconds(30);
    with_script(spec, Duration::seconds(10),
                [](const ScalingView& view) { return want(view, view.now >= at_s(10) ? 0 : 1); });
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_ms(39'999));
    CHECK(run.plane.of("kill").empty());
    run.run_until(at_s(40));
    REQUIRE(run.plane.of("kill").size() == 1);
    CHECK(run.plane.calls.back().time == at_s(40));
    CHECK(run.workload().pods.empty());
}

TEST_CASE("PodLifecycle: an idle instance that says drained inside the call is gone at once") {
    ControlSpec spec = small_spec(1, 1, 1);
    with_script(spec, Duration::seconds(10),
                [](const ScalingView& view) { return want(view, view.now >= at_s(10) ? 0 : 1); });
    Run run(spec);
    run.start();
    run.run_until(at_s(10));
    CHECK(run.workload().pods.empty());
    run.run_until(at_s(100));
    CHECK(run.plane.of("kill").empty());
}

TEST_CASE("PodLifecycle: a pod deleted while it pulls leaves the network and its node") {
    ControlSpec spec = cold_spec(1, 1, 1);
    with_script(spec, Duration::seconds(5),
                [](const ScalingView& view) { return want(view, view.now >= at_s(5) ? 0 : 1); });
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    CHECK(run.plane.calls.empty());
    CHECK(run.control->state().network.flow_count() == 0);
    CHECK(run.control->state().cluster.pod_count() == 0);
}

TEST_CASE("PodLifecycle: instances get the speed of their rank, and keep one set later") {
    ControlSpec spec = small_spec(1, 2, 2);
    spec.workloads[0].speed_by_rank = {1.0, 0.5};
    FaultSpec slow;
    slow.at = at_s(5);
    slow.kind = FaultSpec::Kind::set_speed;
    slow.target = "chat";
    slow.index = 0;
    slow.speed = 0.25;
    spec.faults.push_back(slow);
    Run run(spec);
    run.start();
    CHECK(run.plane.instances.at({0, 0}).speed == 1'000'000);
    CHECK(run.plane.instances.at({0, 1}).speed == 500'000);
    run.run_until(at_s(5));
    CHECK(run.plane.instances.at({0, 0}).speed == 250'000);
    // As the scenario wrote it.
    const ControlResults results = run.control->finish(at_s(5));
    CHECK(results.decisions.back().actor == "fault");
    CHECK(results.decisions.back().reason == "speed 0.25");
}

}  // namespace headroom::control::testing
