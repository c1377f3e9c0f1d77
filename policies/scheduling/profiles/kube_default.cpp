/// `kube-default`: kube-scheduler's default profile: weights 3 taints, 2 affinity, 2 topology
/// spread, 1 each least allocated, balanced, image locality. `scoring` v1.36 takes the newer
/// formula of balanced allocation; the weights are the same in both. Source: kubernetes v1.28 and
/// v1.36 pkg/scheduler/apis/config/v1/default_plugins.go.
#include "policies/scheduling/profiles/default_filters.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::SchedulingPolicy;

class KubeDefault final : public control::SchedulingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        return {ParameterSpec::choice("scoring", {"v1.28", "v1.36"}, "v1.28",
                                      "scores as in that Kubernetes version"),
                ParameterSpec::integer("percentage_of_nodes_to_score", 0,
                                       "feasible nodes to look for; 0: adaptive, as upstream")
                    .at_least(0)
                    .at_most(100)};
    }
    KubeDefault(const Parameters& parameters, const PolicyContext&)
        : newer_(parameters.text("scoring") == "v1.36"),
          percentage_(parameters.integer("percentage_of_nodes_to_score")) {}

    [[nodiscard]] control::SchedulingProfile profile() const override {
        control::SchedulingProfile profile;
        profile.filters = default_filters();
        profile.scores = {{"taint-toleration", 3},
                          {"node-affinity", 2},
                          {"pod-topology-spread", 2},
                          {"node-resources-fit", 1},
                          {newer_ ? "balanced-allocation-v1.36" : "balanced-allocation", 1},
                          {"image-locality", 1}};
        profile.percentage_of_nodes_to_score = percentage_;
        return profile;
    }

  private:
    bool newer_;
    std::int64_t percentage_;
};

REGISTER_POLICY(SchedulingPolicy, KubeDefault, "kube-default", "kube-scheduler's default profile");

}  // namespace headroom::policies
