/// What the filter and the score of pod-topology-spread share: the domains of a topology key,
/// constraints as they hold for one pod, and how many matching pods a node has. A pod matches a
/// constraint when its workload is one of the constraint's owners; pods that are draining or gone
/// do not count. Constraints point into the Topology and the pod: valid for one scheduling cycle.
/// Looking up a node's domain is O(1) once it was looked up; counting is O(pods of the owners), on
/// one node O(pods of the node * owners).
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/podtopologyspread/common.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

/// Of one key, numbered from 0 on as they are met. A node's labels never change, so each node is
/// asked once.
class TopologyDomains {
  public:
    struct Domain {
        std::size_t number = 0;  ///< without the label that of the empty value
        bool labelled = false;
    };

    explicit TopologyDomains(std::string_view key) : key_(key) {}
    [[nodiscard]] bool is_host() const { return key_ == cluster::kHostnameLabel; }
    [[nodiscard]] std::size_t count() const { return numbers_.size(); }
    [[nodiscard]] Domain of(cluster::NodeId id, const cluster::Node& node);

  private:
    struct Known {
        cluster::NodeId node;  ///< that had the index then
        Domain domain;
    };

    std::string key_;
    std::map<std::string, std::size_t, std::less<>> numbers_;
    std::vector<Known> known_;  ///< by the node's index
};

/// The domains of every key that was asked for; references stay valid.
class Topology {
  public:
    [[nodiscard]] TopologyDomains& of(std::string_view key) {
        const auto found = domains_.find(key);
        return found != domains_.end() ? found->second
                                       : domains_.emplace(key, TopologyDomains(key)).first->second;
    }

  private:
    std::map<std::string, TopologyDomains, std::less<>> domains_;
};

struct SpreadConstraint {
    TopologyDomains* domains = nullptr;
    std::int64_t max_skew = 1;
    std::int64_t min_domains = 1;
    std::vector<cluster::WorkloadId> owners;  ///< each once
    bool counts_itself = false;  ///< the incoming pod would be one of the matching pods
};

/// The pod's own constraints of that kind, in its order.
[[nodiscard]] std::vector<SpreadConstraint> spread_constraints(const cluster::PodSpec& pod,
                                                               cluster::WhenUnsatisfiable kind,
                                                               Topology& topology);

/// What holds for a pod of a workload that states none: skew 3 over hosts and 5 over zones, soft.
[[nodiscard]] std::vector<SpreadConstraint> default_spread_constraints(const cluster::PodSpec& pod,
                                                                       Topology& topology);

[[nodiscard]] bool has_all_keys(cluster::NodeId id, const cluster::Node& node,
                                const std::vector<SpreadConstraint>& constraints);

/// Whether the pod's nodeSelector and required affinity allow the node (nodeAffinityPolicy Honor).
[[nodiscard]] bool affinity_allows(const cluster::PodSpec& pod, const cluster::Node& node);

[[nodiscard]] inline bool is_counted(const cluster::Pod& pod) {
    return pod.phase != cluster::PodPhase::draining && pod.phase != cluster::PodPhase::gone;
}

/// fn(node of it) for each matching pod.
template <class Fn>
void for_each_matching_pod(const cluster::Cluster& cluster, const SpreadConstraint& constraint,
                           Fn fn) {
    for (const cluster::WorkloadId owner : constraint.owners) {
        for (const cluster::PodId id : cluster.bound_pods(owner)) {
            const cluster::Pod& pod = cluster.pod(id);
            if (is_counted(pod)) fn(pod.node);
        }
    }
}

/// Those of one node.
[[nodiscard]] std::int64_t count_matching_pods(const cluster::Cluster& cluster,
                                               const cluster::Node& node,
                                               const SpreadConstraint& constraint);

}  // namespace headroom::policies
