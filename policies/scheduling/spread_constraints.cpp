#include "policies/scheduling/spread_constraints.hpp"

#include <algorithm>

namespace headroom::policies {

TopologyDomains::Domain TopologyDomains::of(cluster::NodeId id, const cluster::Node& node) {
    if (id.index >= known_.size()) known_.resize(id.index + 1);
    Known& known = known_[id.index];
    if (known.node != id) {
        known.node = id;
        const auto label = node.spec->labels.find(key_);
        known.domain.labelled = label != node.spec->labels.end();
        const std::string& name = known.domain.labelled ? label->second : std::string();
        known.domain.number = numbers_.try_emplace(name, numbers_.size()).first->second;
    }
    return known.domain;
}

std::vector<SpreadConstraint> spread_constraints(const cluster::PodSpec& pod,
                                                 cluster::WhenUnsatisfiable kind,
                                                 Topology& topology) {
    std::vector<SpreadConstraint> constraints;
    for (const auto& spread : pod.topology_spread) {
        if (spread.when_unsatisfiable != kind) continue;
        SpreadConstraint constraint;
        constraint.domains = &topology.of(spread.topology_key);
        constraint.max_skew = spread.max_skew;
        constraint.min_domains = spread.min_domains;
        constraint.owners = spread.owners;
        auto& owners = constraint.owners;
        if (owners.empty()) owners.push_back(pod.owner);
        std::sort(owners.begin(), owners.end());
        owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
        constraint.counts_itself = std::binary_search(owners.begin(), owners.end(), pod.owner);
        constraints.push_back(std::move(constraint));
    }
    return constraints;
}

std::vector<SpreadConstraint> default_spread_constraints(const cluster::PodSpec& pod,
                                                         Topology& topology) {
    const auto constraint = [&](std::string_view key, std::int64_t max_skew) {
        SpreadConstraint result;
        result.domains = &topology.of(key);
        result.max_skew = max_skew;
        result.owners = {pod.owner};
        result.counts_itself = true;
        return result;
    };
    return {constraint(cluster::kHostnameLabel, 3), constraint(cluster::kZoneLabel, 5)};
}

bool has_all_keys(cluster::NodeId id, const cluster::Node& node,
                  const std::vector<SpreadConstraint>& constraints) {
    return std::all_of(constraints.begin(), constraints.end(), [&](const auto& constraint) {
        return constraint.domains->of(id, node).labelled;
    });
}

bool affinity_allows(const cluster::PodSpec& pod, const cluster::Node& node) {
    // Mostly; and of many nodes none is in the processor's cache.
    if (pod.node_selector.empty() && pod.required_affinity.empty()) return true;
    return cluster::matches_all(pod.node_selector, node.spec->labels) &&
           cluster::matches_any(pod.required_affinity, node.spec->labels);
}

std::int64_t count_matching_pods(const cluster::Cluster& cluster, const cluster::Node& node,
                                 const SpreadConstraint& constraint) {
    return std::count_if(node.pods.begin(), node.pods.end(), [&](cluster::PodId id) {
        const cluster::Pod& pod = cluster.pod(id);
        return is_counted(pod) && std::binary_search(constraint.owners.begin(),
                                                     constraint.owners.end(), pod.spec->owner);
    });
}

}  // namespace headroom::policies
