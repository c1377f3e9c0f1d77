/// `spread`: pods of a workload as far apart as hosts and zones allow, then on emptier nodes, so
/// that the loss of one takes few of them. Topology spread outweighs the rest; all nodes are looked
/// at.
#include "policies/scheduling/profiles/default_filters.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::SchedulingPolicy;

class Spread final : public control::SchedulingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    Spread(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] control::SchedulingProfile profile() const override {
        control::SchedulingProfile profile;
        profile.filters = default_filters();
        profile.scores = {{"taint-toleration", 3},
                          {"node-affinity", 2},
                          {"pod-topology-spread", 10},
                          {"node-resources-fit", 1}};
        profile.percentage_of_nodes_to_score = 100;
        return profile;
    }
};

REGISTER_POLICY(SchedulingPolicy, Spread, "spread", "pods of a workload over hosts and zones");

}  // namespace headroom::policies
