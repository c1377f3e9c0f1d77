#include <algorithm>

#include "tests/property/control/random_scripts.hpp"

namespace headroom::control::testing {

namespace {

using headroom::tests::Draws;

IntOrPercent random_amount(Draws& draws) {
    return draws.below(2) == 0 ? IntOrPercent{draws.below(5), false}
                               : IntOrPercent{draws.below(101), true};
}

/// Restarts of a workload in the first 600 s, with room for every pod.
ControlSpec random_rollouts_spec(Draws& draws) {
    ControlSpec spec = small_spec(20, 8, draws.below(20));
    WorkloadSpec& chat = spec.workloads[0];
    if (draws.below(4) == 0) chat.strategy.type = RolloutType::recreate;
    chat.strategy.max_surge = random_amount(draws);
    chat.strategy.max_unavailable = random_amount(draws);
    chat.min_ready = Duration::seconds(draws.below(3) * 7);
    chat.lifecycle.container_start = Duration::milliseconds(1 + draws.below(40'000));
    chat.lifecycle.termination_grace = Duration::seconds(draws.below(30));
    chat.pod.image = {"server", Bytes{draws.below(2'000'000'000)}, Bytes{0}};
    for (std::int64_t i = 1 + draws.below(4); i > 0; --i) {
        FaultSpec fault;
        fault.at = at_s(draws.below(600));
        fault.kind = FaultSpec::Kind::restart_workload;
        fault.target = "chat";
        spec.faults.push_back(fault);
    }
    return spec;
}

void add_losses(Draws& draws, ControlSpec& spec) {
    for (std::int64_t i = draws.below(6); i > 0; --i) {
        spec.faults.push_back(random_fault(draws, 3, 8));  // kill, drain, lose a node
    }
}

/// Pods that have been ready for long enough and are not being deleted.
std::int64_t available(const Run& run) {
    const ControlState& state = run.control->state();
    const Workload& chat = run.workload();
    return std::count_if(chat.pods.begin(), chat.pods.end(), [&](PodId id) {
        const ManagedPod& pod = state.managed(id);
        if (pod.deleted || state.cluster.pod(id).phase != cluster::PodPhase::ready) return false;
        return pod.warm_start || pod.ready_since + chat.spec->min_ready <= state.now;
    });
}

void check_end(const Run& run) {
    const Workload& chat = run.workload();
    CHECK_FALSE(chat.rollout.has_value());
    CHECK(chat.active == chat.desired);
    CHECK(chat.sets.size() == 1);
    CHECK(chat.sets[0].state.replicas == chat.desired);
    for (const PodId id : chat.pods) {
        const ManagedPod& pod = run.control->state().managed(id);
        if (!pod.deleted) CHECK(pod.revision == chat.template_revision);
    }
    run.control->state().cluster.check_conservation();
}

/// With random scaling and losses, to the end. `step`: how far the run goes at a time.
metrics::Digest run_rough(std::uint64_t seed, std::int64_t step) {
    Draws draws{RandomStream(seed, "rough rollout")};
    ControlSpec spec = random_rollouts_spec(draws);
    add_losses(draws, spec);
    scale_at_random(spec, seed, 6, 25);
    Run run(spec);
    run.plane.drains_at_once = draws.below(2) == 0;
    run.start();
    for (std::int64_t s = step; s <= 4'000; s += step) run.run_until(at_s(s));
    run.run_until(at_s(4'000));
    check_end(run);
    return run.control->digest();
}

}  // namespace

TEST_CASE("Rollout: undisturbed ones keep to surge and availability, and end") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        INFO("seed " << seed);
        Draws draws{RandomStream(seed, "undisturbed rollout")};
        Run run(random_rollouts_spec(draws));
        run.start();
        const DeploymentSpec deployment{run.workload().desired, run.workload().spec->strategy};
        const std::int64_t most = deployment.replicas + max_surge(deployment);
        std::int64_t highest = 0;
        std::int64_t lowest = deployment.replicas;
        while (run.control->next_event_time() <= at_s(4'000)) {
            run.run_until(run.control->next_event_time());
            highest = std::max(highest, run.workload().active);
            lowest = std::min(lowest, available(run));
        }
        CHECK(highest <= most);
        CHECK(lowest >= min_available(deployment));
        check_end(run);
    }
}

TEST_CASE("Rollout: through scaling and losses all pods become new, and the digest stays") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        INFO("seed " << seed);
        CHECK(run_rough(seed, 1) == run_rough(seed, 500));
    }
}

}  // namespace headroom::control::testing
