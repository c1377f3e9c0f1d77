// What of a run is about all its parts.
#include "sim/simulation.hpp"

#include <algorithm>
#include <atomic>

#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom {
namespace {

SimulationSpec spec_of(std::int64_t pods, control::InitialState initial) {
    SimulationSpec spec;
    spec.end = Time::zero() + Duration::seconds(10);
    spec.services.push_back(tests::simple_service("web", 1, Distribution::fixed(0.1)));
    tests::add_workload(spec, 0, pods, pods);
    spec.control.initial = initial;
    return spec;
}

std::int64_t bound(const SimulationResult& result) {
    const auto& decisions = result.control.decisions;
    return std::count_if(decisions.begin(), decisions.end(), [](const control::Decision& d) {
        return d.actor == "scheduler" && d.outcome == control::Decision::Outcome::changed;
    });
}

}  // namespace

TEST_CASE("Simulation: a stop is not kept waiting by many pods that want a node at once") {
    for (const auto initial : {control::InitialState::ready, control::InitialState::cold}) {
        const SimulationSpec spec = spec_of(50, initial);
        CHECK(bound(Simulation(spec).run({})) == 50);
        std::atomic<bool> stop = true;
        RunOptions options;
        options.stop = &stop;
        const SimulationResult result = Simulation(spec).run(options);
        CHECK(result.status == RunStatus::interrupted);
        CHECK(bound(result) == 0);
    }
}

}  // namespace headroom
