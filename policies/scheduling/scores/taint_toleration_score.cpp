/// `taint-toleration`: fewer PreferNoSchedule taints that the pod does not tolerate are better;
/// only tolerations of that effect, or of every effect, count. O(taints * tolerations). Source:
/// kubernetes v1.28 pkg/scheduler/framework/plugins/tainttoleration.
#include "policies/scheduling/scores/normalise.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class TaintTolerationScore final : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    TaintTolerationScore(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId node) const override {
        const auto& taints = context.cluster->node(node).spec->taints;
        return std::count_if(taints.begin(), taints.end(), [&](const cluster::Taint& taint) {
            return taint.effect == cluster::TaintEffect::prefer_no_schedule &&
                   !cluster::tolerated(taint, context.pod->tolerations);
        });
    }
    void normalise(std::vector<std::int64_t>& scores) const override {
        normalise_by_largest(scores, true);
    }
};

REGISTER_POLICY(ScorePlugin, TaintTolerationScore, "taint-toleration",
                "fewer PreferNoSchedule taints that the pod does not tolerate");

}  // namespace headroom::policies
