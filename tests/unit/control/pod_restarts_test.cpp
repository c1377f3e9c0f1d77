// The kubelet's part: containers that crash, probes, and the back-off before a restart.
#include "sim/control/restart_backoff.hpp"

#include "sim/control/out_of_memory.hpp"
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

TEST_CASE("Memory: the least number of requests that a limit does not bear") {
    UsageModel usage;
    usage.memory_idle = gibibytes(1);
    usage.memory_per_in_flight = mebibytes(64);
    CHECK(in_flight_over(usage, gibibytes(2)) == 17);
    CHECK(in_flight_over(usage, gibibytes(2) - Bytes{1}) == 16);
    CHECK(in_flight_over(usage, gibibytes(1)) == 1);
    CHECK(in_flight_over(usage, gibibytes(1) - Bytes{1}) == 0);
    usage.memory_per_in_flight = Bytes{0};
    CHECK_FALSE(in_flight_over(usage, gibibytes(1)).has_value());
    CHECK(in_flight_over(usage, mebibytes(1023)) == 0);
    CHECK(out_of_memory_text(usage, mebibytes(1023), 0) ==
          "OOMKilled: 1 GiB over the limit 1023 MiB without a request");
    usage.memory_per_in_flight = mebibytes(100);
    CHECK(out_of_memory_text(usage, gibibytes(1), 1) ==
          "OOMKilled: 1.09766 GiB over the limit 1 GiB at 1 request in flight");
}

TEST_CASE("PodLifecycle: a container with too many requests in flight is killed at that time") {
    ControlSpec spec = small_spec(1, 1, 1);
    WorkloadSpec& chat = spec.workloads[0];
    chat.usage.memory_idle = gibibytes(1);
    chat.usage.memory_per_in_flight = mebibytes(64);
    chat.pod.memory_limit = gibibytes(2);
    Run run(spec);
    run.start();
    REQUIRE(run.plane.instances.size() == 1);
    CHECK(run.plane.instances.begin()->second.notify_at == 17);
    run.run_until(at_s(50));
    const auto reached = [&run](Time now) {
        const serving::InstanceKey key = run.plane.instances.begin()->first;
        run.control->notify({now, serving::Notification::Kind::in_flight_reached, key});
    };
    reached(at_s(60));
    CHECK(run.plane.of("kill").empty());  // it becomes an event of its time
    CHECK(run.control->next_event_time() == at_s(60));
    run.run_until(at_s(70));
    reached(at_s(75));
    run.run_until(at_s(200));
    CHECK(times_of(run, "kill") == std::vector<Time>{at_s(60), at_s(75)});
    CHECK(times_of(run, "add") == std::vector<Time>{at_s(0), at_s(62), at_s(87)});
    REQUIRE(run.pod(0).oom_kill.has_value());
    CHECK(run.pod(0).oom_kill->at == at_s(75));
    CHECK(run.pod(0).oom_kill->started == at_s(62));
    CHECK(run.pod(0).oom_kill->memory_milli == gibibytes(16).count() * 1000);
    const ControlResults results = run.control->finish(at_s(200));
    std::vector<std::string> reasons;
    for (const Decision& decision : results.decisions) {
        if (decision.actor == "kubelet") reasons.push_back(decision.reason);
    }
    const std::string why = "OOMKilled: 2.0625 GiB over the limit 2 GiB at 17 requests in flight";
    CHECK(reasons == std::vector<std::string>{why + ": restart 1 at once",
                                              why + ": CrashLoopBackOff, restart 2 in 10 s"});
}

