/// `node-unschedulable`: only a ready node that is not cordoned takes pods. A starting or lost node
/// would carry a not-ready or unreachable taint in Kubernetes. O(1).
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/nodeunschedulable.
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class NodeUnschedulable final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    NodeUnschedulable(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        switch (context.cluster->node(node).state) {
            case cluster::NodeState::ready:
                return {};
            case cluster::NodeState::starting:
                return "node(s) were not ready";
            case cluster::NodeState::cordoned:
                return "node(s) were unschedulable";
            case cluster::NodeState::lost:
                return "node(s) were unreachable";
        }
        return "node(s) were in no known state";
    }
};

REGISTER_POLICY(FilterPlugin, NodeUnschedulable, "node-unschedulable",
                "the node is ready and not cordoned");

}  // namespace headroom::policies
