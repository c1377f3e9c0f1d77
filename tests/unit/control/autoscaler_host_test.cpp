#include "sim/control/autoscaler_host.hpp"

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

std::vector<Decision> of_actor(const ControlResults& results, const std::string& actor) {
    std::vector<Decision> found;
    for (const Decision& decision : results.decisions) {
        if (decision.actor == actor) found.push_back(decision);
    }
    return found;
}

/// Wants ten from 30 s on and is allowed three; no metrics from 60 s on.
ScalingDecision limited(const ScalingView& view) {
    if (view.now < at_s(30)) return want(view, 1);
    ScalingDecision decision = want(view, 3);
    decision.wanted = view.now == at_s(50) ? 11 : 10;  // still blocked, in the same way
    decision.outcome = ScalingOutcome::limited;
    if (view.now < at_s(60)) return decision;
    decision.desired = decision.wanted = view.spec_replicas;
    decision.outcome = ScalingOutcome::no_metrics;
    return decision;
}

}  // namespace

TEST_CASE("AutoscalerHost: a change is recorded, and what blocked another one once") {
    ControlSpec spec = small_spec(1, 4, 1);
    with_script(spec, Duration::seconds(10), limited);
    Run run(spec);
    run.start();
    run.run_until(at_s(100));
    const auto decisions = of_actor(run.control->finish(at_s(100)), "test-control-scripted chat");
    REQUIRE(decisions.size() == 3);
    CHECK(decisions[0].time == at_s(30));
    CHECK(decisions[0].outcome == Decision::Outcome::changed);
    CHECK(decisions[0].before == 1);
    CHECK(decisions[0].wanted == 10);
    CHECK(decisions[0].after == 3);
    CHECK(decisions[0].reason == "said so");
    CHECK(decisions[1].time == at_s(40));
    CHECK(decisions[1].outcome == Decision::Outcome::blocked);
    CHECK(decisions[2].time == at_s(60));
    CHECK(decisions[2].outcome == Decision::Outcome::blocked);
}

