// The kubelet's part: containers that crash, probes, and the back-off before a restart.
#include "sim/control/restart_backoff.hpp"

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

std::vector<Time> times_of(const Run& run, const char* what) {
    std::vector<Time> times;
    for (const auto& call : run.plane.of(what)) times.push_back(call.time);
    return times;
}

/// One pod from cold: 2 s to the container's start, 10 GB of weights at 1 GB/s, 8 s to be warm.
ControlSpec slow_server() {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.initial = InitialState::cold;
    WorkloadSpec& workload = spec.workloads[0];
    workload.pod.weights = {"model", Bytes{10'000'000'000}};
    workload.lifecycle.weights_load_bytes_per_s = 1'000'000'000;
    workload.lifecycle.warm_up = Duration::seconds(8);
    return spec;
}

}  // namespace

TEST_CASE("RestartBackoff: at once, then 10, 20, 40 ... 300 s after the container's end") {
    RestartBackoff backoff;
    Time ended = at_s(100);
    const std::vector<std::int64_t> waits = {0, 10, 20, 40, 80, 160, 300, 300};
    for (const std::int64_t wait : waits) {
        const Time again = backoff.restart_at(ended);
        CHECK(again == ended + Duration::seconds(wait));
        ended = again + Duration::seconds(5);
    }
}

TEST_CASE("RestartBackoff: begins anew once a container ran for more than 600 s") {
    RestartBackoff backoff;
    CHECK(backoff.restart_at(at_s(0)) == at_s(0));
    CHECK(backoff.restart_at(at_s(600)) == at_s(610));    // not more than 600 s: still counts
    CHECK(backoff.restart_at(at_s(1211)) == at_s(1211));  // 601 s after the restart at 610
    CHECK(backoff.restart_at(at_s(1212)) == at_s(1222));
}

TEST_CASE("PodLifecycle: a crashed container starts again in its pod, later each time") {
    ControlSpec spec = small_spec(1, 1, 1);
    FaultSpec crash;
    crash.kind = FaultSpec::Kind::crash_container;
    crash.at = at_s(100);
    crash.target = "chat";
    crash.times = 3;
    crash.after = Duration::seconds(5);
    spec.faults = {crash};
    Run run(spec);
    run.start();
    run.run_until(at_s(1000));
    // Crashes at 100; started at once, up after 2 s, crashes at 107; 10 s, up at 119, crashes at
    // 124; 20 s, up at 146, and stays.
    CHECK(times_of(run, "kill") == std::vector<Time>{at_s(100), at_s(107), at_s(124)});
    CHECK(times_of(run, "add") == std::vector<Time>{at_s(0), at_s(102), at_s(119), at_s(146)});
    CHECK(run.workload().pods.size() == 1);
    CHECK(run.placed(0).restarts == 3);
    const ControlResults results = run.control->finish(at_s(1000));
    CHECK(results.workloads[0].container_restarts == 3);
    CHECK(results.workloads[0].pods_created == 1);
    CHECK(results.workloads[0].pods_became_ready == 0);  // ready from the beginning, restarts apart
    CHECK(results.workloads[0].ready_replicas.value_at(at_s(130)) == 0);
    std::vector<std::string> reasons;
    for (const Decision& decision : results.decisions) {
        if (decision.actor == "kubelet") reasons.push_back(decision.reason);
    }
    REQUIRE(reasons.size() == 3);
    CHECK(reasons[0] == "container crashed: restart 1 at once");
    CHECK(reasons[1] == "container crashed: CrashLoopBackOff, restart 2 in 10 s");
    CHECK(reasons[2] == "container crashed: CrashLoopBackOff, restart 3 in 20 s");
}

TEST_CASE("PodLifecycle: a crash in a draining pod is its end") {
    ControlSpec spec = small_spec(1, 1, 1);
    FaultSpec drain;
    drain.kind = FaultSpec::Kind::drain_instance;
    drain.at = at_s(10);
    drain.target = "chat";
    FaultSpec crash = drain;
    crash.kind = FaultSpec::Kind::crash_container;
    crash.at = at_s(5);
    crash.after = Duration::seconds(8);
    crash.times = 2;
    spec.faults = {drain, crash};
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_s(14));
    // Up again at 7, drains from 10 on; the second crash comes 8 s after the start at 7.
    CHECK(run.plane.of("kill").size() == 1);
    run.run_until(at_s(16));
    CHECK(run.plane.of("kill").size() == 2);
    CHECK(times_of(run, "kill").back() == at_s(15));
    CHECK(run.workload().pods.size() == 1);  // the one that replaced it
    CHECK(run.workload().result.container_restarts == 1);
}

