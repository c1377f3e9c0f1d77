/// Pods: what a workload asks for (PodSpec, plain data, shared by all its pods) and one pod's life
/// (Pod: phase, node, devices, times).
///
/// Phases go forward only (a step that has nothing to do may be skipped), except that a container
/// may be restarted: from container_start .. ready back to container_start, and that a drained pod
/// may be kept, loaded as it is: from draining back to warm_up. `gone` is the end.
///
/// Requests are already folded over containers as kube-scheduler does: the sum of the containers or
/// the peak of the init containers, whichever is more, plus the overhead; fold_requests does it.
/// `scoring_requests` is the same sum with 100 milli-cpu and 200 MiB for each container that states
/// no request, which is what LeastAllocated and its like count (kubernetes v1.28
/// pkg/scheduler/util/pod_resources.go and framework/plugins/noderesources/resource_allocation.go).
///
///     PodSpec spec{.name = "llm",
///                  .requests = {MilliCpu{4000}, gibibytes(64)},
///                  .devices = {.count = 8}};
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster/device.hpp"
#include "sim/cluster/ids.hpp"
#include "sim/cluster/labels.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::cluster {

struct Resources {
    MilliCpu cpu{};
    Bytes memory{};

    constexpr bool operator==(const Resources&) const = default;
    constexpr Resources& operator+=(const Resources& o) {
        cpu += o.cpu;
        memory += o.memory;
        return *this;
    }
    constexpr Resources& operator-=(const Resources& o) {
        cpu -= o.cpu;
        memory -= o.memory;
        return *this;
    }
};

inline constexpr MilliCpu kDefaultScoringCpu{100};
inline constexpr Bytes kDefaultScoringMemory = mebibytes(200);

/// One container's requests; an explicit zero is not "nothing".
struct ContainerRequests {
    std::optional<MilliCpu> cpu{};
    std::optional<Bytes> memory{};
};

struct FoldedRequests {
    Resources exact{};
    Resources scoring{};
};

[[nodiscard]] FoldedRequests fold_requests(std::span<const ContainerRequests> containers,
                                           std::span<const ContainerRequests> init_containers = {},
                                           const Resources& overhead = {});

enum class WhenUnsatisfiable : std::uint8_t { do_not_schedule, schedule_anyway };

/// Counts pods of the same owner and of `owners`, per value of the node label `topology_key`.
struct TopologySpread {
    std::int32_t max_skew = 1;
    std::string topology_key{};
    WhenUnsatisfiable when_unsatisfiable = WhenUnsatisfiable::do_not_schedule;
    std::int32_t min_domains = 1;
    std::vector<WorkloadId> owners{};  ///< empty: the pod's own workload
};

/// An image as the registry sends it, and as it lies on the node's disk.
struct ImageSpec {
    std::string name{};
    Bytes compressed{};
    Bytes on_disk{};  ///< 0: as compressed
};

struct WeightsSpec {
    std::string name{};
    Bytes size{};
};

struct PodSpec {
    std::string name{};
    WorkloadId owner{};
    Resources requests{};
    /// Not given: `requests` of one container, with the defaults where it is zero.
    std::optional<Resources> scoring_requests{};
    std::optional<Bytes> memory_limit{};  ///< a container that uses more is killed; nullopt: none
    DeviceRequest devices{};
    Labels labels{};
    Labels node_selector{};
    std::vector<SelectorTerm> required_affinity{};  ///< OR; empty = no wish
    std::vector<PreferredTerm> preferred_affinity{};
    std::vector<Toleration> tolerations{};
    std::vector<TopologySpread> topology_spread{};
    std::int32_t priority = 0;
    ImageSpec image{};
    WeightsSpec weights{};
};

[[nodiscard]] Resources scoring_requests(const PodSpec& spec);

enum class PodPhase : std::uint8_t {
    pending,
    scheduled,
    image_pull,
    container_start,
    weights_load,
    warm_up,
    ready,
    draining,
    gone,
};
inline constexpr std::size_t kPodPhases = 9;
[[nodiscard]] const char* to_string(PodPhase phase);
/// Whether a pod may go from one phase to the other (see above). pending -> scheduled is bind's.
[[nodiscard]] bool may_follow(PodPhase from, PodPhase to);

struct Pod {
    std::shared_ptr<const PodSpec> spec;
    std::uint32_t ordinal = 0;  ///< among the pods of its owner, as the owner counts them
    PodPhase phase = PodPhase::pending;
    NodeId node;
    std::vector<DeviceGrant> devices;
    /// When each phase was last entered; Time::max() = never. created = entered[pending].
    std::array<Time, kPodPhases> entered{};
    std::int32_t restarts = 0;
    bool holds_image = false;  ///< pinned in its node's cache, given back by Cluster::release
    bool holds_weights = false;

    [[nodiscard]] Time entered_at(PodPhase p) const { return entered[static_cast<std::size_t>(p)]; }
    [[nodiscard]] Time created() const { return entered_at(PodPhase::pending); }
    [[nodiscard]] bool bound() const { return node.valid(); }
};

}  // namespace headroom::cluster