TEST_CASE("AutoscalerHost: intervals that end behind the longest run have no further end") {
    ControlSpec spec = small_spec(1, 4, 1);
    spec.metrics.scrape_interval = Duration::hours(1'400);
    spec.metrics.window = Duration::hours(2'400);
    spec.metrics.delay = Duration::hours(2'400);
    std::vector<Time> ticks;
    with_script(spec, Duration::hours(1'300),
                [&ticks](const ScalingView& view) {
                    ticks.push_back(view.now);
                    return want(view, 1);
                },
                {MetricRequest{MetricKind::pods, "requests_in_flight"}});
    Run run(spec);
    run.start();
    run.run_until(Time::horizon_limit());
    CHECK(ticks == std::vector<Time>{at_s(0), at_s(1'300 * 3'600)});
    CHECK(run.control->next_event_time() == Time::max());
}

TEST_CASE("AutoscalerHost: all ticks are recorded when asked for, with the same digest") {
    ControlSpec spec = small_spec(1, 4, 1);
    with_script(spec, Duration::seconds(10), limited);
    Run all(spec, Time::zero(), true);
    Run some(spec);
    for (Run* run : {&all, &some}) {
        run->start();
        run->run_until(at_s(100));
    }
    CHECK(all.control->digest() == some.control->digest());
    CHECK(of_actor(all.control->finish(at_s(100)), "test-control-scripted chat").size() == 11);
}

TEST_CASE("AutoscalerHost: the digest depends on what was decided") {
    const auto digest_of = [](std::int64_t replicas) {
        ControlSpec spec = small_spec(1, 4, 1);
        with_script(spec, Duration::seconds(10),
                    [replicas](const ScalingView& view) { return want(view, replicas); });
        Run run(spec);
        run.start();
        run.run_until(at_s(20));
        return run.control->digest();
    };
    CHECK(digest_of(2) == digest_of(2));
    CHECK_FALSE(digest_of(2) == digest_of(3));
}

TEST_CASE("AutoscalerHost: a waiting request wakes an autoscaler that scales from zero at once") {
    ControlSpec spec = small_spec(1, 1, 0);
    std::vector<Time> ticks;
    with_script(spec, Duration::seconds(60), [&ticks](const ScalingView& view) {
        ticks.push_back(view.now);
        return want(view, view.requests_wait ? 1 : view.spec_replicas);
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(10));
    run.plane.service_loads[0].gateway_queue = 1;
    run.control->notify({at_s(17), serving::Notification::Kind::request_waits, {0, 0}});
    run.control->notify({at_s(17), serving::Notification::Kind::request_waits, {0, 0}});
    CHECK(run.control->next_event_time() == at_s(17));
    run.run_until(at_s(59));
    CHECK(ticks == std::vector<Time>{at_s(0), at_s(17)});
    REQUIRE(run.plane.of("add").size() == 1);
    CHECK(run.plane.calls[0].time == at_s(19));
    run.run_until(at_s(60));
    CHECK(ticks.back() == at_s(60));  // its own ticks go on unmoved
}

TEST_CASE("AutoscalerHost: shows deleted pods as deleted and does not count them") {
    ControlSpec spec = small_spec(1, 2, 2);
    std::vector<ScalingView> views;
    with_script(spec, Duration::seconds(10), [&views](const ScalingView& view) {
        views.push_back(view);
        return want(view, 1);
    });
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_s(10));
    REQUIRE(views.size() == 2);
    CHECK(views[0].status_replicas == 2);
    CHECK(views[0].pods[0].ready);
    CHECK(views[0].pods[0].start_time < Time::zero());  // long ago
    CHECK(views[0].pods[0].containers[0].cpu_milli == 1000);
    CHECK(views[0].pods[0].containers[0].memory_milli == gibibytes(16).count() * 1000);
    CHECK(views[1].spec_replicas == 1);
    CHECK(views[1].status_replicas == 1);
    REQUIRE(views[1].pods.size() == 2);
    CHECK(views[1].pods[0].deleted != views[1].pods[1].deleted);
}

TEST_CASE("AutoscalerHost: a pod whose container waits for its restart is running, not ready") {
    ControlSpec spec = small_spec(1, 2, 1);
    const FaultSpec crash = crash_at(15, 2, Duration::seconds(3));
    spec.faults = {crash};
    std::vector<ScalingView> views;
    with_script(spec, Duration::seconds(10), [&views](const ScalingView& view) {
        views.push_back(view);
        return want(view, view.now < at_s(10) ? 1 : 2);
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(50));
    REQUIRE(views.size() == 6);
    CHECK(views[1].pods[0].ready);
    CHECK(views[1].pods[0].ready_transition < Time::zero());  // long ago
    // Crashed at 15 s, up at 17 s, crashed again at 20 s: up at 32 s. The second pod is up at 12 s.
    for (const std::size_t at : {2U, 3U}) {
        CAPTURE(at);
        const ScalingPod& crashed = views[at].pods[0];
        CHECK(crashed.phase == PodPhase::running);
        CHECK_FALSE(crashed.ready);
        CHECK(crashed.ready_transition == at_s(20));
        CHECK(views[at].pods[1].ready);
        CHECK(views[at].pods[1].ready_transition == at_s(12));
    }
    CHECK(views[4].pods[0].ready);
    CHECK(views[4].pods[0].ready_transition == at_s(32));
}

TEST_CASE("AutoscalerHost: a policy that samples does so on its own interval, before its tick") {
    ControlSpec spec = small_spec(1, 1, 1);
    std::vector<std::pair<char, Time>> calls;
    with_script(spec, Duration::seconds(4), [&calls](const ScalingView& view) {
        calls.emplace_back('d', view.now);
        return want(view, 1);
    });
    spec.workloads[0].autoscaler->phase = Duration::seconds(1);
    ScriptedScaling::samples_every = Duration::seconds(2);
    ScriptedScaling::sampler = [&calls](const ScalingView& view) {
        calls.emplace_back('o', view.now);
    };
    Run run(spec);
    run.start();
    run.run_until(at_s(6));
    CHECK(calls ==
          std::vector<std::pair<char, Time>>{
              {'o', at_s(1)}, {'d', at_s(1)}, {'o', at_s(3)}, {'o', at_s(5)}, {'d', at_s(5)}});
}

TEST_CASE("AutoscalerHost: live metrics are those of the tick, whatever the pipeline's delay") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.metrics.delay = Duration::seconds(60);
    std::vector<std::vector<std::int64_t>> seen;
    const auto live = [](MetricKind kind, const char* name) {
        return MetricRequest{kind, name, "", true, ""};
    };
    with_script(
        spec, Duration::seconds(10),
        [&seen](const ScalingView& view) {
            std::vector<std::int64_t> values;
            for (const MetricReading& reading : view.metrics) {
                if (!reading.available) {
                    values.push_back(-1);
                } else if (!reading.pods.empty()) {
                    values.push_back(reading.pods[0]->value_milli);
                } else {
                    values.push_back(reading.values_milli.at(0));
                }
            }
            seen.push_back(values);
            return want(view, 1);
        },
        {live(MetricKind::external, "service_in_flight_seconds"),
         live(MetricKind::external, "gateway_queue"), live(MetricKind::pods, "requests_waiting"),
         live(MetricKind::external, "requests_running"),
         live(MetricKind::external, "arrivals_per_second")});
    Run run(spec);
    run.plane.service_loads[0].gateway_queue = 7;
    run.plane.service_loads[0].in_flight_time.add(3, Duration::milliseconds(1500));
    run.plane.load_at = [](Time now, serving::InstanceKey) {
        serving::InstanceLoad load;
        load.waiting = now.since_start() / Duration::seconds(1);
        load.running = 5;
        return load;
    };
    run.start();
    run.run_until(at_s(10));
    REQUIRE(seen.size() == 2);
    CHECK(seen[1] == std::vector<std::int64_t>{4500, 7000, 10'000, 5000, -1});
}

TEST_CASE("AutoscalerHost: new requests are those of the pods to come, and an evicted one is one") {
    ControlSpec spec = small_spec(1, 4, 2);
    std::vector<ScalingView> views;
    with_script(spec, Duration::seconds(10), [&views](const ScalingView& view) {
        views.push_back(view);
        ScalingDecision decision = want(view, view.spec_replicas);
        if (view.now == at_s(10)) {
            decision.requests = {{view.pods[0].containers[0].name, 2500, std::nullopt}};
            decision.evict = {{1, "cpu 2.5 wanted"}};
            decision.reason = "two pods are too small";
        }
        return decision;
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(20));
    REQUIRE(views.size() == 3);
    REQUIRE(views[2].pods.size() == 2);
    CHECK(views[2].pods[0].name == "chat-0");
    CHECK(views[2].pods[0].containers[0].cpu_milli == 1000);
    CHECK(views[2].pods[1].name == "chat-2");
    CHECK(views[2].pods[1].containers[0].cpu_milli == 2500);
    CHECK(views[2].pods[1].containers[0].memory_milli == gibibytes(16).count() * 1000);
    CHECK(views[2].mean_time_to_ready == Duration::seconds(2));  // that of the new pod
    CHECK_FALSE(views[1].mean_time_to_ready.has_value());
    const auto decisions = of_actor(run.control->finish(at_s(20)), "test-control-scripted chat");
    REQUIRE(decisions.size() == 1);
    CHECK(decisions[0].subject == "chat-1");
    CHECK(decisions[0].reason == "evicted: cpu 2.5 wanted");
}

TEST_CASE("AutoscalerHost: new limits are those of the pods to come; the template's stay in view") {
    ControlSpec spec = small_spec(1, 4, 2);
    spec.workloads[0].pod.memory_limit = gibibytes(32);
    std::vector<ScalingView> views;
    with_script(spec, Duration::seconds(10), [&views](const ScalingView& view) {
        views.push_back(view);
        ScalingDecision decision = want(view, view.spec_replicas);
        if (view.now == at_s(10)) {
            decision.requests = {{view.containers[0].name, std::nullopt,
                                  gibibytes(20).count() * 1000, gibibytes(40).count() * 1000}};
            decision.evict = {{0, "too small"}};
        }
        return decision;
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(20));
    REQUIRE(views.size() == 3);
    CHECK(views[2].pods[0].containers[0].memory_limit_milli == gibibytes(32).count() * 1000);
    CHECK(views[2].pods[1].containers[0].memory_milli == gibibytes(20).count() * 1000);
    CHECK(views[2].pods[1].containers[0].memory_limit_milli == gibibytes(40).count() * 1000);
    REQUIRE(views[2].containers.size() == 1);
    CHECK(views[2].containers[0].memory_milli == gibibytes(16).count() * 1000);
    CHECK(views[2].containers[0].memory_limit_milli == gibibytes(32).count() * 1000);
}

TEST_CASE("AutoscalerHost: tells the gateway whether to keep requests back") {
    ControlSpec spec = small_spec(1, 1, 1);
    with_script(spec, Duration::seconds(10), [](const ScalingView& view) {
        ScalingDecision decision = want(view, 1);
        decision.buffer_at_gateway = view.now < at_s(10);
        return decision;
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(10));
    CHECK(run.plane.of("buffer").size() == 1);
    REQUIRE(run.plane.of("pass").size() == 1);
    CHECK(run.plane.of("pass")[0].time == at_s(10));
}

}  // namespace headroom::control::testing
