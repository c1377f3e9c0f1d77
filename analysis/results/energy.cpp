#include "analysis/results/energy.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>

#include "analysis/results/utilisation.hpp"
#include "sim/cluster/node.hpp"
#include "sim/control/node_pool.hpp"

namespace headroom::analysis {

namespace {

/// Energies are summed in millijoules: milliwatts times seconds.
constexpr double kMillijoulesPerKwh = 3.6e9;

struct PoolPower {
    double host_idle = 0;  ///< mW of one node, as all below
    double host_dynamic = 0;
    double device_idle = 0;  ///< mean over its devices
    double device_dynamic = 0;
    double cpu_milli = 0;
    double node_s = 0;
    double device_s = 0;
    double allocated_s = 0;
    bool stated = false;
};

PoolPower power_of(const control::NodePoolSpec& pool, const control::NodePoolResult& result) {
    PoolPower power;
    power.host_idle = static_cast<double>(pool.node.idle_milliwatts);
    power.host_dynamic = static_cast<double>(pool.node.peak_milliwatts) - power.host_idle;
    double idle = 0;
    double peak = 0;
    for (const cluster::DeviceSpec& device : pool.node.devices) {
        idle += static_cast<double>(device.idle_milliwatts);
        peak += static_cast<double>(device.peak_milliwatts);
    }
    if (!pool.node.devices.empty()) {
        const auto count = static_cast<double>(pool.node.devices.size());
        power.device_idle = idle / count;
        power.device_dynamic = (peak - idle) / count;
    }
    power.cpu_milli = static_cast<double>(pool.node.capacity.cpu.count());
    power.node_s = result.node_time.to_seconds();
    power.device_s = result.device_time.to_seconds();
    power.allocated_s = result.device_allocated_time.to_seconds();
    power.stated = pool.node.peak_milliwatts > 0 || peak > 0;
    return power;
}

bool may_run_on(const cluster::PodSpec& pod, const control::NodePoolSpec& pool) {
    const auto zones = static_cast<std::int64_t>(std::max<std::size_t>(pool.zones.size(), 1));
    for (std::int64_t i = 0; i < std::min(pool.count, zones); ++i) {
        const auto node =
            std::make_shared<cluster::NodeSpec>(control::NodePools::node_spec(pool, i));
        if (cluster::could_ever_fit(pod, node).ok()) return true;
    }
    return false;
}

/// The part of the workload on each pool; sums to 1, or to 0 when it runs nowhere.
std::vector<double> shares(const control::WorkloadSpec& workload, bool devices,
                           const SimulationSpec& spec, const std::vector<PoolPower>& pools) {
    std::vector<double> share(pools.size(), 0);
    double sum = 0;
    for (std::size_t p = 0; p < pools.size(); ++p) {
        if (!may_run_on(workload.pod, spec.control.pools[p])) continue;
        share[p] = devices ? pools[p].allocated_s : pools[p].node_s;
        sum += share[p];
    }
    if (sum > 0) {
        for (double& part : share) part /= sum;
    }
    return share;
}

struct WorkloadEnergy {
    double dynamic = 0;
    double idle = 0;
};

WorkloadEnergy energy_of(const control::WorkloadSpec& workload,
                         const control::WorkloadResult& result, double utilisation,
                         const SimulationSpec& spec, const std::vector<PoolPower>& pools) {
    const double device_s = result.device_time.to_seconds();
    const double ready_s = result.ready_replica_time.to_seconds();
    const double cpu_milli = static_cast<double>(workload.usage.cpu_idle.count()) +
                             static_cast<double>(workload.usage.cpu_busy.count()) * utilisation;
    const double requested_milli = static_cast<double>(workload.pod.requests.cpu.count());
    const std::vector<double> share = shares(workload, device_s > 0, spec, pools);
    WorkloadEnergy energy;
    for (std::size_t p = 0; p < pools.size(); ++p) {
        const PoolPower& pool = pools[p];
        if (!(share[p] > 0)) continue;
        energy.dynamic += share[p] * device_s * pool.device_dynamic * utilisation;
        energy.idle += share[p] * device_s * pool.device_idle;
        if (pool.cpu_milli > 0) {
            energy.dynamic +=
                share[p] * ready_s * pool.host_dynamic * std::min(cpu_milli / pool.cpu_milli, 1.0);
        }
        if (device_s > 0 && pool.device_s > 0) {
            energy.idle += pool.host_idle * pool.node_s * share[p] * device_s / pool.device_s;
        } else if (pool.cpu_milli > 0) {
            energy.idle += pool.host_idle * share[p] * ready_s *
                           std::min(requested_milli / pool.cpu_milli, 1.0);
        }
    }
    return energy;
}

}  // namespace

EnergyUse energy_use(const SimulationSpec& spec, const SimulationResult& result) {
    EnergyUse use;
    use.service_kwh.resize(result.services.size());
    const control::ControlResults& control = result.control;
    const std::size_t pool_count = std::min(spec.control.pools.size(), control.pools.size());
    std::vector<PoolPower> pools;
    double total = 0;
    bool stated = false;
    for (std::size_t p = 0; p < pool_count; ++p) {
        pools.push_back(power_of(spec.control.pools[p], control.pools[p]));
        total += pools[p].host_idle * pools[p].node_s + pools[p].device_idle * pools[p].device_s;
        stated = stated || pools[p].stated;
    }
    if (!stated) return use;

    std::vector<double> by_service(result.services.size(), 0);
    const std::size_t workloads = std::min(spec.control.workloads.size(), control.workloads.size());
    for (std::size_t w = 0; w < workloads; ++w) {
        const std::uint32_t service = control.workloads[w].service;
        const double utilisation =
            std::min(engine_time(spec, result, service).busy_fraction().value_or(0), 1.0);
        const WorkloadEnergy energy =
            energy_of(spec.control.workloads[w], control.workloads[w], utilisation, spec, pools);
        total += energy.dynamic;
        by_service[service] += energy.dynamic + energy.idle;
    }
    use.total_kwh = total / kMillijoulesPerKwh;
    for (std::size_t s = 0; s < by_service.size(); ++s) {
        use.service_kwh[s] = by_service[s] / kMillijoulesPerKwh;
    }
    return use;
}

}  // namespace headroom::analysis
