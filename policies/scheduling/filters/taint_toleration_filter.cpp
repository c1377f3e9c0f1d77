/// `taint-toleration`: the pod tolerates every NoSchedule and NoExecute taint of the node.
/// O(taints * tolerations). Source: kubernetes v1.28
/// pkg/scheduler/framework/plugins/tainttoleration.
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class TaintTolerationFilter final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    TaintTolerationFilter(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        const auto& taints = context.cluster->node(node).spec->taints;
        return cluster::first_untolerated(taints, context.pod->tolerations) == nullptr
                   ? std::string_view{}
                   : "node(s) had untolerated taint";
    }
};

REGISTER_POLICY(FilterPlugin, TaintTolerationFilter, "taint-toleration",
                "the pod tolerates the node's NoSchedule and NoExecute taints");

}  // namespace headroom::policies
