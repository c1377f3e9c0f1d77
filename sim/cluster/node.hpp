/// Nodes: what a machine is (NodeSpec, plain data, may be shared by many), what is taken of it
/// (NodeUsage) and one machine's life (Node).
///
/// NodeUsage stands on its own so that a planner can ask about machines that do not exist yet, or
/// try a placement on a copy: NodeUsage{spec}.fits(pod) is about an empty machine of that kind.
/// Invariant: used <= allocatable, and each charge is undone by its discharge exactly.
///
/// fits() follows kube-scheduler (v1.28 framework/plugins): node state, taints, selector and
/// affinity stop at the first failure; resources (NodeResourcesFit) report everything that is
/// short. Spread constraints look beyond one node and are the scheduler's.
///
/// Rates are bytes/s, watts are milliwatts, money is micro-units an hour. fits is
/// O(taints * tolerations + affinity + devices).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster/device.hpp"
#include "sim/cluster/ids.hpp"
#include "sim/cluster/image_cache.hpp"
#include "sim/cluster/labels.hpp"
#include "sim/cluster/pod.hpp"

namespace headroom::cluster {

struct NodeResources {
    MilliCpu cpu{};
    Bytes memory{};
    std::int32_t max_pods = 110;  ///< kubelet's default
    bool operator==(const NodeResources&) const = default;
};

struct NodeSpec {
    static constexpr std::int64_t kUnlimitedRate = std::numeric_limits<std::int64_t>::max();

    std::string name{};
    std::string pool{};
    std::string instance_type{};
    NodeResources capacity{};
    NodeResources allocatable{};  ///< what pods may request: capacity less what the system keeps
    std::vector<DeviceSpec> devices{};
    Labels labels{};
    std::vector<Taint> taints{};
    Money price_per_hour{};
    std::int64_t idle_milliwatts = 0;  ///< of the host, without its devices
    std::int64_t peak_milliwatts = 0;
    std::int64_t nic_bytes_per_s = 1'250'000'000;
    std::int64_t disk_bytes_per_s = kUnlimitedRate;  ///< reading weights that are on the disk
    std::int64_t pull_bytes_per_s = kUnlimitedRate;  ///< of a pull: decompression and writing
    Bytes image_cache_capacity = ImageCache::kUnlimited;
};

/// The value of a label, empty when the node does not have it.
[[nodiscard]] const std::string& label(const NodeSpec& spec, std::string_view key);

/// A pool's nodes are ready or lost; `starting` and `cordoned` are for whoever provisions or drains
/// them.
enum class NodeState : std::uint8_t { starting, ready, cordoned, lost };
[[nodiscard]] const char* to_string(NodeState state);

enum class FitReason : std::uint16_t {
    node_starting = 1U << 0,
    cordoned = 1U << 1,
    lost = 1U << 2,
    taint = 1U << 3,
    node_selector = 1U << 4,
    node_affinity = 1U << 5,
    pods = 1U << 6,          ///< max_pods is reached
    cpu = 1U << 7,           ///< too little is free
    memory = 1U << 8,        ///< too little is free
    devices = 1U << 9,       ///< too few are free
    device_kind = 1U << 10,  ///< too few of that model, sharing mode or profile, even if empty
    no_node = 1U << 11,      ///< the cluster has none
};
inline constexpr std::uint16_t kFitReasons = 12;
[[nodiscard]] const char* to_string(FitReason reason);

/// Why a pod does not fit; no reason means that it does.
class Fit {
  public:
    constexpr Fit() = default;
    constexpr explicit Fit(FitReason reason) { add(reason); }
    [[nodiscard]] constexpr bool ok() const { return mask_ == 0; }
    [[nodiscard]] constexpr bool has(FitReason r) const {
        return (mask_ & static_cast<std::uint16_t>(r)) != 0;
    }
    constexpr void add(FitReason r) {
        mask_ = static_cast<std::uint16_t>(mask_ | static_cast<std::uint16_t>(r));
    }
    constexpr void add(const Fit& o) { mask_ = static_cast<std::uint16_t>(mask_ | o.mask_); }
    /// The reasons in the order of the enum, "insufficient cpu, insufficient memory".
    [[nodiscard]] std::string text() const;
    constexpr bool operator==(const Fit&) const = default;

  private:
    std::uint16_t mask_ = 0;
};

class NodeUsage {
  public:
    /// An empty machine. Its devices keep the spec alive.
    explicit NodeUsage(const std::shared_ptr<const NodeSpec>& spec);

    /// Resources and devices only.
    [[nodiscard]] Fit fits(const PodSpec& pod) const;
    /// The lowest devices on which the request fits; false when there are too few.
    [[nodiscard]] bool first_fit_devices(const DeviceRequest& request,
                                         std::vector<DeviceChoice>& out) const;
    /// Whether these choices, one for each unit of the request, can be granted together.
    [[nodiscard]] bool can_grant(const DeviceRequest& request,
                                 std::span<const DeviceChoice> choices) const;

    /// Takes what the pod asks for; appends its grants. Must fit (CHECK).
    void charge(const PodSpec& pod, std::span<const DeviceChoice> choices,
                std::vector<DeviceGrant>& grants);
    void discharge(const PodSpec& pod, std::span<const DeviceGrant> grants);

    [[nodiscard]] const NodeResources& allocatable() const { return spec_->allocatable; }
    [[nodiscard]] const Resources& used() const { return used_; }
    /// With the defaults for containers without a request: for scoring, may exceed allocatable.
    [[nodiscard]] const Resources& scoring_used() const { return scoring_used_; }
    [[nodiscard]] Resources free() const {
        return {spec_->allocatable.cpu - used_.cpu, spec_->allocatable.memory - used_.memory};
    }
    [[nodiscard]] std::int32_t pods() const { return pods_; }
    [[nodiscard]] const std::vector<Device>& devices() const { return devices_; }
    [[nodiscard]] MilliGpu free_milli() const;

    bool operator==(const NodeUsage&) const = default;

  private:
    [[nodiscard]] Fit fits_devices(const DeviceRequest& request) const;
    /// Units of the request that fit, at most its count; their choices where `out` is given.
    std::int32_t place_devices(const DeviceRequest& request, std::vector<DeviceChoice>* out) const;

    std::shared_ptr<const NodeSpec> spec_;
    Resources used_;
    Resources scoring_used_;
    std::int32_t pods_ = 0;
    std::vector<Device> devices_;
};

struct Node {
    explicit Node(std::shared_ptr<const NodeSpec> node_spec);

    std::shared_ptr<const NodeSpec> spec;
    NodeState state = NodeState::ready;
    Time created;
    Time ready_since = Time::max();  ///< first ready; Time::max() = not yet
    NodeUsage usage;
    std::vector<PodId> pods;  ///< bound here, in id order
    ImageCache images;
};

/// Taints, selector and affinity.
[[nodiscard]] Fit fits_placement(const PodSpec& pod, const NodeSpec& spec);
/// Everything that one node decides.
[[nodiscard]] Fit fits(const PodSpec& pod, const Node& node);
/// Whether an empty, ready machine of this kind could hold the pod.
[[nodiscard]] Fit could_ever_fit(const PodSpec& pod, const std::shared_ptr<const NodeSpec>& spec);

}  // namespace headroom::cluster