TEST_CASE("PodLifecycle: what ended a container first at an instant is the one reason for it") {
    ControlSpec spec = small_spec(1, 2, 2);
    spec.workloads[0].usage.memory_per_in_flight = gibibytes(1);
    spec.workloads[0].pod.memory_limit = gibibytes(2);
    const FaultSpec crash = crash_at(60);
    FaultSpec drain = crash;
    drain.kind = FaultSpec::Kind::drain_instance;
    drain.index = 1;
    spec.faults = {crash, drain};
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_s(59));
    // Both have too many requests at the time of the faults, which come first.
    for (const std::uint32_t ordinal : {0U, 1U}) {
        run.control->notify(
            {at_s(60), serving::Notification::Kind::in_flight_reached, {0, ordinal}});
    }
    run.run_until(at_s(200));
    CHECK(times_of(run, "kill") == std::vector<Time>{at_s(60), at_s(60)});
    CHECK(times_of(run, "add") == std::vector<Time>{at_s(0), at_s(0), at_s(62), at_s(62)});
    CHECK(run.workload().active == 2);
    const ControlResults results = run.control->finish(at_s(200));
    CHECK(results.workloads[0].container_restarts == 1);
    CHECK(results.workloads[0].pods_created == 3);
}

TEST_CASE("PodLifecycle: a pod leaves a NoExecute taint that it bears for a while") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.pools[0].node.taints.push_back({"spot", "", cluster::TaintEffect::no_execute});
    cluster::Toleration toleration{.op = cluster::TolerationOperator::exists};
    toleration.toleration_time = Duration::seconds(60);
    spec.workloads[0].pod.tolerations = {toleration};
    Run run(spec);
    run.start();
    run.run_until(at_s(150));
    // From when it was bound: the first at 0 s, the next in its place at 60 and 120 s.
    CHECK(times_of(run, "drain") == std::vector<Time>{at_s(60), at_s(120)});
    CHECK(times_of(run, "add") == std::vector<Time>{at_s(0), at_s(62), at_s(122)});
}

TEST_CASE("PodLifecycle: a later order to crash takes the place of the earlier one") {
    ControlSpec spec = small_spec(1, 1, 1);
    const FaultSpec crash = crash_at(60, 2, Duration::seconds(30));
    FaultSpec kill = crash;
    kill.kind = FaultSpec::Kind::kill_instance;
    kill.at = at_s(85);
    spec.faults = {crash, crash_at(70, 1, Duration::seconds(30)), kill};
    Run run(spec);
    run.start();
    run.run_until(at_s(300));
    // At 92 s, 30 s after it was up again, nothing crashes: neither the pod, which is gone, nor
    // the one in its place.
    CHECK(times_of(run, "kill") == std::vector<Time>{at_s(60), at_s(70), at_s(85)});
    CHECK(run.control->finish(at_s(300)).workloads[0].container_restarts == 2);
}

TEST_CASE("PodLifecycle: what does not run crashes after its next start") {
    ControlSpec spec = small_spec(1, 1, 1);
    for (const int at : {60, 63, 65, 67}) {
        spec.faults.push_back(crash_at(at, 1, Duration::seconds(5)));
    }
    Run run(spec);
    run.start();
    run.run_until(at_s(300));
    // Crashed at 60, started at once, up at 62 and crashed again at 63; the other two find it in
    // its back-off of 10 s: one crash, 5 s after it is up at 75.
    CHECK(times_of(run, "kill") == std::vector<Time>{at_s(60), at_s(63), at_s(80)});
    CHECK(run.placed(0).restarts == 3);
}

TEST_CASE("PodLifecycle: a crashed container starts again in its pod, later each time") {
    ControlSpec spec = small_spec(1, 1, 1);
    const FaultSpec crash = crash_at(100, 3, Duration::seconds(5));
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

TEST_CASE("PodLifecycle: a startup probe may be allowed to fail for longer than any run") {
    ControlSpec spec = slow_server();
    ProbeSpec probe;
    probe.period = Duration::seconds(10);
    probe.failure_threshold = 1'000'000;
    spec.workloads[0].lifecycle.startup = probe;
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    CHECK(times_of(run, "add") == std::vector<Time>{at_s(22)});
    CHECK(run.control->next_event_time() > at_s(100));
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
    const FaultSpec crash = crash_at(5);  // 3 s into the weights
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
