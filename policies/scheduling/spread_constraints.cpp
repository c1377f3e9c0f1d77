#include "policies/scheduling/spread_constraints.hpp"

#include <algorithm>

namespace headroom::policies {

std::vector<SpreadConstraint> spread_constraints(const cluster::PodSpec& pod,
                                                 cluster::WhenUnsatisfiable kind) {
    std::vector<SpreadConstraint> constraints;
    for (const auto& spread : pod.topology_spread) {
        if (spread.when_unsatisfiable != kind) continue;
        SpreadConstraint constraint;
        constraint.topology_key = spread.topology_key;
        constraint.max_skew = spread.max_skew;
        constraint.min_domains = spread.min_domains;
        constraint.owners = spread.owners;
        if (constraint.owners.empty()) constraint.owners.push_back(pod.owner);
        constraint.counts_itself = std::find(constraint.owners.begin(), constraint.owners.end(),
                                             pod.owner) != constraint.owners.end();
        constraints.push_back(std::move(constraint));
    }
    return constraints;
}

std::vector<SpreadConstraint> default_spread_constraints(const cluster::PodSpec& pod) {
    const auto constraint = [&pod](std::string_view key, std::int64_t max_skew) {
        SpreadConstraint result;
        result.topology_key = key;
        result.max_skew = max_skew;
        result.owners = {pod.owner};
        result.counts_itself = true;
        return result;
    };
    return {constraint(cluster::kHostnameLabel, 3), constraint(cluster::kZoneLabel, 5)};
}

std::optional<std::string_view> domain_of(const cluster::Node& node,
                                          std::string_view topology_key) {
    const auto it = node.spec->labels.find(topology_key);
    if (it == node.spec->labels.end()) return std::nullopt;
    return it->second;
}

bool has_all_keys(const cluster::Node& node, const std::vector<SpreadConstraint>& constraints) {
    return std::all_of(constraints.begin(), constraints.end(), [&node](const auto& constraint) {
        return domain_of(node, constraint.topology_key).has_value();
    });
}

bool affinity_allows(const cluster::PodSpec& pod, const cluster::Node& node) {
    return cluster::matches_all(pod.node_selector, node.spec->labels) &&
           cluster::matches_any(pod.required_affinity, node.spec->labels);
}

std::int64_t count_matching_pods(const cluster::Cluster& cluster, const cluster::Node& node,
                                 const SpreadConstraint& constraint) {
    return std::count_if(node.pods.begin(), node.pods.end(), [&](cluster::PodId id) {
        const cluster::Pod& pod = cluster.pod(id);
        if (pod.phase == cluster::PodPhase::draining || pod.phase == cluster::PodPhase::gone) {
            return false;
        }
        return std::find(constraint.owners.begin(), constraint.owners.end(), pod.spec->owner) !=
               constraint.owners.end();
    });
}

}  // namespace headroom::policies
