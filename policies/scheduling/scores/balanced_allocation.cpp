/// `balanced-allocation`: the resources of the node would be requested in like proportions. With
/// f_i the requested fraction of resource i, at most 1, and s their standard deviation (of two:
/// half of the difference), balance = trunc((1 - s) * 100).
///   v1.28  the balance with the pod
///   v1.36  50 + (50 + balance with the pod - balance without) / 2; no part for a pod that requests
///          none of the resources
/// True requests: no defaults. `balanced-allocation-v1.36` is the same with its `version` set.
/// O(resources + devices).
/// Source: kubernetes pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go, v1.28
/// and v1.36.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "policies/scheduling/resource_levels.hpp"
#include "policies/scheduling/scores/normalise.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class BalancedAllocation : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() { return specs("v1.28"); }
    BalancedAllocation(const Parameters& parameters, const PolicyContext&)
        : resources_(parse_resources(parameters)),
          by_gain_(parameters.text("version") == "v1.36") {}

    bool prepare(const control::SchedulingContext& context,
                 const std::vector<cluster::NodeId>&) override {
        if (!by_gain_) return true;
        const cluster::PodSpec& pod = *context.pod;
        return std::any_of(resources_.begin(), resources_.end(), [&pod](const auto& entry) {
            switch (entry.resource) {
                case ScoredResource::cpu:
                    return pod.requests.cpu > MilliCpu{0};
                case ScoredResource::memory:
                    return pod.requests.memory > Bytes{0};
                case ScoredResource::devices:
                    break;
            }
            return pod.devices.count > 0;
        });
    }
    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId id) const override {
        const cluster::Node& node = context.cluster->node(id);
        const std::int64_t with = balance(node, *context.pod, true);
        if (!by_gain_) return with;
        const std::int64_t half = kMaxNodeScore / 2;
        return half + (half + with - balance(node, *context.pod, false)) / 2;
    }

  protected:
    static ParameterSpecs specs(std::string version) {
        return {ParameterSpec::choice("version", {"v1.28", "v1.36"}, std::move(version),
                                      "the formula of that Kubernetes version"),
                resources_spec({{ScoredResource::cpu, 1}, {ScoredResource::memory, 1}})};
    }

  private:
    [[nodiscard]] std::int64_t balance(const cluster::Node& node, const cluster::PodSpec& pod,
                                       bool with_pod) const {
        std::vector<double> fractions;
        for (const WeightedResource& entry : resources_) {
            const ResourceLevel level = resource_level(entry.resource, node, pod, false);
            if (level.allocatable == 0) continue;
            const std::int64_t requested = level.held + (with_pod ? level.requested : 0);
            fractions.push_back(std::min(
                1.0, static_cast<double>(requested) / static_cast<double>(level.allocatable)));
        }
        return static_cast<std::int64_t>((1.0 - deviation(fractions)) *
                                         static_cast<double>(kMaxNodeScore));
    }
    static double deviation(const std::vector<double>& fractions) {
        if (fractions.size() < 2) return 0.0;
        if (fractions.size() == 2) return std::abs((fractions[0] - fractions[1]) / 2.0);
        const auto count = static_cast<double>(fractions.size());
        double total = 0.0;
        for (const double fraction : fractions) total += fraction;
        const double mean = total / count;
        double squares = 0.0;
        for (const double fraction : fractions) squares += (fraction - mean) * (fraction - mean);
        return std::sqrt(squares / count);
    }

    std::vector<WeightedResource> resources_;
    bool by_gain_ = false;
};

class BalancedAllocationV136 final : public BalancedAllocation {
  public:
    using BalancedAllocation::BalancedAllocation;
    static ParameterSpecs parameter_specs() { return specs("v1.36"); }
};

REGISTER_POLICY(ScorePlugin, BalancedAllocation, "balanced-allocation",
                "resources would be requested in like proportions");
REGISTER_POLICY(ScorePlugin, BalancedAllocationV136, "balanced-allocation-v1.36",
                "the pod makes the proportions more alike");

}  // namespace headroom::policies
