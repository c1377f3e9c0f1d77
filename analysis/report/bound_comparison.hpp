/// What formulas say of a service beside what a simulation measured, and why they differ: reasons
/// are found by rules from the numbers of both, each with the numbers that make it one.
///
///     const auto compared = compare_bound(bound, scenario, result, summary);   // by version
///     compared[0][1].name, .analytic, .simulated, .reasons
///
/// A figure differs when it is more than a tenth apart. Rules know: swings of the rate, queues
/// apart, replicas that were not ready, lateness of an autoscaler, requests turned away,
/// preemptions, prefix cache hits, small batches, queues that share an engine, limited queues for
/// which there is only an approximation, faults, and how much one run of this length scatters
/// (mean_wait_scatter; only with any number waiting). Services with several versions have one
/// summary for all, so they are not compared. O(versions).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/bound.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

struct BoundComparison {
    enum class Unit : std::uint8_t { seconds, fraction, rate, count };
    std::string name;  ///< "mean wait"
    std::string key;   ///< "mean_wait_s"
    Unit unit = Unit::count;
    std::optional<double> analytic;    ///< nothing: there is no equilibrium
    std::optional<double> simulated;   ///< nothing: nothing was measured
    bool differs = false;              ///< by more than a tenth
    std::vector<std::string> reasons;  ///< where it differs
};

[[nodiscard]] std::vector<std::vector<BoundComparison>> compare_bound(
    const Bound& bound, const scenarios::Scenario& scenario, const SimulationResult& result,
    const nlohmann::ordered_json& summary);

}  // namespace headroom::analysis
