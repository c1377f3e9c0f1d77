#include <algorithm>
#include <set>

#include "tests/property/control/random_scripts.hpp"

namespace headroom::control::testing {

namespace {

using headroom::tests::Draws;

Duration random_time(Draws& draws, std::int64_t most_ms) {
    return Duration::milliseconds(draws.below(2) * draws.below(most_ms));
}

/// Two workloads with pools of 0 to 3 pods on too few or too many nodes, and any fault.
ControlSpec random_pools_spec(Draws& draws) {
    ControlSpec spec = small_spec(1 + draws.below(6), 1 + draws.below(4), draws.below(5));
    spec.initial = draws.below(2) == 0 ? InitialState::ready : InitialState::cold;
    WorkloadSpec& chat = spec.workloads[0];
    chat.pod.image = {"server", Bytes{draws.below(2'000'000'000)}, Bytes{0}};
    chat.pod.weights = {"model", Bytes{draws.below(20'000'000'000)}};
    chat.lifecycle.container_start = random_time(draws, 5'000);
    chat.lifecycle.warm_up = random_time(draws, 20'000);
    chat.lifecycle.readiness_delay = random_time(draws, 3'000);
    chat.lifecycle.termination_grace = Duration::seconds(draws.below(30));
    if (draws.below(3) == 0) {
        chat.lifecycle.readiness = ProbeSpec{random_time(draws, 5'000), Duration::seconds(2), 3, 2};
    }
    if (draws.below(4) == 0) {
        chat.lifecycle.liveness = ProbeSpec{random_time(draws, 5'000), Duration::seconds(7), 3, 1};
    }
    if (draws.below(4) == 0) chat.strategy.type = RolloutType::recreate;
    chat.warm_pool = {draws.below(4), random_time(draws, 5'000), draws.below(2) == 0};
    WorkloadSpec other = chat;
    other.name = "other";
    other.service = 1;
    other.replicas = draws.below(3);
    other.warm_pool = {draws.below(4), random_time(draws, 5'000), draws.below(2) == 0};
    spec.workloads.push_back(other);
    for (std::int64_t i = draws.below(15); i > 0; --i) {
        FaultSpec fault = random_fault(draws, 7, 3);
        fault.times = 1 + draws.below(3);
        fault.after = Duration::seconds(draws.below(40));
        spec.faults.push_back(fault);
    }
    return spec;
}

/// What holds of a pool between two instants.
void check_pools(const Run& run) {
    const ControlState& state = run.control->state();
    state.cluster.check_conservation();
    std::size_t instances = 0;
    std::size_t pods = 0;
    for (const Workload& workload : state.workloads) {
        CHECK(static_cast<std::int64_t>(workload.standby.size()) == workload.spec->warm_pool.size);
        std::int64_t loaded = 0;
        for (const PodId id : workload.standby) {
            const ManagedPod& pod = state.managed(id);
            CHECK(pod.standby);
            CHECK_FALSE(pod.deleted);
            CHECK(pod.ordinal < 0);
            CHECK(pod.revision == workload.template_revision);
            CHECK(state.cluster.pod(id).phase <= cluster::PodPhase::warm_up);
            loaded += pod.loaded ? 1 : 0;
        }
        CHECK(workload.loaded == loaded);
        std::int64_t active = 0;
        std::int64_t ready = 0;
        std::uint64_t last_serial = 0;
        for (const PodId id : workload.pods) {
            const ManagedPod& pod = state.managed(id);
            CHECK_FALSE(pod.standby);
            CHECK_FALSE(pod.loaded);
            CHECK((id == workload.pods.front() || pod.serial > last_serial));
            last_serial = pod.serial;
            active += pod.deleted ? 0 : 1;
            ready += state.cluster.pod(id).phase == cluster::PodPhase::ready ? 1 : 0;
            instances += pod.ordinal >= 0 ? 1 : 0;
        }
        CHECK(workload.active == active);
        CHECK(workload.ready == ready);
        const WorkloadResult& result = workload.result;
        CHECK(result.pods_created - result.pods_deleted == active + workload.spec->warm_pool.size);
        pods += workload.pods.size() + workload.standby.size();
    }
    CHECK(instances == run.plane.instances.size());
    CHECK(pods == state.cluster.pod_count());
}

/// 600 s of random scaling and faults with random drains, then quiet until 2000 s.
metrics::Digest run_pools_case(std::uint64_t seed, bool coarse) {
    Draws draws{RandomStream(seed, "warm pool property")};
    ControlSpec spec = random_pools_spec(draws);
    scale_at_random(spec, seed, 3, 7);
    Run run(spec);
    run.plane.drains_at_once = draws.below(3) == 0;
    run.start();
    run_with_random_drains(run, seed, [&] {
        if (!coarse) check_pools(run);
    });
    check_pools(run);
    const ControlResults results = run.control->finish(at_s(2'000));
    for (const WorkloadResult& workload : results.workloads) {
        CHECK(workload.standby_cost <= workload.cost);
        const std::int64_t size = workload.warm_pool_size;
        CHECK(workload.standby_loaded_time.ps() <=
              static_cast<Int128>(size) * Duration::seconds(2'000).ps());
    }
    return run.control->digest();
}

}  // namespace

TEST_CASE("WarmPool: random scaling, rollouts, faults and drains keep it full and apart") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        INFO("seed " << seed);
        const metrics::Digest digest = run_pools_case(seed, false);
        CHECK(run_pools_case(seed, true) == digest);
    }
}

// A loaded pool that is never too small: every replica that is asked for is ready at that instant.
TEST_CASE("WarmPool: with a pool as large as any raise, ready is never below desired") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        INFO("seed " << seed);
        ControlSpec spec = small_spec(16, 1, 3);
        spec.workloads[0].lifecycle.warm_up = Duration::seconds(5);
        spec.workloads[0].warm_pool.size = 6;
        const RandomStream scaling(seed, "scaling script");
        with_script(spec, Duration::seconds(8), [scaling](const ScalingView& view) {
            const auto tick =
                static_cast<std::uint64_t>(view.now.since_start() / Duration::seconds(8));
            return want(view, static_cast<std::int64_t>(scaling.below(7, tick, 0)));
        });
        Run run(spec);
        run.start();
        while (run.control->next_event_time() <= at_s(600)) {
            run.run_until(run.control->next_event_time());
            REQUIRE(run.workload().ready == run.workload().desired);
        }
    }
}

}  // namespace headroom::control::testing
