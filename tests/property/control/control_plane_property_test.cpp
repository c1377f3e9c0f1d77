#include <algorithm>
#include <map>
#include <set>

#include "tests/property/control/random_scripts.hpp"

namespace headroom::control::testing {

namespace {

using headroom::tests::Draws;

/// Two workloads on too few or too many nodes, and faults.
ControlSpec random_control_spec(Draws& draws) {
    ControlSpec spec = small_spec(1 + draws.below(4), 1 + draws.below(4), draws.below(5));
    spec.initial = draws.below(2) == 0 ? InitialState::ready : InitialState::cold;
    spec.registry_bytes_per_s = draws.below(2) * 200'000'000;
    spec.weights_store_bytes_per_s = draws.below(2) * 500'000'000;
    WorkloadSpec& chat = spec.workloads[0];
    chat.pod.image = {"server", Bytes{draws.below(2'000'000'000)}, Bytes{0}};
    chat.pod.weights = {"model", Bytes{draws.below(20'000'000'000)}};
    chat.lifecycle.warm_up = Duration::milliseconds(draws.below(5'000));
    chat.lifecycle.readiness_delay = Duration::milliseconds(draws.below(2) * 1'500);
    chat.lifecycle.termination_grace = Duration::seconds(draws.below(30));
    WorkloadSpec small = chat;
    small.name = "small";
    small.service = 1;
    small.replicas = draws.below(3);
    small.pod.priority = static_cast<std::int32_t>(draws.below(2));
    spec.workloads.push_back(small);
    for (std::int64_t i = draws.below(12); i > 0; --i) {
        spec.faults.push_back(random_fault(draws, 5, 3));
        spec.faults.back().speed = 0.5;
    }
    return spec;
}

/// Every instance is added once, drained at most once and killed at most once, in that order.
void check_calls(const FakeDataPlane& plane) {
    std::map<serving::InstanceKey, std::vector<std::string>> lives;
    for (const FakeDataPlane::Call& call : plane.calls) {
        if (call.what != "speed") lives[call.key].push_back(call.what);
    }
    const std::set<std::vector<std::string>> allowed = {{"add"},
                                                        {"add", "kill"},
                                                        {"add", "drain"},
                                                        {"add", "drain", "kill"},
                                                        {"add", "drain", "drained"}};
    for (const auto& [key, life] : lives) CHECK(allowed.count(life) == 1);
}

/// The pods' instances are those of the data plane, and the counts add up.
void check_state(const Run& run) {
    const ControlState& state = run.control->state();
    state.cluster.check_conservation();
    std::size_t instances = 0;
    for (const Workload& workload : state.workloads) {
        std::int64_t active = 0;
        std::int64_t ready = 0;
        for (const PodId id : workload.pods) {
            const ManagedPod& pod = state.managed(id);
            active += pod.deleted ? 0 : 1;
            ready += state.cluster.pod(id).phase == cluster::PodPhase::ready ? 1 : 0;
            if (pod.ordinal < 0) continue;
            ++instances;
            CHECK(run.plane.instances.count(state.instance_key(pod)) == 1);
        }
        CHECK(workload.active == active);
        CHECK(workload.active == workload.desired);
        CHECK(workload.ready == ready);
    }
    CHECK(instances == run.plane.instances.size());
}

/// 600 s of random scaling and faults with random drains, then quiet until 2000 s.
metrics::Digest run_control_case(std::uint64_t seed, bool coarse) {
    Draws draws{RandomStream(seed, "control property")};
    ControlSpec spec = random_control_spec(draws);
    scale_at_random(
        spec, seed, 3, 7,
        {{MetricKind::pods, "utilization", ""}, {MetricKind::external, "gateway_queue", ""}});
    Run run(spec);
    run.plane.drains_at_once = draws.below(3) == 0;
    run.start();
    run_with_random_drains(run, seed, [&] {
        if (!coarse) check_state(run);
    });
    check_state(run);
    check_calls(run.plane);
    const ControlResults results = run.control->finish(at_s(2'000));
    for (const WorkloadResult& workload : results.workloads) {
        CHECK(workload.device_time.ps() <= results.pools[0].device_time.ps());
        CHECK(workload.cost <= results.cost);
    }
    CHECK(results.pools[0].device_allocated_time.ps() <= results.pools[0].device_time.ps());
    return run.control->digest();
}

}  // namespace

TEST_CASE("ControlPlane: random scaling, faults and drains keep its invariants and its digest") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        INFO("seed " << seed);
        const metrics::Digest digest = run_control_case(seed, false);
        CHECK(run_control_case(seed, true) == digest);
    }
}

}  // namespace headroom::control::testing
