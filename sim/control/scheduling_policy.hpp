/// Scheduling as kube-scheduler does it: a profile composes registered filters, scores and a device
/// chooser; the scheduler host (control/scheduler.hpp) runs the cycle: filter all nodes, score the
/// feasible ones 0..100 per plugin, normalise, weigh, pick the best, ties by a uniform draw
/// (reservoir).
///
/// Plugins are const and stateless between pods; what they need to precompute for one pod they keep
/// from prepare() to the end of the cycle. They see the cluster read-only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/core/registry.hpp"

namespace headroom::control {

struct SchedulingContext {
    const cluster::Cluster* cluster = nullptr;
    const cluster::PodSpec* pod = nullptr;
};

/// Says whether a node can take the pod.
class FilterPlugin {
  public:
    virtual ~FilterPlugin() = default;
    /// Returns false when the plugin takes no part for this pod.
    virtual bool prepare(const SchedulingContext&) { return true; }
    /// An empty view means feasible; else the reason, as Kubernetes' events word it.
    [[nodiscard]] virtual std::string_view filter(const SchedulingContext& context,
                                                  cluster::NodeId node) const = 0;
};

/// Scores a feasible node; the raw scores of all nodes are then normalised to 0..100.
class ScorePlugin {
  public:
    virtual ~ScorePlugin() = default;
    /// Returns false when the plugin takes no part for this pod. `nodes` are the feasible ones.
    virtual bool prepare(const SchedulingContext&, const std::vector<cluster::NodeId>&) {
        return true;
    }
    [[nodiscard]] virtual std::int64_t score(const SchedulingContext& context,
                                             cluster::NodeId node) const = 0;
    /// In place; the default leaves scores as they are (already 0..100).
    virtual void normalise(std::vector<std::int64_t>&) const {}
};

/// Chooses which devices of a node a pod gets. Called only for nodes where enough devices fit.
class DeviceChooser {
  public:
    virtual ~DeviceChooser() = default;
    /// Device indices, ascending; as many as the pod asks for.
    [[nodiscard]] virtual std::vector<std::int32_t> choose(const cluster::Node& node,
                                                           const cluster::PodSpec& pod) const = 0;
};

/// A scheduling policy: which plugins, with which weights. Composed in policies/scheduling/.
struct SchedulingProfile {
    struct WeightedScore {
        std::string name;
        std::int64_t weight = 1;
    };
    std::vector<std::string> filters;
    std::vector<WeightedScore> scores;
    std::string device_chooser = "first-fit";
    /// Nodes scored at most: 0 means kube-scheduler's adaptive rule (all below 100 nodes, else
    /// 50 - n/125 per cent, at least 5 per cent and 100 nodes; kubernetes v1.28 schedule_one.go).
    std::int64_t percentage_of_nodes_to_score = 0;
};

class SchedulingPolicy {
  public:
    virtual ~SchedulingPolicy() = default;
    [[nodiscard]] virtual SchedulingProfile profile() const = 0;
};

}  // namespace headroom::control
