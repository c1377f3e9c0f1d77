/// `random`: any node that can take the pod. Without scores all feasible nodes tie, and a tie is a
/// uniform draw: the baseline that every other profile should beat.
#include "policies/scheduling/profiles/default_filters.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::SchedulingPolicy;

class RandomNode final : public control::SchedulingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    RandomNode(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] control::SchedulingProfile profile() const override {
        control::SchedulingProfile profile;
        profile.filters = default_filters();
        profile.percentage_of_nodes_to_score = 100;
        return profile;
    }
};

REGISTER_POLICY(SchedulingPolicy, RandomNode, "random", "any feasible node, drawn uniformly");

}  // namespace headroom::policies
