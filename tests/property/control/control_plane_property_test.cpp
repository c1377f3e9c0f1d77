#include <algorithm>
#include <map>
#include <set>

#include "tests/draws.hpp"
#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

using headroom::tests::Draws;

ControlSpec random_spec(Draws& draws) {
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
        FaultSpec fault;
        fault.at = at_s(draws.below(600));
        fault.kind = static_cast<FaultSpec::Kind>(draws.below(5));
        const bool node =
            fault.kind == FaultSpec::Kind::lose_node || fault.kind == FaultSpec::Kind::restore_node;
        fault.target = node ? "gpu-" + std::to_string(draws.below(4)) : "chat";
        fault.index = draws.below(3);
        fault.speed = 0.5;
        spec.faults.push_back(fault);
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
metrics::Digest run_case(std::uint64_t seed, bool coarse) {
    Draws draws{RandomStream(seed, "control property")};
    ControlSpec spec = random_spec(draws);
    const RandomStream scaling(seed, "scaling script");
    with_script(
        spec, Duration::seconds(7),
        [scaling](const ScalingView& view) {
            const auto tick =
                static_cast<std::uint64_t>(view.now.since_start() / Duration::seconds(7));
            if (view.now > at_s(600) || scaling.below(3, tick, 0) > 0) {
                return want(view, view.spec_replicas);
            }
            return want(view, static_cast<std::int64_t>(scaling.below(7, tick, 1)));
        },
        {{MetricKind::pods, "utilization", ""}, {MetricKind::external, "gateway_queue", ""}});
    Run run(spec);
    run.plane.drains_at_once = draws.below(3) == 0;
    run.start();
    const RandomStream drains(seed, "drains");
    for (std::int64_t s = 1; s <= 2'000; ++s) {
        run.run_until(at_s(s));
        if (!coarse) check_state(run);
        // Each second each draining instance ends with a chance of a tenth.
        const auto instances = run.plane.instances;
        for (const auto& [key, instance] : instances) {
            const auto index = static_cast<std::uint64_t>(s) << 20 | key.ordinal;
            if (!instance.draining || drains.below(10, index, key.service) > 0) continue;
            run.plane.finish_drain(at_s(s), key);
        }
    }
    run.run_until(at_s(2'000));
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
        const metrics::Digest digest = run_case(seed, false);
        CHECK(run_case(seed, true) == digest);
    }
}

}  // namespace headroom::control::testing
