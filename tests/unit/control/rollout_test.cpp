// Rollouts of a workload: who exists when. All numbers are worked out by hand.
#include <algorithm>

#include "sim/control/workload_controller.hpp"
#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

FaultSpec restart(std::int64_t at, std::string target = "chat") {
    FaultSpec fault;
    fault.at = at_s(at);
    fault.kind = FaultSpec::Kind::restart_workload;
    fault.target = std::move(target);
    return fault;
}

/// Pods that need 30 s to become ready, one device each of 32.
ControlSpec slow_spec(std::int64_t replicas) {
    ControlSpec spec = small_spec(4, 8, replicas);
    spec.workloads[0].lifecycle.container_start = Duration::seconds(30);
    return spec;
}

/// The pods that are not being deleted.
std::int64_t count(const Run& run, std::uint32_t revision, bool ready_only = false) {
    const ControlState& state = run.control->state();
    return std::count_if(run.workload().pods.begin(), run.workload().pods.end(), [&](PodId id) {
        const ManagedPod& pod = state.managed(id);
        const bool ready = state.cluster.pod(id).phase == cluster::PodPhase::ready;
        return !pod.deleted && pod.revision == revision && (ready || !ready_only);
    });
}

/// old, new, new and ready
using Counts = std::vector<std::int64_t>;
Counts counts_at(Run& run, std::int64_t s, std::uint32_t newest = 2) {
    run.run_until(at_s(s));
    return {count(run, newest - 1), count(run, newest), count(run, newest, true)};
}

/// What the workload said about its rollouts: "100 revision 2, 0 of 10 updated: ...".
std::vector<std::string> said(const Run& run) {
    std::vector<std::string> lines;
    for (const Decision& decision : run.control->state().decisions.decisions()) {
        if (decision.actor != "workload chat" || decision.subject != "chat") continue;
        const auto second = static_cast<std::int64_t>(decision.time.to_seconds());
        lines.push_back(std::to_string(second) + " " + decision.reason);
    }
    return lines;
}

}  // namespace

TEST_CASE("Rollout: ten pods, three more and two fewer at most, 30 s to become ready") {
    ControlSpec spec = slow_spec(10);
    spec.faults.push_back(restart(100));
    Run run(spec);
    run.start();
    CHECK(counts_at(run, 99) == Counts{10, 0, 0});
    // 3 new make 13; 2 old are not needed to have 8; 2 new in their place.
    CHECK(counts_at(run, 100) == Counts{8, 5, 0});
    CHECK(run.workload().rollout.has_value());
    CHECK(counts_at(run, 129) == Counts{8, 5, 0});
    // 5 new ones are ready: 5 old ones go, 5 new ones come.
    CHECK(counts_at(run, 130) == Counts{3, 10, 5});
    CHECK(counts_at(run, 159) == Counts{3, 10, 5});
    CHECK(counts_at(run, 160) == Counts{0, 10, 10});
    CHECK_FALSE(run.workload().rollout.has_value());
    CHECK(run.workload().sets.size() == 1);
    CHECK(run.workload().active == 10);
    CHECK(run.plane.of("add").size() == 20);
    const auto drains = run.plane.of("drain");
    REQUIRE(drains.size() == 10);
    CHECK(drains[1].time == at_s(100));
    CHECK(drains[2].time == at_s(130));
    CHECK(drains[6].time == at_s(130));
    CHECK(drains[7].time == at_s(160));
    CHECK(said(run) ==
          std::vector<std::string>{
              "100 revision 2, 0 of 10 updated: rollout begins: RollingUpdate with 3 more and 2 "
              "fewer at most",
              "160 revision 2, 10 of 10 updated: rollout complete after 60 s"});
}

TEST_CASE("Rollout: a pod counts as available when it has been ready for long enough") {
    ControlSpec spec = slow_spec(10);
    spec.workloads[0].min_ready = Duration::seconds(10);
    spec.faults.push_back(restart(5));
    Run run(spec);
    run.start();
    // The pods of the beginning have been ready for long.
    CHECK(counts_at(run, 5) == Counts{8, 5, 0});
    CHECK(counts_at(run, 44) == Counts{8, 5, 5});
    CHECK(counts_at(run, 45) == Counts{3, 10, 5});
    CHECK(counts_at(run, 84) == Counts{3, 10, 10});
    CHECK(counts_at(run, 85) == Counts{0, 10, 10});
    CHECK(said(run).back() == "85 revision 2, 10 of 10 updated: rollout complete after 80 s");
    // It leaves no timer behind.
    run.run_until(at_s(86));
    CHECK(run.control->next_event_time() == Time::max());
}

