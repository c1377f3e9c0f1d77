/// What the filter and the score of pod-topology-spread share: constraints as they hold for one
/// pod, and how many matching pods a node has. A pod matches a constraint when its workload is one
/// of the constraint's owners; pods that are draining or gone do not count. Views into the cluster:
/// valid for one scheduling cycle. counting is O(pods of the node * owners). Source: kubernetes
/// v1.28 pkg/scheduler/framework/plugins/podtopologyspread/common.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

struct SpreadConstraint {
    std::string_view topology_key;
    std::int64_t max_skew = 1;
    std::int64_t min_domains = 1;
    std::vector<cluster::WorkloadId> owners;
    bool counts_itself = false;  ///< the incoming pod would be one of the matching pods
};

/// The pod's own constraints of that kind, in its order.
[[nodiscard]] std::vector<SpreadConstraint> spread_constraints(const cluster::PodSpec& pod,
                                                               cluster::WhenUnsatisfiable kind);

/// What holds for a pod of a workload that states none: skew 3 over hosts and 5 over zones, soft.
[[nodiscard]] std::vector<SpreadConstraint> default_spread_constraints(const cluster::PodSpec& pod);

/// The node's domain for a key, nullopt without the label.
[[nodiscard]] std::optional<std::string_view> domain_of(const cluster::Node& node,
                                                        std::string_view topology_key);

[[nodiscard]] bool has_all_keys(const cluster::Node& node,
                                const std::vector<SpreadConstraint>& constraints);

/// Whether the pod's nodeSelector and required affinity allow the node (nodeAffinityPolicy Honor).
[[nodiscard]] bool affinity_allows(const cluster::PodSpec& pod, const cluster::Node& node);

[[nodiscard]] std::int64_t count_matching_pods(const cluster::Cluster& cluster,
                                               const cluster::Node& node,
                                               const SpreadConstraint& constraint);

}  // namespace headroom::policies
