/// Electric energy of the nodes, from their watts at rest and at full load:
///
///     P = P_idle + (P_peak - P_idle) * u
///
/// (the linear model of Fan, Weber, Barroso: Power Provisioning for a Warehouse-sized Computer,
/// ISCA 2007, section 4), for each device with u the busy fraction of the engines on it, and for
/// each host with u the cores in use (what the workloads' usage model says) of all its cores.
///
/// The run's energy is that of all nodes, busy or not. A service's is what its pods hold: their
/// devices, and of the host's idle power the share of its devices (without devices: of its cores)
/// that they hold. Where a workload may run on several pools, it counts on each in proportion to
/// the devices in use there (without devices: to node time). Nothing when no node states its watts.
/// kWh since measure_from. O(workloads * pools).
#pragma once

#include <optional>
#include <vector>

#include "sim/simulation.hpp"

namespace headroom::analysis {

struct EnergyUse {
    std::optional<double> total_kwh;
    std::vector<std::optional<double>> service_kwh;  ///< by service
};

[[nodiscard]] EnergyUse energy_use(const SimulationSpec& spec, const SimulationResult& result);

}  // namespace headroom::analysis
