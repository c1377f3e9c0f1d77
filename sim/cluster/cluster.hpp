/// Cluster: all nodes and pods, and who holds what. Passive: it decides nothing and knows no time
/// but the one it is given; the control plane chooses a node and devices and calls bind.
///
/// Invariants, checked at the edges: no node gives out more than it has; a pod that is bound is
/// listed at its node and holds exactly what its spec asks for; release gives all of it back, its
/// pins in the node's image cache included. check_conservation() recounts everything from the pods.
///
///     NodeId node = cluster.add_node(spec, now);
///     PodId pod = cluster.add_pod(pod_spec, 0, now);
///     if (cluster.fits(pod, node).ok()) cluster.bind(pod, node, choices, now);
///     cluster.set_phase(pod, PodPhase::image_pull, now);
///     cluster.release(pod, now);              // gone; the record stays for its times, until
///     cluster.erase_pod(pod);
///
/// bind and release are O(devices + pods of the node + evictions), and at worst O(pods of the
/// workload); look-ups O(1), by name or workload O(log n).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster/ids.hpp"
#include "sim/cluster/node.hpp"
#include "sim/cluster/pod.hpp"
#include "sim/core/slab.hpp"

namespace headroom::cluster {

enum class Artifact : std::uint8_t { image, weights };

enum class HoldResult : std::uint8_t {
    nothing,   ///< the pod has no such artifact
    hit,       ///< was there
    inserted,  ///< was not, and lies there now
    no_space,  ///< does not fit beside what is in use; the pod runs without a cached copy
};

class Cluster {
  public:
    /// Names are unique (CHECK). The labels for hostname, instance type and pool are filled in
    /// where the spec leaves them out. A node starts as `ready` or `starting`.
    NodeId add_node(NodeSpec spec, Time now, NodeState state = NodeState::ready);
    void set_node_state(NodeId id, NodeState state, Time now);

    PodId add_pod(std::shared_ptr<const PodSpec> spec, std::uint32_t ordinal, Time now);
    PodId add_pod(PodSpec spec, std::uint32_t ordinal, Time now) {
        return add_pod(std::make_shared<const PodSpec>(std::move(spec)), ordinal, now);
    }
    void erase_pod(PodId id);  ///< of a pod that holds nothing

    [[nodiscard]] Fit fits(PodId pod, NodeId node) const {
        return cluster::fits(*pods_[pod].spec, nodes_[node]);
    }
    [[nodiscard]] Fit fits(const PodSpec& pod, NodeId node) const {
        return cluster::fits(pod, nodes_[node]);
    }
    /// Whether some node could hold the pod if it were empty and ready; else every node's reasons.
    [[nodiscard]] Fit could_ever_fit(const PodSpec& pod) const;

    /// Gives a pending pod its node and devices, one choice per unit of its request; -> scheduled.
    void bind(PodId pod, NodeId node, std::span<const DeviceChoice> choices, Time now);
    /// The same on the lowest devices that fit.
    void bind_first_fit(PodId pod, NodeId node, Time now);
    /// Moves a pod on (pod.hpp has the rules). Not to `scheduled` nor `gone`: that is bind,
    /// release.
    void set_phase(PodId pod, PodPhase phase, Time now);
    /// Takes back everything the pod holds; -> gone. A pending pod may be released too.
    void release(PodId pod, Time now);

    [[nodiscard]] bool has_artifact(PodId pod, Artifact artifact) const;
    /// Pins the artifact in the cache of the pod's node until release, putting it there first where
    /// it is not (the caller has pulled it).
    HoldResult hold(PodId pod, Artifact artifact, Time now);

    [[nodiscard]] const Node& node(NodeId id) const { return nodes_[id]; }
    [[nodiscard]] const Pod& pod(PodId id) const { return pods_[id]; }
    [[nodiscard]] bool contains(PodId id) const { return pods_.contains(id); }
    [[nodiscard]] NodeId find_node(std::string_view name) const;  ///< none() when there is none
    /// A workload's pods that have a node, in id order. Good until the next bind or release.
    [[nodiscard]] std::span<const PodId> bound_pods(WorkloadId owner) const;
    [[nodiscard]] std::size_t node_count() const { return nodes_.size(); }
    [[nodiscard]] std::size_t pod_count() const { return pods_.size(); }
    /// fn(id, const Node&), in id order.
    template <class Fn>
    void for_each_node(Fn&& fn) const {
        nodes_.for_each(fn);
    }

    /// Recounts nodes from the pods; a difference is a programmer error. O(all).
    void check_conservation() const;

  private:
    static void enter(Pod& pod, PodPhase phase, Time now);
    void check_bound_pods() const;

    Slab<Node, NodeTag> nodes_;
    Slab<Pod, PodTag> pods_;
    std::map<std::string, NodeId, std::less<>> node_by_name_;
    std::map<WorkloadId, std::vector<PodId>> bound_;  ///< none(): pods without one
};

}  // namespace headroom::cluster
