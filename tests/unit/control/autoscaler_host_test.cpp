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

}  // namespace headroom::control::testing
