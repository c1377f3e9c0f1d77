#include "sim/control/warm_pool.hpp"

#include <algorithm>

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

/// 2 s to start and 8 s to warm up; two standby pods.
ControlSpec pooled(std::int64_t nodes, std::int64_t replicas) {
    ControlSpec spec = small_spec(nodes, 1, replicas);
    spec.workloads[0].lifecycle.warm_up = Duration::seconds(8);
    spec.workloads[0].warm_pool.size = 2;
    return spec;
}

/// `wanted` replicas from `second` on.
void scale_at(ControlSpec& spec, std::int64_t second, std::int64_t wanted) {
    with_script(spec, Duration::seconds(1), [second, wanted](const ScalingView& view) {
        return want(view, view.now < at_s(second) ? view.spec_replicas : wanted);
    });
}

std::vector<std::string> names(const Run& run, const std::vector<PodId>& pods) {
    std::vector<std::string> out;
    for (const PodId id : pods) out.push_back(run.control->state().managed(id).name);
    return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("WarmPool: a loaded standby pod is promoted and is an endpoint after the activation") {
    ControlSpec spec = pooled(5, 1);
    spec.workloads[0].warm_pool.activation = Duration::milliseconds(1'500);
    spec.workloads[0].lifecycle.readiness_delay = Duration::milliseconds(500);
    scale_at(spec, 60, 2);
    Run run(spec);
    run.start();
    run.run_until(at_s(59));
    CHECK(names(run, run.workload().pods) == Names{"chat-0"});
    CHECK(names(run, run.workload().standby) == Names{"chat-1", "chat-2"});
    CHECK(run.workload().loaded == 2);
    CHECK(run.plane.instances.size() == 1);
    run.run_until(at_s(60));
    CHECK(names(run, run.workload().pods) == Names{"chat-0", "chat-1"});
    CHECK(names(run, run.workload().standby) == Names{"chat-2", "chat-3"});
    CHECK(run.workload().loaded == 1);
    run.run_until(at_ms(61'499));
    CHECK(run.workload().ready == 1);
    run.run_until(at_ms(61'500));
    CHECK(run.workload().ready == 2);
    CHECK(run.plane.of("add").size() == 1);
    run.run_until(at_s(62));
    REQUIRE(run.plane.of("add").size() == 2);
    CHECK(run.plane.of("add")[1].time == at_s(62));
    // The pod that was made for it loads as any other: 10 s.
    run.run_until(at_ms(69'999));
    CHECK(run.workload().loaded == 1);
    run.run_until(at_s(70));
    CHECK(run.workload().loaded == 2);
}

TEST_CASE("WarmPool: the oldest loaded pod goes first, then the one that has come furthest") {
    // 1 GB of image at 0.1 GB/s where it is not yet: 10 s, 2 s, 8 s.
    ControlSpec spec = pooled(8, 0);
    spec.initial = InitialState::cold;
    spec.workloads[0].pod.image = {"server", Bytes{1'000'000'000}, Bytes{0}};
    spec.workloads[0].warm_pool.size = 3;
    const std::vector<std::int64_t> wanted = {0, 1, 1, 5, 5};
    with_script(spec, Duration::seconds(9), [wanted](const ScalingView& view) {
        return want(view, wanted.at(static_cast<std::size_t>(view.now.to_seconds()) / 9));
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(8));
    CHECK(names(run, run.workload().standby) == Names{"chat-0", "chat-1", "chat-2"});
    // All three pull their image at 9 s: the oldest. A fourth one begins to.
    run.run_until(at_s(9));
    CHECK(names(run, run.workload().pods) == Names{"chat-0"});
    run.run_until(at_s(20));
    CHECK(run.workload().loaded == 2);
    CHECK(run.workload().ready == 1);  // it went on as an ordinary pod
    // At 27 s: two loaded ones, then chat-3, which warms up; the last one is created.
    run.run_until(at_s(27));
    CHECK(names(run, run.workload().pods) ==
          Names{"chat-0", "chat-1", "chat-2", "chat-3", "chat-4"});
    CHECK(names(run, run.workload().standby) == Names{"chat-5", "chat-6", "chat-7"});
    CHECK(run.workload().ready == 3);
    run.run_until(at_s(29));  // pulled its image from 9 s, as if it had been wanted from then on
    CHECK(run.workload().ready == 4);
    Names promoted;
    std::vector<std::string> reasons;
    const ControlResults results = run.control->finish(at_s(30));
    for (const Decision& decision : results.decisions) {
        if (decision.actor != "workload chat") continue;
        promoted.push_back(decision.subject);
        reasons.push_back(decision.reason);
    }
    CHECK(promoted == Names{"chat-0", "chat-1", "chat-2", "chat-3"});
    CHECK(reasons == Names{"promoted from the warm pool, not loaded yet: image_pull",
                           "promoted from the warm pool, loaded",
                           "promoted from the warm pool, loaded",
                           "promoted from the warm pool, not loaded yet: warm_up"});
    const WorkloadResult& chat = results.workloads[0];
    CHECK(chat.promotions == 4);
    // Of chat-0 a second of its pull and all that came then, of chat-3 the end of its warm-up.
    CHECK(chat.pods_became_ready == 4);
    CHECK(chat.image_pull_time == Duration::seconds(1));
    CHECK(chat.container_start_time == Duration::seconds(2));
    CHECK(chat.warm_up_time == Duration::seconds(8 + 2));
}

TEST_CASE("WarmPool: it stays at zero replicas, and a scale from zero promotes") {
    ControlSpec spec = pooled(4, 0);
    with_script(spec, Duration::seconds(10),
                [](const ScalingView& view) { return want(view, view.requests_wait ? 1 : 0); });
    Run run(spec);
    run.start();
    run.run_until(at_s(33));
    CHECK(run.workload().loaded == 2);
    CHECK(run.plane.instances.empty());
    run.plane.service_loads[0].gateway_queue = 1;
    run.control->notify({at_s(33), serving::Notification::Kind::request_waits, {0, 0}});
    run.run_until(at_s(33));
    CHECK(run.workload().ready == 1);
    REQUIRE(run.plane.of("add").size() == 1);
    CHECK(run.plane.of("add")[0].time == at_s(33));
    run.plane.service_loads[0].gateway_queue = 0;
    run.run_until(at_s(60));
    CHECK(run.workload().active == 0);
    CHECK(names(run, run.workload().standby) == Names{"chat-1", "chat-2"});
}

TEST_CASE("WarmPool: autoscalers, metrics and faults by index see active pods only") {
    ControlSpec spec = pooled(6, 2);
    std::vector<std::size_t> seen;
    with_script(spec, Duration::seconds(10),
                [&seen](const ScalingView& view) {
                    seen.push_back(view.pods.size());
                    CHECK(view.status_replicas == 2);
                    CHECK(view.metrics[0].pods.size() == 2);
                    return want(view, 2);
                },
                {{MetricKind::resource, "memory", ""}});
    FaultSpec fault;
    fault.at = at_s(35);
    fault.kind = FaultSpec::Kind::kill_instance;
    fault.target = "chat";
    fault.index = 2;  // there is none: chat-2 and chat-3 stand by
    spec.faults = {fault};
    fault.at = at_s(45);
    fault.index = 1;
    spec.faults.push_back(fault);
    Run run(spec);
    run.start();
    run.run_until(at_s(40));
    CHECK(names(run, run.workload().pods) == Names{"chat-0", "chat-1"});
    run.run_until(at_s(50));
    CHECK(seen == std::vector<std::size_t>(6, 2));
    // What was killed is replaced from the pool.
    CHECK(names(run, run.workload().pods) == Names{"chat-0", "chat-2"});
    CHECK(run.workload().ready == 2);
    CHECK(names(run, run.workload().standby) == Names{"chat-3", "chat-4"});
}

TEST_CASE("WarmPool: a lost or crashed standby pod is replaced or started again") {
    ControlSpec spec = pooled(4, 1);
    FaultSpec lose;
    lose.at = at_s(20);
    lose.kind = FaultSpec::Kind::lose_node;
    // The server is up 10 s after the start, one second after its liveness probe gives up.
    spec.workloads[0].lifecycle.warm_up = Duration::seconds(10);
    spec.workloads[0].lifecycle.liveness =
        ProbeSpec{Duration::seconds(1), Duration::seconds(2), 5, 1};
    {
        Run first(spec);
        first.start();
        const ControlState& state = first.control->state();
        const NodeId node = state.cluster.pod(first.workload().standby[1]).node;
        lose.target = state.cluster.node(node).spec->name;
    }
    spec.faults = {lose};
    Run run(spec);
    run.start();
    run.run_until(at_s(20));
    CHECK(names(run, run.workload().standby) == Names{"chat-1", "chat-3"});
    CHECK(run.workload().loaded == 1);
    run.run_until(at_s(32));
    CHECK(run.workload().loaded == 1);
    const ControlResults results = run.control->finish(at_s(33));
    CHECK(results.workloads[0].container_restarts == 1);
    const auto lost =
        std::find_if(results.decisions.begin(), results.decisions.end(), [](const Decision& d) {
            return d.subject == "chat-2" && d.reason == "lost with its node";
        });
    REQUIRE(lost != results.decisions.end());
    CHECK(lost->actor == "warm pool chat");
    CHECK(lost->before == 2);
    CHECK(lost->after == 1);
}

TEST_CASE("WarmPool: a promoted pod passes its readiness probe after the activation") {
    ControlSpec spec = pooled(5, 1);
    spec.workloads[0].warm_pool.activation = Duration::seconds(1);
    // Runs at 3, 10, 17, 24, 31, 38 s of a container; two in a row count.
    spec.workloads[0].lifecycle.readiness =
        ProbeSpec{Duration::seconds(3), Duration::seconds(7), 3, 2};
    scale_at(spec, 30, 2);
    Run run(spec);
    run.start();  // its containers start at 0
    run.run_until(at_ms(37'999));
    CHECK(run.workload().ready == 1);
    run.run_until(at_s(38));
    CHECK(run.workload().ready == 2);
    // chat-3, created at 30 s, up at 40 s: nobody asks whether it is ready.
    run.run_until(at_ms(39'999));
    CHECK(run.workload().loaded == 1);
    run.run_until(at_s(40));
    CHECK(run.workload().loaded == 2);
}

TEST_CASE("WarmPool: promoted in its warm-up, a pod passes its readiness probe as any other") {
    ControlSpec spec = pooled(5, 0);
    spec.initial = InitialState::cold;
    spec.workloads[0].warm_pool.activation = Duration::seconds(100);
    spec.workloads[0].lifecycle.readiness =
        ProbeSpec{Duration::seconds(3), Duration::seconds(7), 3, 1};
    scale_at(spec, 5, 1);
    Run run(spec);
    run.start();  // its container starts at 2 s, it is up at 10 s, and asked at 12 s
    run.run_until(at_ms(11'999));
    CHECK(run.workload().ready == 0);
    run.run_until(at_s(12));
    CHECK(run.workload().ready == 1);
}

TEST_CASE("WarmPool: a scaled-in pod returns once it is drained, and one that loads makes way") {
    ControlSpec spec = pooled(3, 1);
    spec.workloads[0].warm_pool.reuse_on_scale_in = true;
    spec.workloads[0].lifecycle.termination_grace = Duration::seconds(30);
    const std::vector<std::int64_t> wanted = {1, 1, 3, 2, 2, 3, 2, 2, 2, 2};
    with_script(spec, Duration::seconds(10), [wanted](const ScalingView& view) {
        return want(view, wanted.at(static_cast<std::size_t>(view.now.to_seconds()) / 10));
    });
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    run.run_until(at_s(25));  // three nodes: both are promoted, and there is no room for others
    CHECK(names(run, run.workload().pods) == Names{"chat-0", "chat-1", "chat-2"});
    CHECK(names(run, run.workload().standby) == Names{"chat-3", "chat-4"});
    run.run_until(at_s(34));
    const auto drains = run.plane.of("drain");
    REQUIRE(drains.size() == 1);
    CHECK(run.workload().active == 2);
    CHECK(run.workload().loaded == 0);
    const std::string returned =
        run.control->state().managed(run.control->state().instances.at(drains[0].key)).name;
    run.plane.finish_drain(at_s(34), drains[0].key);
    run.run_until(at_s(35));
    CHECK(names(run, run.workload().standby) == Names{"chat-3", returned});
    CHECK(run.workload().loaded == 1);
    CHECK(run.workload().pods.size() == 2);
    // Promoted again at 50 s, it is another instance.
    run.run_until(at_s(50));
    CHECK(run.workload().ready == 3);
    REQUIRE(run.plane.of("add").size() == 4);
    CHECK(run.plane.of("add")[3].time == at_s(50));
    CHECK(run.plane.of("add")[3].key.ordinal == 3);
    // At 60 s one is scaled in again; it does not end in time, so it is killed and gone.
    run.run_until(at_s(95));
    CHECK(run.plane.of("kill").size() == 1);
    CHECK(run.workload().pods.size() == 2);
    const ControlResults results = run.control->finish(at_s(95));
    CHECK(results.workloads[0].returns == 1);
    CHECK(results.workloads[0].promotions == 3);
    CHECK(results.workloads[0].pods_created == 6);
    CHECK(results.workloads[0].pods_deleted == 2);  // one that made way, and the killed one
}

TEST_CASE("WarmPool: a pod does not return to a full pool, nor after a deletion of its own") {
    const auto pods_after = [](bool reuse, FaultSpec::Kind kind) {
        ControlSpec spec = pooled(4, 2);
        spec.workloads[0].warm_pool.size = 1;
        spec.workloads[0].warm_pool.reuse_on_scale_in = reuse;
        FaultSpec fault;
        fault.at = at_s(25);
        fault.kind = kind;
        fault.target = "chat";
        spec.faults = {fault};
        scale_at(spec, 20, 1);
        Run run(spec);
        run.start();
        run.run_until(at_s(30));
        CHECK(run.workload().active == 1);
        const ControlResults results = run.control->finish(at_s(30));
        CHECK(results.workloads[0].returns == 0);
        return results.workloads[0].pods_deleted;
    };
    CHECK(pods_after(true, FaultSpec::Kind::set_speed) == 1);
    CHECK(pods_after(false, FaultSpec::Kind::set_speed) == 1);
    CHECK(pods_after(true, FaultSpec::Kind::drain_instance) == 2);
}

TEST_CASE("WarmPool: a new revision replaces standby pods, beside the surge") {
    ControlSpec spec = pooled(8, 4);
    spec.workloads[0].strategy.max_surge = {1, false};
    spec.workloads[0].strategy.max_unavailable = {0, false};
    FaultSpec restart;
    restart.at = at_s(20);
    restart.kind = FaultSpec::Kind::restart_workload;
    restart.target = "chat";
    spec.faults = {restart};
    Run run(spec);
    run.start();
    run.run_until(at_s(20));
    CHECK(run.workload().active == 5);
    CHECK(run.workload().loaded == 0);
    // The surge's pod, which is active, comes before the standby pods.
    CHECK(names(run, run.workload().pods).back() == "chat-6");
    CHECK(names(run, run.workload().standby) == Names{"chat-7", "chat-8"});
    std::int64_t most = 0;
    std::int64_t least = 4;
    while (run.control->next_event_time() <= at_s(100)) {
        run.run_until(run.control->next_event_time());
        most = std::max(most, run.workload().active);
        least = std::min(least, run.workload().ready);
    }
    CHECK(most == 5);
    CHECK(least == 4);
    CHECK_FALSE(run.workload().rollout.has_value());
    CHECK(run.workload().loaded == 2);
    // Ready at 30 s, when both standby pods are loaded too and go the same way at that instant.
    CHECK(run.control->finish(at_s(100)).workloads[0].promotions == 2);
    for (const std::vector<PodId>* pods : {&run.workload().pods, &run.workload().standby}) {
        for (const PodId id : *pods) CHECK(run.control->state().managed(id).revision == 2);
    }
}

TEST_CASE("WarmPool: cold, active pods of all workloads come before standby pods of any") {
    ControlSpec spec = pooled(3, 1);
    spec.initial = InitialState::cold;
    spec.workloads.push_back(spec.workloads[0]);
    spec.workloads[1].name = "other";
    spec.workloads[1].service = 1;
    Run run(spec);
    run.start();
    run.run_until(at_s(1));
    const auto node_of = [&](std::size_t workload, bool standby, std::size_t i) {
        const Workload& of = run.workload(workload);
        return run.control->state().cluster.pod((standby ? of.standby : of.pods)[i]).node.valid();
    };
    CHECK(node_of(0, false, 0));
    CHECK(node_of(1, false, 0));
    CHECK(node_of(0, true, 0));
    CHECK_FALSE(node_of(0, true, 1));
    CHECK_FALSE(node_of(1, true, 0));
    const ControlResults results = run.control->finish(at_s(1));
    CHECK(results.workloads[0].pods_pending == 1);
    CHECK(results.workloads[1].pods_pending == 2);
}

TEST_CASE("WarmPool: its pods cost, and a start counts from the promotion") {
    // A node of one device at 3.6 an hour: 0.001 a second. Measured from 100 s.
    ControlSpec spec = pooled(3, 1);
    spec.workloads[0].warm_pool.activation = Duration::seconds(4);
    scale_at(spec, 200, 2);
    Run run(spec, at_s(100));
    run.start();
    run.run_until(at_s(300));
    const ControlResults results = run.control->finish(at_s(300));
    const WorkloadResult& chat = results.workloads[0];
    CHECK(chat.warm_pool_size == 2);
    // chat-1 stands by for 100 s and chat-2 for 200 s; chat-3 finds no node.
    CHECK(chat.standby_loaded_time.to_seconds() == 300);
    CHECK(chat.standby_cost == Money{300'000});
    CHECK(chat.cost == Money{600'000});
    CHECK(chat.device_time.to_seconds() == 600);
    CHECK(chat.pods_pending == 1);
    CHECK(chat.pods_became_ready == 1);
    CHECK(chat.pending_time == Duration::zero());
    CHECK(chat.container_start_time == Duration::zero());
    CHECK(chat.warm_up_time == Duration::seconds(4));
    CHECK(chat.ready_replicas.value_at(at_s(203)) == 1);
    CHECK(chat.ready_replicas.value_at(at_s(204)) == 2);
}

// Its first instance counted to thousands, the second one begins at 0 again: at 90 s.
TEST_CASE("WarmPool: the rates of a pod that was promoted again are those of its new instance") {
    ControlSpec spec = pooled(2, 1);
    spec.workloads[0].warm_pool.size = 1;
    spec.workloads[0].warm_pool.reuse_on_scale_in = true;
    spec.metrics.scrape_interval = Duration::seconds(15);
    spec.metrics.window = Duration::seconds(60);
    std::vector<std::int64_t> slowest;
    with_script(spec, Duration::seconds(10),
                [&slowest](const ScalingView& view) {
                    std::int64_t least = 1'000'000;
                    for (const std::optional<PodSample>& sample : view.metrics[0].pods) {
                        if (sample) least = std::min(least, sample->value_milli);
                    }
                    slowest.push_back(least);
                    const bool two =
                        (view.now >= at_s(20) && view.now < at_s(60)) || view.now >= at_s(90);
                    return want(view, two ? 2 : 1);
                },
                {{MetricKind::pods, "requests_per_second", ""}});
    Run run(spec);
    run.plane.load_at = [](Time now, serving::InstanceKey key) {
        serving::InstanceLoad load;
        const double seconds = now.since_start().to_seconds();
        load.completed = static_cast<std::int64_t>(key.ordinal < 2 ? 100 * seconds : seconds - 90);
        return load;
    };
    run.start();
    run.run_until(at_s(110));
    CHECK(run.plane.of("add").size() == 3);
    REQUIRE(slowest.size() == 12);
    for (std::size_t i = 2; i < 11; ++i) CHECK(slowest[i] >= 100'000);
    CHECK(slowest[11] == 1'000);  // 15 in the 15 s up to the scrape of 105 s
}

}  // namespace headroom::control::testing
