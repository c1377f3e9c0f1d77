#include "sim/cluster/cluster.hpp"

#include <algorithm>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::cluster {

namespace {

struct ArtifactOnDisk {
    const std::string& name;
    Bytes size;
};

ArtifactOnDisk artifact_of(const PodSpec& spec, Artifact artifact) {
    if (artifact == Artifact::weights) return {spec.weights.name, spec.weights.size};
    const ImageSpec& image = spec.image;
    return {image.name, image.on_disk > Bytes{0} ? image.on_disk : image.compressed};
}

void insert_sorted(std::vector<PodId>& pods, PodId pod) {
    pods.insert(std::lower_bound(pods.begin(), pods.end(), pod), pod);
}

void erase_sorted(std::vector<PodId>& pods, PodId pod) {
    const auto at = std::lower_bound(pods.begin(), pods.end(), pod);
    HEADROOM_CHECK(at != pods.end() && *at == pod, "a bound pod is not listed");
    pods.erase(at);
}

void default_label(NodeSpec& spec, std::string_view key, const std::string& value) {
    if (!value.empty()) spec.labels.try_emplace(std::string{key}, value);
}

}  // namespace

NodeId Cluster::add_node(NodeSpec spec, Time now, NodeState state) {
    HEADROOM_CHECK(state == NodeState::ready || state == NodeState::starting,
                   "a node begins as ready or starting");
    HEADROOM_CHECK(spec.allocatable.cpu <= spec.capacity.cpu &&
                       spec.allocatable.memory <= spec.capacity.memory,
                   "a node's allocatable exceeds its capacity");
    default_label(spec, kHostnameLabel, spec.name);
    default_label(spec, kInstanceTypeLabel, spec.instance_type);
    default_label(spec, kPoolLabel, spec.pool);
    if (!spec.devices.empty()) default_label(spec, kGpuModelLabel, spec.devices[0].model);
    const NodeId id = nodes_.emplace(std::make_shared<const NodeSpec>(std::move(spec)));
    Node& node = nodes_[id];
    HEADROOM_CHECK(node_by_name_.emplace(node.spec->name, id).second, "two nodes share a name");
    node.created = now;
    node.state = state;
    if (state == NodeState::ready) node.ready_since = now;
    return id;
}

void Cluster::set_node_state(NodeId id, NodeState state, Time now) {
    Node& node = nodes_[id];
    node.state = state;
    if (state == NodeState::ready && node.ready_since == Time::max()) node.ready_since = now;
}

PodId Cluster::add_pod(std::shared_ptr<const PodSpec> spec, std::uint32_t ordinal, Time now) {
    const PodId id = pods_.emplace();
    Pod& pod = pods_[id];
    pod.spec = std::move(spec);
    pod.ordinal = ordinal;
    pod.entered.fill(Time::max());
    enter(pod, PodPhase::pending, now);
    return id;
}

void Cluster::erase_pod(PodId id) {
    HEADROOM_CHECK(!pods_[id].bound(), "a pod is erased while it holds resources");
    pods_.erase(id);
}

void Cluster::enter(Pod& pod, PodPhase phase, Time now) {
    pod.phase = phase;
    pod.entered[static_cast<std::size_t>(phase)] = now;
}

Fit Cluster::could_ever_fit(const PodSpec& pod) const {
    Fit reasons;
    bool fits_somewhere = false;
    nodes_.for_each([&](NodeId, const Node& node) {
        if (fits_somewhere) return;
        const Fit fit = cluster::could_ever_fit(pod, node.spec);
        fits_somewhere = fit.ok();
        reasons.add(fit);
    });
    if (fits_somewhere) return {};
    if (reasons.ok()) reasons.add(FitReason::no_node);
    return reasons;
}

void Cluster::bind(PodId pod_id, NodeId node_id, std::span<const DeviceChoice> choices, Time now) {
    Pod& pod = pods_[pod_id];
    HEADROOM_CHECK(pod.phase == PodPhase::pending, "only a pending pod is bound");
    Node& node = nodes_[node_id];
    HEADROOM_CHECK(node.state != NodeState::lost, "a pod is bound to a lost node");
    node.usage.charge(*pod.spec, choices, pod.devices);
    insert_sorted(node.pods, pod_id);
    insert_sorted(bound_[pod.spec->owner], pod_id);
    pod.node = node_id;
    enter(pod, PodPhase::scheduled, now);
}

void Cluster::bind_first_fit(PodId pod, NodeId node, Time now) {
    std::vector<DeviceChoice> choices;
    HEADROOM_CHECK(nodes_[node].usage.first_fit_devices(pods_[pod].spec->devices, choices),
                   "a pod is bound to a node without the devices");
    bind(pod, node, choices, now);
}

