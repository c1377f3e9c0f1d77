// Faults of all kinds at instants that meet: several of one time, or while an earlier one still
// lasts (a container that crashes again and again, a pod that drains, a node that is lost).
#include <array>
#include <string>

#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"

namespace headroom::control {
namespace {

FaultSpec fault_on_the_grid(tests::Draws& draws) {
    using Kind = FaultSpec::Kind;
    constexpr std::array kKinds = {
        Kind::kill_instance, Kind::drain_instance,   Kind::set_speed,      Kind::lose_node,
        Kind::restore_node,  Kind::restart_workload, Kind::crash_container};
    FaultSpec fault;
    fault.kind = kKinds[static_cast<std::size_t>(draws.below(kKinds.size()))];
    fault.at = Time::zero() + Duration::milliseconds(500 * draws.below(120));
    const bool node = fault.kind == Kind::lose_node || fault.kind == Kind::restore_node;
    fault.target = node ? "pool-" + std::to_string(draws.below(2)) : "web";
    fault.index = draws.below(2);
    fault.speed = 0.5;
    fault.times = draws.between(1, 3);
    fault.after = Duration::milliseconds(500 * draws.below(20));
    return fault;
}

SimulationSpec spec_of(std::uint64_t seed) {
    tests::Draws draws{{seed, "faults"}};
    SimulationSpec spec;
    spec.seed = seed;
    spec.end = Time::zero() + Duration::seconds(120);
    spec.services.push_back(tests::simple_service("web", 1, Distribution::exponential(0.05)));
    // Idle pods drain at once, busy ones do not.
    spec.sources.push_back(tests::poisson_source(0, draws.one_in(2) ? 20.0 : 0.2, 2'000));
    tests::add_workload(spec, 0, draws.between(1, 3));
    spec.control.pools[0].count = 2;
    spec.control.workloads[0].lifecycle.container_start =
        Duration::milliseconds(500 * draws.below(8));
    spec.control.workloads[0].lifecycle.readiness_delay =
        Duration::milliseconds(500 * draws.below(3));
    for (std::int64_t i = draws.between(2, 12); i > 0; --i) {
        spec.control.faults.push_back(fault_on_the_grid(draws));
    }
    return spec;
}

/// Whether what it is about has a name of that kind: "web", "web-3" or "pool-1".
bool names_its_subject(const Decision& decision) {
    if (decision.about == Decision::About::workload) return decision.subject == "web";
    const bool node = decision.about == Decision::About::node;
    return decision.subject.starts_with(node ? "pool-" : "web-");
}

}  // namespace

TEST_CASE("Faults: whatever meets whatever, the books balance and a run repeats itself") {
    const auto cases = static_cast<std::uint64_t>(tests::scaled(600, 60));
    std::int64_t restarts = 0;
    for (std::uint64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const SimulationSpec spec = spec_of(seed);
        const SimulationResult result = Simulation(spec).run({});
        CHECK(tests::imbalance(result.services[0].stats).empty());
        for (const Decision& decision : result.control.decisions) {
            INFO(decision.actor << ", " << decision.subject << ": " << decision.reason);
            CHECK(names_its_subject(decision));
        }
        restarts += result.control.workloads[0].container_restarts;
        if (seed % 10 == 0) CHECK(Simulation(spec).run({}).digest == result.digest);
    }
    CHECK(restarts > static_cast<std::int64_t>(cases));
}

}  // namespace headroom::control
