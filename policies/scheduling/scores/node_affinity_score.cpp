/// `node-affinity`: the weights of the preferred terms that the node matches, added up. Takes no
/// part for a pod without preferred terms. O(terms). Source: kubernetes v1.28
/// pkg/scheduler/framework/plugins/nodeaffinity.
#include "policies/scheduling/scores/normalise.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class NodeAffinityScore final : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    NodeAffinityScore(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context,
                 const std::vector<cluster::NodeId>&) override {
        return !context.pod->preferred_affinity.empty();
    }
    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId node) const override {
        const auto& labels = context.cluster->node(node).spec->labels;
        std::int64_t sum = 0;
        for (const cluster::PreferredTerm& preferred : context.pod->preferred_affinity) {
            if (cluster::matches(preferred.term, labels)) sum += preferred.weight;
        }
        return sum;
    }
    void normalise(std::vector<std::int64_t>& scores) const override {
        normalise_by_largest(scores, false);
    }
};

REGISTER_POLICY(ScorePlugin, NodeAffinityScore, "node-affinity",
                "the weights of the preferred affinity terms that match");

}  // namespace headroom::policies