TEST_CASE("Rollout: Recreate makes new pods when the last old one is gone") {
    ControlSpec spec = slow_spec(3);
    spec.workloads[0].strategy.type = RolloutType::recreate;
    spec.faults.push_back(restart(100));
    // A second one while the old pods drain: still one set follows.
    spec.faults.push_back(restart(110));
    Run run(spec);
    run.plane.drains_at_once = false;
    run.start();
    CHECK(counts_at(run, 100) == Counts{0, 0, 0});
    CHECK(run.workload().pods.size() == 3);
    // Killed at the end of their grace of 30 s.
    CHECK(counts_at(run, 129, 3) == Counts{0, 0, 0});
    CHECK(counts_at(run, 130, 3) == Counts{0, 3, 0});
    CHECK(counts_at(run, 160, 3) == Counts{0, 3, 3});
    CHECK(said(run) == std::vector<std::string>{
                           "100 revision 2, 0 of 3 updated: rollout begins: Recreate",
                           "110 revision 2, 0 of 3 updated: revision 3 follows before it is "
                           "complete",
                           "110 revision 3, 0 of 3 updated: rollout begins: Recreate",
                           "160 revision 3, 3 of 3 updated: rollout complete after 50 s"});
}

TEST_CASE("Rollout: a new number of replicas meanwhile is shared between old and new") {
    ControlSpec spec = slow_spec(10);
    spec.faults.push_back(restart(100));
    with_script(spec, Duration::seconds(10), [](const ScalingView& view) {
        return want(view, view.now >= at_s(110) ? 20 : 10);
    });
    Run run(spec);
    run.start();
    CHECK(counts_at(run, 109) == Counts{8, 5, 0});
    // 25 may exist instead of 13: 8 * 25 / 13 = 15.4 and 5 * 25 / 13 = 9.6.
    CHECK(counts_at(run, 110) == Counts{15, 10, 0});
    // 5 new ones are ready. 25 - 15 that must be available - 5 new that are not: 5 old ones may go,
    // and 7 of them have not started; 5 new ones in their place.
    CHECK(counts_at(run, 130) == Counts{10, 15, 5});
    // What came at 110 is ready, 2 old and 5 new ones: 10 + 10 available, 5 too many.
    CHECK(counts_at(run, 140) == Counts{5, 20, 10});
    // What came at 130: 5 + 15 available.
    CHECK(counts_at(run, 160) == Counts{0, 20, 15});
    CHECK(counts_at(run, 170) == Counts{0, 20, 20});
    CHECK(said(run).back() == "170 revision 2, 20 of 20 updated: rollout complete after 70 s");
    // From here on there is one set again.
    CHECK_FALSE(run.workload().rollout.has_value());
}

TEST_CASE("Rollout: a restart during a rollout takes the unfinished revision's pods first") {
    ControlSpec spec = slow_spec(10);
    spec.faults.push_back(restart(100));
    spec.faults.push_back(restart(110));
    Run run(spec);
    run.start();
    run.run_until(at_s(110));
    // 13 exist: none of revision 3 at first, so 13 - 8 may go, the 5 that are not available.
    CHECK(count(run, 1) == 8);
    CHECK(count(run, 2) == 0);
    CHECK(count(run, 3) == 5);
    run.run_until(at_s(140));
    CHECK(count(run, 1) == 3);
    CHECK(count(run, 3) == 10);
    run.run_until(at_s(170));
    CHECK(count(run, 1) == 0);
    const std::vector<std::string> lines = said(run);
    REQUIRE(lines.size() == 4);
    CHECK(lines[1] == "110 revision 2, 5 of 10 updated: revision 3 follows before it is complete");
    CHECK(lines[3] == "170 revision 3, 10 of 10 updated: rollout complete after 60 s");
}

