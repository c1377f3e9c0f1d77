/// The parameters of `vpa`: their specs, how they are read, and what cannot work among values that
/// are each in range. Reading is O(parameters) and never fails: what it finds wrong are `faults`.
///
///     const VpaConfig config = read_vpa_config(Parameters::defaults(vpa_parameter_specs()));
///     // config.faults is empty: the defaults are upstream's
///
/// Source: kubernetes/autoscaler vertical-pod-autoscaler/pkg/recommender/config/config.go,
/// pkg/updater/config/config.go, pkg/apis/autoscaling.k8s.io/v1/types.go and, for what is refused,
/// pkg/admission-controller/resource/vpa/validation.go.
#pragma once

#include <cstdint>
#include <vector>

#include "policies/scaling/vpa/vpa_recommender.hpp"
#include "policies/scaling/vpa/vpa_updater.hpp"
#include "policies/scaling/vpa/vpa_usage.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"

namespace headroom::policies {

enum class VpaUpdateMode : std::uint8_t { off, initial, recreate };

struct VpaConfig {
    VpaUpdateMode mode = VpaUpdateMode::recreate;
    Duration recommender_interval;
    Duration updater_interval;
    VpaUsageOptions usage;
    VpaEstimators estimators;
    VpaUpdateOptions update;
    std::vector<VpaContainerPolicy> policies;
    std::vector<control::ScalingFault> faults;
};

[[nodiscard]] ParameterSpecs vpa_parameter_specs();
[[nodiscard]] VpaConfig read_vpa_config(const Parameters& parameters);

}  // namespace headroom::policies
