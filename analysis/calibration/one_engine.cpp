#include "analysis/calibration/one_engine.hpp"

#include <utility>

#include "sim/control/scheduling_policy.hpp"
#include "sim/core/check.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::analysis {

namespace {

class ListedRequests final : public serving::RequestSource {
  public:
    explicit ListedRequests(std::shared_ptr<const std::vector<serving::Arrival>> arrivals)
        : arrivals_(std::move(arrivals)) {}
    OptionalTime peek() override {
        if (next_ == arrivals_->size()) return std::nullopt;
        return (*arrivals_)[next_].time;
    }
    serving::Arrival take() override { return (*arrivals_)[next_++]; }
    [[nodiscard]] bool answers_completions() const override { return false; }

  private:
    std::shared_ptr<const std::vector<serving::Arrival>> arrivals_;
    std::size_t next_ = 0;
};

/// Pods of the service, each on a node that has room for it.
control::ControlSpec nodes_for(const std::string& service, std::int64_t replicas) {
    control::ControlSpec control;
    control::WorkloadSpec workload;
    workload.name = service;
    workload.pod.name = service;
    workload.replicas = replicas;
    workload.pod.requests.cpu = MilliCpu{1000};
    control.workloads.push_back(std::move(workload));
    control.scheduling = with_defaults<control::SchedulingPolicy>("kube-default");
    control::NodePoolSpec pool;
    pool.name = pool.node.name = "pool";
    pool.count = replicas;
    pool.node.capacity.cpu = pool.node.allocatable.cpu = MilliCpu{2000};
    pool.node.capacity.memory = pool.node.allocatable.memory = gibibytes(1);
    pool.node.capacity.max_pods = pool.node.allocatable.max_pods = 1;
    control.pools.push_back(std::move(pool));
    return control;
}

}  // namespace

PolicyChoice vllm_v1(std::int64_t max_num_seqs, std::int64_t max_num_batched_tokens) {
    PolicyChoice choice = with_defaults<serving::BatchingPolicy>("vllm-v1");
    choice.parameters.set("max_num_seqs", ParameterValue{max_num_seqs});
    choice.parameters.set("max_num_batched_tokens", ParameterValue{max_num_batched_tokens});
    return choice;
}

SimulationSpec one_engine_spec(serving::LlmEngineSpec engine,
                               std::shared_ptr<const std::vector<serving::Arrival>> arrivals,
                               std::int64_t replicas) {
    SimulationSpec spec;
    spec.name = "engine";
    spec.drain = true;
    serving::ServiceSpec service;
    service.name = spec.name;
    service.routing = with_defaults<serving::RoutingPolicy>("round-robin");
    serving::VersionSpec version;
    version.engine.llm = std::move(engine);
    service.versions.push_back(std::move(version));
    spec.services.push_back(std::move(service));
    spec.sources.push_back({"requests", 0, [arrivals](std::uint64_t) {
                                return std::make_unique<ListedRequests>(arrivals);
                            }});
    spec.control = nodes_for(spec.name, replicas);
    return spec;
}

}  // namespace headroom::analysis