TEST_CASE("PodLifecycle: a startup probe that is too short for the weights restarts for ever") {
    ControlSpec spec = slow_server();
    // The server is up 2 + 10 + 8 s after the pod is bound, 18 s after its container's start.
    ProbeSpec probe;
    probe.period = Duration::seconds(5);
    probe.failure_threshold = 4;  // fails at 0, 5, 10 and 15 s
    spec.workloads[0].lifecycle.startup = probe;
    Run run(spec);
    run.start();
    run.run_until(at_s(60));
    CHECK(run.plane.of("add").empty());
    CHECK(run.placed(0).restarts >= 2);
    const ControlResults results = run.control->finish(at_s(60));
    const auto first = std::find_if(results.decisions.begin(), results.decisions.end(),
                                    [](const Decision& d) { return d.actor == "kubelet"; });
    REQUIRE(first != results.decisions.end());
    CHECK(first->time == at_s(17));
    CHECK(first->reason ==
          "startup probe failed 4 times, 15 s after the container's start: restart 1 at once");
}

TEST_CASE("PodLifecycle: probes decide when a server that is up is ready") {
    ControlSpec spec = slow_server();
    ProbeSpec startup;
    startup.period = Duration::seconds(5);
    startup.failure_threshold = 5;  // passes at 20 s after the start at 2 s
    ProbeSpec readiness;
    readiness.initial_delay = Duration::seconds(1);
    readiness.period = Duration::seconds(4);  // 1, 5, ... 21, 25
    readiness.success_threshold = 2;
    spec.workloads[0].lifecycle.startup = startup;
    SECTION("without a readiness probe: when the startup probe passes") {
        Run run(spec);
        run.start();
        run.run_until(at_s(100));
        CHECK(times_of(run, "add") == std::vector<Time>{at_s(22)});
        CHECK(run.placed(0).restarts == 0);
    }
    SECTION("with one: at its second success after that") {
        spec.workloads[0].lifecycle.readiness = readiness;
        Run run(spec);
        run.start();
        run.run_until(at_s(100));
        CHECK(times_of(run, "add") == std::vector<Time>{at_s(27)});
    }
    SECTION("a liveness probe waits for the startup probe") {
        ProbeSpec liveness;
        liveness.period = Duration::seconds(1);
        spec.workloads[0].lifecycle.liveness = liveness;
        Run run(spec);
        run.start();
        run.run_until(at_s(100));
        CHECK(run.placed(0).restarts == 0);
    }
    SECTION("alone, it kills a server that is slow to come up") {
        ProbeSpec liveness;
        liveness.initial_delay = Duration::seconds(4);
        liveness.period = Duration::seconds(5);
        liveness.failure_threshold = 2;  // fails at 4 and 9 s after the start at 2 s
        spec.workloads[0].lifecycle.startup = std::nullopt;
        spec.workloads[0].lifecycle.liveness = liveness;
        Run run(spec);
        run.start();
        run.run_until(at_s(11));
        CHECK(run.placed(0).restarts == 1);
    }
}

TEST_CASE("PodLifecycle: a start counts once, with the restarts before the pod was ready") {
    ControlSpec spec = slow_server();
    FaultSpec crash;
    crash.kind = FaultSpec::Kind::crash_container;
    crash.target = "chat";
    crash.at = at_s(5);  // 3 s into the weights
    FaultSpec later = crash;
    later.at = at_s(200);
    spec.faults = {crash, later};
    Run run(spec);
    run.start();
    run.run_until(at_s(1000));
    // Again from 5 s on, at once: 2 + 10 + 8 s. The crash at 200 s is no second start.
    CHECK(times_of(run, "add").front() == at_s(25));
    const ControlResults results = run.control->finish(at_s(1000));
    const WorkloadResult& chat = results.workloads[0];
    CHECK(chat.container_restarts == 2);
    CHECK(chat.pods_became_ready == 1);
    CHECK(chat.container_start_time == Duration::seconds(4));
    CHECK(chat.weights_load_time == Duration::seconds(13));
    CHECK(chat.warm_up_time == Duration::seconds(8));
    CHECK(chat.pending_time == Duration::zero());
}

}  // namespace headroom::control::testing
