/// What the scores by resources share: how much of a resource a node has, holds and would hold.
/// cpu is in milli-cpu, memory in bytes, devices in milli-devices (1000 = a whole
/// device, whatever its model). O(devices) for devices, else O(1).
///
/// `with_defaults` counts 100 milli-cpu and 200 MiB for a container that requests nothing, on the
/// pods that are there too, as LeastAllocated, MostAllocated and RequestedToCapacityRatio do.
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/noderesources/resource_allocation.go.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

enum class ScoredResource : std::uint8_t { cpu, memory, devices };

struct WeightedResource {
    ScoredResource resource = ScoredResource::cpu;
    std::int64_t weight = 1;
};

struct ResourceLevel {
    std::int64_t allocatable = 0;  ///< 0 also where the resource takes no part for this pod
    std::int64_t held = 0;         ///< by the pods that are there
    std::int64_t requested = 0;    ///< by the pod
};

[[nodiscard]] ResourceLevel resource_level(ScoredResource resource, const cluster::Node& node,
                                           const cluster::PodSpec& pod, bool with_defaults);

/// The parameter `resources`: a list of {name, weight}.
[[nodiscard]] ParameterSpec resources_spec(const std::vector<WeightedResource>& defaults);
[[nodiscard]] std::vector<WeightedResource> parse_resources(const Parameters& parameters);

}  // namespace headroom::policies
