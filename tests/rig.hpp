/// A small rig for tests of the data plane: makes specs from a few numbers and runs simulations.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/scheduling_policy.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "sim/serving/routing_policy.hpp"
#include "sim/simulation.hpp"

namespace headroom::tests {

/// A policy's choice with some parameters other than their defaults.
template <class Interface>
PolicyChoice choose(const std::string& name,
                    const std::vector<std::pair<std::string, ParameterValue>>& values = {}) {
    const auto* entry = Registry<Interface>::instance().find(name);
    PolicyChoice choice{name, Parameters::defaults(entry->specs)};
    for (const auto& [key, value] : values) choice.parameters.set(key, value);
    return choice;
}

inline ParameterValue whole(std::int64_t value) {
    return ParameterValue{value};
}

/// The reference cases' closed form: 6.5 ms + 40 us P + 30 us D + 90 ns K + 6 ns A.
inline std::shared_ptr<const serving::LatencyModel> reference_latency() {
    return std::make_shared<serving::LinearLatency>(serving::LinearCoefficients{
        Duration::microseconds(6500), Duration::microseconds(40), Duration::microseconds(30),
        Duration::nanoseconds(90), Duration::nanoseconds(6)});
}

/// Yields a given list of requests.
class ListSource final : public serving::RequestSource {
  public:
    explicit ListSource(std::shared_ptr<const std::vector<serving::Arrival>> list)
        : list_(std::move(list)) {}
    std::optional<Time> peek() override {
        if (next_ == list_->size()) return std::nullopt;
        return (*list_)[next_].time;
    }
    serving::Arrival take() override { return (*list_)[next_++]; }

  private:
    std::shared_ptr<const std::vector<serving::Arrival>> list_;
    std::size_t next_ = 0;
};

inline serving::SourceSpec list_source(std::uint32_t service, std::vector<serving::Arrival> list) {
    auto shared = std::make_shared<const std::vector<serving::Arrival>>(std::move(list));
    return {"list", service,
            [shared](std::uint64_t) { return std::make_unique<ListSource>(shared); }};
}

inline serving::ServiceSpec llm_service(std::string name, PolicyChoice batching,
                                        std::int64_t kv_blocks) {
    serving::ServiceSpec service;
    service.name = std::move(name);
    service.routing = choose<serving::RoutingPolicy>("round-robin");
    serving::VersionSpec version;
    version.engine.llm = serving::LlmEngineSpec{};
    version.engine.llm->latency = reference_latency();
    version.engine.llm->batching = std::move(batching);
    version.engine.llm->kv_blocks = kv_blocks;
    service.versions.push_back(std::move(version));
    return service;
}

inline serving::ServiceSpec simple_service(std::string name, std::int64_t servers,
                                           Distribution service_time,
                                           std::int64_t queue_limit = -1) {
    serving::ServiceSpec service;
    service.name = std::move(name);
    service.routing = choose<serving::RoutingPolicy>("round-robin");
    serving::VersionSpec version;
    version.engine.simple =
        serving::SimpleEngineSpec{servers, std::move(service_time), queue_limit};
    service.versions.push_back(std::move(version));
    return service;
}

/// A workload of `replicas` one-core pods for a service, on a pool that has room for `room` of
/// them.
inline void add_workload(SimulationSpec& spec, std::uint32_t service, std::int64_t replicas,
                         std::int64_t room = 0) {
    control::WorkloadSpec workload;
    workload.name = spec.services[service].name;
    workload.service = service;
    workload.replicas = replicas;
    workload.pod.name = workload.name;
    workload.pod.requests.cpu = MilliCpu{1000};
    spec.control.workloads.push_back(workload);
    if (spec.control.pools.empty()) {
        spec.control.scheduling = choose<control::SchedulingPolicy>("kube-default");
        control::NodePoolSpec pool;
        pool.name = "pool";
        pool.node.name = "pool";
        pool.node.capacity.cpu = pool.node.allocatable.cpu = MilliCpu{100'000};
        pool.node.capacity.memory = pool.node.allocatable.memory = gibibytes(1000);
        pool.node.capacity.max_pods = pool.node.allocatable.max_pods = 1000;
        pool.count = 0;
        spec.control.pools.push_back(pool);
    }
    spec.control.pools[0].count += std::max(replicas, room) / 100 + 1;
}

}  // namespace headroom::tests
