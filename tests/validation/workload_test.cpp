// What happens to the pods of a workload that nobody scales, against pen and paper: a rollout, a
// crash loop. All arrivals and times are fixed.
#include <vector>

#include "tests/catch.hpp"
#include "tests/validation/whole_loop.hpp"

namespace headroom::tests {

using control::FaultSpec;
using serving::Outcome;

// 10 replicas, 25 %: 13 pods at most (2.5 rounded up), 8 available at least (2.5 rounded down), and
// 10 s from a pod to a ready one. At 100 s: 3 new pods, 2 old ones go, 2 new more (8 + 5). At 110 s
// the 5 are ready: 5 old ones go (13 - 8), 5 new come (3 + 10). At 120 s all 10 are ready, the last
// 3 go. A node with room for 13 never lets a pod wait; one with room for 12 does.
TEST_CASE("Workload: a rollout of 10 has 8 ready, 13 pods at most, and takes two starts") {
    const auto run = [](std::int64_t room) {
        SimulationSpec spec =
            one_service(10, stream(Duration::milliseconds(50), Duration::milliseconds(100), 3000),
                        Duration::milliseconds(20), Duration::seconds(400));
        spec.control.pools[0].count = 1;
        spec.control.pools[0].node.allocatable.cpu = MilliCpu{1000 * room};
        spec.control.workloads[0].lifecycle.container_start = Duration::seconds(10);
        FaultSpec restart;
        restart.at = at(100);
        restart.kind = FaultSpec::Kind::restart_workload;
        restart.target = "web";
        spec.control.faults.push_back(restart);
        SimulationResult result = Simulation(spec).run({});
        check_none_lost(result, 3000);
        return result;
    };
    const SimulationResult result = run(13);
    const control::WorkloadResult& web = only(result);
    CHECK(web.ready_replicas.min_during(Time::zero(), at(400)) == 8);
    CHECK(web.ready_replicas.value_at(at(99.999)) == 10);
    CHECK(web.ready_replicas.value_at(at(100)) == 8);
    CHECK(web.ready_replicas.value_at(at(110)) == 8);
    CHECK(web.ready_replicas.value_at(at(119.999)) == 8);
    CHECK(web.ready_replicas.value_at(at(120)) == 10);
    CHECK(web.pods_created == 20);
    CHECK(web.pods_deleted == 10);
    CHECK(web.pending_time == Duration::zero());
    CHECK(steps(web.desired_replicas) == Steps{{0, 10}});
    std::vector<double> completed;
    for (const control::Decision& decision : result.control.decisions) {
        if (decision.reason.find("rollout complete after 20 s") != std::string::npos) {
            completed.push_back(in_seconds(decision.time));
        }
    }
    CHECK(completed == std::vector<double>{120});

    const SimulationResult tight = run(12);
    CHECK(only(tight).pending_time > Duration::zero());
    CHECK(only(tight).ready_replicas.min_during(Time::zero(), at(400)) == 8);
}

// A container crashes at 50 s and is started again at once (up at 52 s), crashes 5 s after that
// start (57 s), waits 10 s (up at 69 s), crashes at 74 s, waits 20 s and stays up from 96 s. Each
// crash meets three requests in flight: they take 250 ms, and came 30, 130 and 230 ms before.
TEST_CASE("Workload: a crash loop loses what is in flight at the crashes, a second try nothing") {
    const auto run = [](std::int64_t attempts) {
        SimulationSpec spec =
            one_service(1, stream(Duration::milliseconds(70), Duration::milliseconds(100), 1500),
                        Duration::milliseconds(250), Duration::seconds(200));
        spec.services[0].gateway.max_attempts = attempts;
        FaultSpec crash;
        crash.at = at(50);
        crash.kind = FaultSpec::Kind::crash_container;
        crash.target = "web";
        crash.times = 3;
        crash.after = Duration::seconds(5);
        spec.control.faults.push_back(crash);
        SimulationResult result = Simulation(spec).run({});
        CHECK(imbalance(result.total) == "");
        CHECK(steps(only(result).ready_replicas) ==
              Steps{{0, 1}, {50, 0}, {52, 1}, {57, 0}, {69, 1}, {74, 0}, {96, 1}});
        CHECK(only(result).container_restarts == 3);
        CHECK(only(result).pods_created == 1);
        return result;
    };
    const SimulationResult once = run(1);
    CHECK(once.total.requests.of(Outcome::completed) == 1500 - 3 * 3);
    CHECK(once.total.requests.of(Outcome::failed) == 3 * 3);
    // The longest waits are of the last outage: of the first to come, 70 ms after the crash; and
    // with a second try of the first that the crash met, 230 ms before it.
    CHECK(once.total.queue.max() == Duration::milliseconds(22'000 - 70).ps());
    const SimulationResult twice = run(2);
    CHECK(twice.total.queue.max() == Duration::milliseconds(22'000 + 230).ps());
    check_none_lost(twice, 1500);
    CHECK(twice.total.attempts.arrived == 1500 + 3 * 3);
}

}  // namespace headroom::tests
