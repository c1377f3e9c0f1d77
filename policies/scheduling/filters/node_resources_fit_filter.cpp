/// `node-resources-fit`: what the pod requests of cpu and memory is free, and the node takes one
/// more pod. A request of zero fits always. Devices are `device-fit`. O(1). Source: kubernetes
/// v1.28 pkg/scheduler/framework/plugins/noderesources/fit.go (fitsRequest).
#include <array>
#include <cstddef>

#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class NodeResourcesFitFilter final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    NodeResourcesFitFilter(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        // Indexed by what is short: 1 pods, 2 cpu, 4 memory.
        static constexpr std::array<std::string_view, 8> kReasons = {
            "",
            "Too many pods",
            "Insufficient cpu",
            "Too many pods, Insufficient cpu",
            "Insufficient memory",
            "Too many pods, Insufficient memory",
            "Insufficient cpu, Insufficient memory",
            "Too many pods, Insufficient cpu, Insufficient memory"};
        const cluster::NodeUsage& usage = context.cluster->node(node).usage;
        const cluster::Resources free = usage.free();
        const cluster::Resources& wanted = context.pod->requests;
        std::size_t shortage = 0;
        if (usage.pods() + 1 > usage.allocatable().max_pods) shortage |= 1;
        if (wanted.cpu > MilliCpu{0} && wanted.cpu > free.cpu) shortage |= 2;
        if (wanted.memory > Bytes{0} && wanted.memory > free.memory) shortage |= 4;
        return kReasons[shortage];
    }
};

REGISTER_POLICY(FilterPlugin, NodeResourcesFitFilter, "node-resources-fit",
                "cpu, memory and the number of pods fit");

}  // namespace headroom::policies
