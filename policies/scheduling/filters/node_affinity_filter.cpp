/// `node-affinity`: the node has every label of the pod's nodeSelector and matches one of the terms
/// of its required affinity. O(selector + expressions), each a label look-up. Source: kubernetes
/// v1.28 pkg/scheduler/framework/plugins/nodeaffinity.
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class NodeAffinityFilter final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    NodeAffinityFilter(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context) override {
        return !context.pod->node_selector.empty() || !context.pod->required_affinity.empty();
    }
    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        const auto& labels = context.cluster->node(node).spec->labels;
        const bool matched = cluster::matches_all(context.pod->node_selector, labels) &&
                             cluster::matches_any(context.pod->required_affinity, labels);
        return matched ? std::string_view{} : "node(s) didn't match Pod's node affinity/selector";
    }
};

REGISTER_POLICY(FilterPlugin, NodeAffinityFilter, "node-affinity",
                "the node matches the pod's nodeSelector and required affinity");

}  // namespace headroom::policies