void Cluster::set_phase(PodId id, PodPhase phase, Time now) {
    Pod& pod = pods_[id];
    HEADROOM_CHECK(phase != PodPhase::scheduled && phase != PodPhase::gone,
                   "scheduled is bind's and gone is release's");
    HEADROOM_CHECK(pod.bound() && may_follow(pod.phase, phase), "a pod's phases are out of order");
    if (phase == PodPhase::container_start && pod.phase >= phase) ++pod.restarts;
    enter(pod, phase, now);
}

void Cluster::release(PodId id, Time now) {
    Pod& pod = pods_[id];
    HEADROOM_CHECK(pod.phase != PodPhase::gone, "a pod is released twice");
    if (pod.bound()) {
        Node& node = nodes_[pod.node];
        if (pod.holds_image) {
            node.images.release(artifact_of(*pod.spec, Artifact::image).name, now);
        }
        if (pod.holds_weights) {
            node.images.release(artifact_of(*pod.spec, Artifact::weights).name, now);
        }
        pod.holds_image = pod.holds_weights = false;
        node.usage.discharge(*pod.spec, pod.devices);
        pod.devices.clear();
        erase_sorted(node.pods, id);
        erase_sorted(bound_[pod.spec->owner], id);
        pod.node = NodeId::none();
    }
    enter(pod, PodPhase::gone, now);
}

bool Cluster::has_artifact(PodId id, Artifact artifact) const {
    const Pod& pod = pods_[id];
    HEADROOM_CHECK(pod.bound(), "a pod without a node has no cache");
    const ArtifactOnDisk wanted = artifact_of(*pod.spec, artifact);
    return wanted.name.empty() || nodes_[pod.node].images.contains(wanted.name);
}

HoldResult Cluster::hold(PodId id, Artifact artifact, Time now) {
    Pod& pod = pods_[id];
    HEADROOM_CHECK(pod.bound(), "a pod without a node has no cache");
    const ArtifactOnDisk wanted = artifact_of(*pod.spec, artifact);
    if (wanted.name.empty()) return HoldResult::nothing;
    bool& held = artifact == Artifact::image ? pod.holds_image : pod.holds_weights;
    if (held) return HoldResult::hit;  // a restarted container finds its image
    ImageCache& cache = nodes_[pod.node].images;
    if (cache.acquire(wanted.name, now)) {
        held = true;
        return HoldResult::hit;
    }
    if (!cache.insert(wanted.name, wanted.size, now)) return HoldResult::no_space;
    held = cache.acquire(wanted.name, now);
    return HoldResult::inserted;
}

NodeId Cluster::find_node(std::string_view name) const {
    const auto it = node_by_name_.find(name);
    return it == node_by_name_.end() ? NodeId::none() : it->second;
}

std::span<const PodId> Cluster::bound_pods(WorkloadId owner) const {
    const auto it = bound_.find(owner);
    return it == bound_.end() ? std::span<const PodId>() : it->second;
}

void Cluster::check_bound_pods() const {
    std::map<WorkloadId, std::vector<PodId>> bound;
    pods_.for_each([&](PodId id, const Pod& pod) {
        if (pod.bound()) bound[pod.spec->owner].push_back(id);
    });
    for (const auto& [owner, listed] : bound_) {
        HEADROOM_CHECK(bound[owner] == listed, "a workload's bound pods differ from its pods");
        bound.erase(owner);
    }
    HEADROOM_CHECK(bound.empty(), "a workload's bound pods are not listed");
}

void Cluster::check_conservation() const {
    check_bound_pods();
    nodes_.for_each([&](NodeId node_id, const Node& node) {
        Resources used;
        Resources scoring;
        std::vector<MilliGpu> milli(node.usage.devices().size());
        std::vector<Bytes> memory(milli.size());
        for (const PodId pod_id : node.pods) {
            const Pod& pod = pods_[pod_id];
            HEADROOM_CHECK(pod.node == node_id, "a node lists a pod of another");
            used += pod.spec->requests;
            scoring += scoring_requests(*pod.spec);
            for (const DeviceGrant& grant : pod.devices) {
                milli[static_cast<std::size_t>(grant.device)] += grant.milli;
                memory[static_cast<std::size_t>(grant.device)] += grant.memory;
            }
        }
        HEADROOM_CHECK(used == node.usage.used() && scoring == node.usage.scoring_used(),
                       "a node's sums differ from its pods");
        HEADROOM_CHECK(static_cast<std::int32_t>(node.pods.size()) == node.usage.pods(),
                       "a node's pod count differs from its pods");
        for (std::size_t i = 0; i < milli.size(); ++i) {
            const Device& device = node.usage.devices()[i];
            HEADROOM_CHECK(memory[i] == device.used_memory(), "a device's memory differs");
            HEADROOM_CHECK(milli[i] <= kWholeDevice, "a device is given out twice");
            HEADROOM_CHECK(
                device.slice_table() != nullptr || milli[i] == kWholeDevice - device.free_milli(),
                "a device's share differs from its pods");
        }
    });
}

}  // namespace headroom::cluster
