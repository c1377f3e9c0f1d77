#include "analysis/results/utilisation.hpp"

#include <algorithm>
#include <vector>

namespace headroom::analysis {

namespace {

double servers_of(const serving::VersionSpec& version) {
    if (version.engine.simple) return static_cast<double>(version.engine.simple->servers);
    if (version.engine.dynamic) return static_cast<double>(version.engine.dynamic->instances);
    return 1.0;
}

/// Servers an instance of the service has, on average over the time its replicas were ready.
double mean_servers(const SimulationSpec& spec, const SimulationResult& result,
                    std::uint32_t service) {
    const std::vector<serving::VersionSpec>& versions = spec.services[service].versions;
    if (versions.empty()) return 1;
    double weighted = 0;
    double time = 0;
    const std::size_t known =
        std::min(spec.control.workloads.size(), result.control.workloads.size());
    for (std::size_t i = 0; i < known; ++i) {
        const control::WorkloadSpec& workload = spec.control.workloads[i];
        if (workload.service != service || workload.version >= versions.size()) continue;
        const double ready = result.control.workloads[i].ready_replica_time.to_seconds();
        weighted += ready * servers_of(versions[workload.version]);
        time += ready;
    }
    return versions.size() == 1 || !(time > 0) ? servers_of(versions.front()) : weighted / time;
}

}  // namespace

std::optional<double> EngineTime::busy_fraction() const {
    if (!(available_s > 0)) return std::nullopt;
    return busy_s / available_s;
}

EngineTime engine_time(const SimulationSpec& spec, const SimulationResult& result,
                       std::uint32_t service) {
    const serving::ServiceStats& stats = result.services[service].stats;
    return {stats.busy.to_seconds(),
            stats.instance_time.to_seconds() * mean_servers(spec, result, service)};
}

EngineTime total_engine_time(const SimulationSpec& spec, const SimulationResult& result) {
    std::vector<bool> holds_devices(result.services.size(), false);
    bool any = false;
    for (const control::WorkloadResult& workload : result.control.workloads) {
        if (workload.device_time.ps() == 0) continue;
        holds_devices[workload.service] = true;
        any = true;
    }
    EngineTime total;
    for (std::uint32_t i = 0; i < result.services.size(); ++i) {
        if (any && !holds_devices[i]) continue;
        total += engine_time(spec, result, i);
    }
    return total;
}

}  // namespace headroom::analysis
