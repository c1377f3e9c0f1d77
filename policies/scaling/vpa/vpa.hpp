/// `vpa`: the Kubernetes vertical pod autoscaler. It leaves the number of replicas alone and
/// decides what pods request: once a minute it takes the newest CPU and memory sample of each
/// container (vpa_usage.hpp), recommends (vpa_recommender.hpp) and, once a minute, evicts pods that
/// stand too far off (vpa_updater.hpp). What upstream spreads over recommender, admission
/// controller and updater happens in one tick, in that order: a pod evicted now requests what this
/// tick recommends.
///
/// update_mode: Off recommends only; Initial changes what new pods request; Recreate, and Auto,
/// which is the same, also evicts. A container without a CPU sample gets no recommendation. A
/// history without a sample for 8 days is forgotten; what it recommended last holds until there is
/// a new one. A container that was killed for memory counts as one that used more (vpa_usage.hpp);
/// of several kills of a pod between two ticks the last one is seen. A memory limit grows with its
/// request, in the proportion of the workload's template, unless controlled_values is RequestsOnly.
/// Restarts in place and LimitRanges have no counterpart here.
///
///     {"min_replicas": 1, "container_policies": [{"max_allowed": {"cpu": "4"}}]}
///
/// Parameters are named as in the API and upstream's flags, in snake_case. O(pods * containers) a
/// tick. A configuration that cannot work is an `invalid` decision at each tick. Source:
/// kubernetes/autoscaler vertical-pod-autoscaler (2026-07), files named in the parts; what it
/// refuses: pkg/admission-controller/resource/vpa/validation.go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policies/scaling/vpa/vpa_config.hpp"
#include "policies/scaling/vpa/vpa_recommender.hpp"
#include "policies/scaling/vpa/vpa_updater.hpp"
#include "policies/scaling/vpa/vpa_usage.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

class Vpa final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return vpa_parameter_specs(); }
    Vpa(const Parameters& parameters, const PolicyContext& context);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override;
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override {
        return config_.faults;
    }
    [[nodiscard]] bool scales_replicas() const override { return false; }
    [[nodiscard]] Duration period() const override { return config_.recommender_interval; }
    control::ScalingDecision decide(const control::ScalingView& view) override;

    /// What it recommends for new pods, in the order in which containers were first seen.
    [[nodiscard]] const std::vector<VpaNamedRecommendation>& recommended() const {
        return recommended_;
    }

  private:
    struct Container {
        std::string name;
        VpaContainerPolicy policy;
        VpaUsageHistory history;
        std::optional<std::int64_t> memory_request;  ///< of the template, as its limit
        std::optional<std::int64_t> memory_limit;
    };
    struct PodContainer {
        std::size_t container;  ///< index in containers_
        VpaContainerUsage usage;
        std::optional<Time> last_oom{};  ///< that was recorded
    };
    struct Pod {
        std::string name;
        std::vector<PodContainer> containers;
    };

    void load_pods(const control::ScalingView& view);
    void load_samples(const control::ScalingView& view);
    void load_oom_kills(const control::ScalingView& view);
    void recommend();
    void forget_expired(const control::ScalingView& view);
    [[nodiscard]] std::size_t find_container(const control::ScalingView& view,
                                             const control::ContainerResources& named);
    [[nodiscard]] VpaContainerPolicy policy_of(const control::ContainerResources& container) const;
    [[nodiscard]] const Container& container_of(const VpaNamedRecommendation& recommended) const;
    /// nullopt: its memory limit stays.
    [[nodiscard]] std::optional<std::int64_t> new_limit(
        const VpaNamedRecommendation& recommended) const;
    [[nodiscard]] std::vector<control::ContainerResources> new_requests();
    void update(const control::ScalingView& view, control::ScalingDecision& decision);
    [[nodiscard]] std::string describe_recommendations() const;
    /// Names the policies for containers that the workload does not have.
    [[nodiscard]] std::string describe_idle_policies(const control::ScalingView& view) const;

    VpaConfig config_;
    std::vector<Container> containers_;
    std::vector<Pod> pods_;  ///< in the order of the last view
    std::vector<VpaNamedRecommendation> recommended_;
    std::vector<VpaNamedRecommendation> announced_;  ///< as of the last change of requests
    std::size_t containers_per_pod_ = 1;
    std::optional<Time> next_update_;
    std::optional<Time> next_forgetting_;
};

}  // namespace headroom::policies
