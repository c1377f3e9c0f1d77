#include "analysis/cli/policy_catalogue.hpp"

#include <utility>

#include "sim/control/scaling_policy.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/routing_policy.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::analysis {

namespace {

template <class Interface>
PolicyFamily family(std::string name, std::string decides) {
    PolicyFamily out{std::move(name), std::move(decides), {}};
    for (const auto& [policy, entry] : Registry<Interface>::instance().entries()) {
        out.policies.push_back({policy, entry.help, entry.specs});
    }
    return out;
}

}  // namespace

std::vector<PolicyFamily> policy_catalogue() {
    return {
        family<control::SchedulingPolicy>("scheduling", "which node and devices a pod gets"),
        family<control::FilterPlugin>("filter", "which nodes a pod may go to"),
        family<control::ScorePlugin>("score", "which of those nodes is better"),
        family<control::DeviceChooser>("device", "which devices of a node a pod gets"),
        family<control::ScalingPolicy>("scaling", "how many replicas a workload has"),
        family<serving::RoutingPolicy>("routing", "which instance a request goes to"),
        family<serving::BatchingPolicy>("batching", "what enters an engine's next iteration"),
        family<traces::ArrivalProcess>("arrivals", "when requests come"),
        family<traces::TraceFormat>("trace-format", "how the lines of a trace become requests"),
    };
}

}  // namespace headroom::analysis