TEST_CASE("Rollout: without room for the surge it stands, and that is said once") {
    // 25 % of 2: one more, none fewer; but there are two devices.
    ControlSpec spec = small_spec(1, 2, 2);
    spec.faults.push_back(restart(100));
    FaultSpec kill;
    kill.at = at_s(2000);
    kill.kind = FaultSpec::Kind::kill_instance;
    kill.target = "chat";
    spec.faults.push_back(kill);
    Run run(spec);
    run.start();
    CHECK(counts_at(run, 699) == Counts{2, 1, 0});
    CHECK(said(run).size() == 1);
    run.run_until(at_s(700));
    REQUIRE(said(run).size() == 2);
    CHECK(said(run)[1] ==
          "700 revision 2, 1 of 2 updated: progress deadline exceeded: none for 600 s, 2 "
          "available");
    const auto& decisions = run.control->state().decisions.decisions();
    CHECK(decisions.back().outcome == Decision::Outcome::blocked);
    CHECK(counts_at(run, 1999) == Counts{2, 1, 0});
    CHECK(said(run).size() == 2);
    // An old pod dies. Nothing may be missing, so its set makes another, which waits too; the new
    // one, first in the queue, gets the device.
    CHECK(counts_at(run, 2000) == Counts{2, 1, 0});
    // At 2002 it is ready. Of three pods one is not needed, the old one that waits; a second new
    // one comes, and finds no device. Progress, and then none again.
    CHECK(counts_at(run, 2002) == Counts{1, 2, 1});
    run.run_until(at_s(3000));
    REQUIRE(said(run).size() == 3);
    CHECK(said(run)[2].substr(0, 36) == "2602 revision 2, 2 of 2 updated: pro");
}

TEST_CASE("Rollout: pods of other revisions on a node are related when one is to go") {
    // One old pod on each of two nodes; the surge pod joins one of them.
    ControlSpec spec = small_spec(2, 8, 2);
    spec.faults.push_back(restart(100));
    Run run(spec);
    run.start();
    run.run_until(at_s(101));
    const ControlState& state = run.control->state();
    const std::vector<PodId> pods = run.workload().pods;
    REQUIRE(pods.size() == 3);
    const cluster::NodeId shared = state.cluster.pod(pods[2]).node;
    const bool first = state.cluster.pod(pods[0]).node == shared;
    const std::string goes = state.managed(pods[first ? 0 : 1]).name;
    run.run_until(at_s(102));
    const auto& decisions = state.decisions.decisions();
    const auto deleted = std::find_if(decisions.begin(), decisions.end(), [](const Decision& d) {
        return d.reason.rfind("deleted first", 0) == 0;
    });
    REQUIRE(deleted != decisions.end());
    CHECK(deleted->subject == goes);
    CHECK(deleted->reason == "deleted first: shares its node with most of its kind");
}

TEST_CASE("Rollout: an old set makes up for a pod that it lost, while it is needed") {
    ControlSpec spec = slow_spec(10);
    spec.faults.push_back(restart(100));
    FaultSpec kill;
    kill.at = at_s(105);
    kill.kind = FaultSpec::Kind::kill_instance;
    kill.target = "chat";  // the oldest: of revision 1
    spec.faults.push_back(kill);
    Run run(spec);
    run.start();
    CHECK(counts_at(run, 105) == Counts{8, 5, 0});
    // At 130: 7 old and 5 new ones are available, 13 - 8 may go: the one that starts, and 4 of 12.
    CHECK(counts_at(run, 130) == Counts{3, 10, 5});
    CHECK(counts_at(run, 160) == Counts{0, 10, 10});
}

TEST_CASE("Rollout: scaled to nothing it is complete, and a workload without pods has none") {
    ControlSpec spec = slow_spec(4);
    spec.faults.push_back(restart(100));
    spec.faults.push_back(restart(200));
    with_script(spec, Duration::seconds(10), [](const ScalingView& view) {
        return want(view, view.now >= at_s(300) ? 2 : view.now >= at_s(110) ? 0 : 4);
    });
    Run run(spec);
    run.start();
    CHECK(counts_at(run, 110) == Counts{0, 0, 0});
    CHECK(said(run).back() == "110 revision 2, 0 of 0 updated: rollout complete after 10 s");
    run.run_until(at_s(200));
    CHECK(said(run).back() == "200 revision 3, 0 of 0 updated: rollout complete after 0 s");
    run.run_until(at_s(300));
    CHECK(count(run, 3) == 2);
}

TEST_CASE("Rollout: a restart of what is not there is recorded and changes nothing") {
    ControlSpec spec = small_spec(1, 2, 2);
    spec.faults.push_back(restart(100, "search"));
    Run run(spec);
    run.start();
    run.run_until(at_s(200));
    const auto& decisions = run.control->state().decisions.decisions();
    CHECK(decisions.back().outcome == Decision::Outcome::blocked);
    CHECK(decisions.back().reason == "there is no such workload");
    CHECK(count(run, 1) == 2);
    CHECK(run.plane.of("add").size() == 2);
}

TEST_CASE("Rollout: more pods than a burst are created at one instant") {
    ControlSpec spec = small_spec(1, 8, 1201);
    spec.initial = InitialState::cold;
    Run run(spec);
    run.start();
    CHECK(run.workload().pods.size() == 1201);
    CHECK(count(run, 1) == 1201);
}

}  // namespace headroom::control::testing
