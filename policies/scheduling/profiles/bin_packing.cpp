/// `bin-packing`: fills nodes, and devices within them, before it opens another, so that whole
/// nodes stay free for big pods or can be removed. Preferences of pods and nodes weigh as in
/// kube-default; all feasible nodes are looked at, since packing suffers from a partial view.
#include "policies/scheduling/profiles/default_filters.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::SchedulingPolicy;

class BinPacking final : public control::SchedulingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    BinPacking(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] control::SchedulingProfile profile() const override {
        control::SchedulingProfile profile;
        profile.filters = default_filters();
        profile.scores = {{"taint-toleration", 3}, {"node-affinity", 2}, {"most-allocated", 1}};
        profile.device_chooser = "best-fit";
        profile.percentage_of_nodes_to_score = 100;
        return profile;
    }
};

REGISTER_POLICY(SchedulingPolicy, BinPacking, "bin-packing", "fills nodes and devices in turn");

}  // namespace headroom::policies
