/// What the control plane is built from: plain data, filled by the scenario loader or a test, every
/// name resolved and every default in place. A workload is the set of pods behind one version of
/// one service (a Deployment); an instance of the data plane is one pod here (an instance that
/// spans several pods is not modelled).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/cluster/node.hpp"
#include "sim/cluster/pod.hpp"
#include "sim/control/deployment.hpp"
#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::control {

enum class InitialState : std::uint8_t { ready, cold };

/// A probe of the kubelet: at `initial_delay` after the container's start and each `period` from
/// then on. A server that is not up fails it, one that is passes.
struct ProbeSpec {
    Duration initial_delay = Duration::zero();
    Duration period = Duration::seconds(10);
    std::int64_t failure_threshold = 3;  ///< failures in a row that count
    std::int64_t success_threshold = 1;  ///< successes in a row that count; of readiness only
};

/// How a pod gets from scheduled to ready, and away again.
struct LifecycleSpec {
    Duration container_start = Duration::seconds(2);
    Duration warm_up = Duration::zero();  ///< after the weights: graph capture, compilation
    /// Rate of one image pull and of one weights load, at most (decompression, disk); links limit
    /// too.
    std::int64_t image_pull_bytes_per_s = 100'000'000;
    std::int64_t weights_load_bytes_per_s = 1'000'000'000;
    Duration readiness_delay =
        Duration::zero();  ///< ready until it is an endpoint: probes, propagation
    Duration termination_grace = Duration::seconds(30);  ///< then a draining pod is killed
    std::optional<ProbeSpec> startup{};   ///< the others wait for it; fails: the container restarts
    std::optional<ProbeSpec> liveness{};  ///< fails: the container restarts
    std::optional<ProbeSpec> readiness{};  ///< the pod is ready when it passes
};

/// How much CPU and memory a pod is seen to use, for resource metrics: base + per-unit shares.
struct UsageModel {
    MilliCpu cpu_idle{100};
    MilliCpu cpu_busy{1000};  ///< added in proportion to the instance's utilisation
    Bytes memory_idle = mebibytes(512);
    Bytes memory_per_in_flight{0};
};

/// Standby pods beside the active ones, loaded and without traffic (after EC2 Auto Scaling's warm
/// pools); warm_pool.hpp says what becomes of them.
struct WarmPoolSpec {
    std::int64_t size = 0;                   ///< pods that stand by; 0: there is no pool
    Duration activation = Duration::zero();  ///< of a loaded pod: from its promotion until it is up
    bool reuse_on_scale_in = false;          ///< pods that are scaled in go back to the pool
};

struct AutoscalerSpec {
    PolicyChoice policy;  ///< of family ScalingPolicy
    Duration phase;       ///< offset of its ticks
};

struct WorkloadSpec {
    std::string name;
    std::uint32_t service = 0;  ///< index in the data plane
    std::uint32_t version = 0;
    std::int64_t replicas = 1;
    DeploymentStrategy strategy;            ///< how a new revision replaces the old one
    Duration min_ready = Duration::zero();  ///< ready for this long: available
    cluster::PodSpec pod;                   ///< template; names the container, too
    /// What metrics and policies may call the container in every version of the service.
    std::string common_container_name = {};
    LifecycleSpec lifecycle;
    WarmPoolSpec warm_pool;
    UsageModel usage;
    std::vector<double> speed_by_rank;         ///< optional: speed factor of replica i modulo size
    std::optional<AutoscalerSpec> autoscaler;  ///< decides how many replicas
    std::optional<AutoscalerSpec> vertical_autoscaler;  ///< decides what its pods request
};

struct NodePoolSpec {
    std::string name;
    std::int64_t count = 1;
    cluster::NodeSpec node;          ///< template; the name gets "-<i>"
    std::vector<std::string> zones;  ///< nodes are dealt to them in turn; empty: "zone-a"
};

struct MetricsPipelineSpec {
    Duration scrape_interval = Duration::seconds(15);
    Duration scrape_phase;
    Duration delay = Duration::zero();        ///< from scrape to being visible
    Duration window = Duration::seconds(60);  ///< rates and averages span this
};

/// An event written in the scenario: what happens to the cluster at a time.
struct FaultSpec {
    enum class Kind : std::uint8_t {
        kill_instance,
        drain_instance,
        lose_node,
        restore_node,
        set_speed,
        restart_workload,
        crash_container
    };
    Time at;
    Kind kind = Kind::kill_instance;
    std::string target;      ///< a workload's or a node's name, as its kind wants
    std::int64_t index = 0;  ///< which of the workload's live pods, oldest first
    double speed = 1.0;      ///< of set_speed
    /// Of crash_container: how often, and how long after each further start of the container.
    std::int64_t times = 1;
    Duration after = Duration::zero();
};
struct FaultKind {
    FaultSpec::Kind kind;
    const char* name;  ///< in scenarios
    bool of_node;      ///< its target is a node, else a workload
};
inline constexpr std::array kFaultKinds = {
    FaultKind{FaultSpec::Kind::kill_instance, "kill_instance", false},
    FaultKind{FaultSpec::Kind::drain_instance, "drain_instance", false},
    FaultKind{FaultSpec::Kind::lose_node, "lose_node", true},
    FaultKind{FaultSpec::Kind::restore_node, "restore_node", true},
    FaultKind{FaultSpec::Kind::set_speed, "set_speed", false},
    FaultKind{FaultSpec::Kind::restart_workload, "restart_workload", false},
    FaultKind{FaultSpec::Kind::crash_container, "crash_container", false}};

struct ControlSpec {
    InitialState initial = InitialState::ready;
    /// UTC of Time::zero(), in seconds since 1970; nullopt: the run has no calendar.
    std::optional<std::int64_t> start_unix_s;
    std::vector<WorkloadSpec> workloads;
    std::vector<NodePoolSpec> pools;
    MetricsPipelineSpec metrics;
    PolicyChoice scheduling{"kube-default", {}};
    std::vector<FaultSpec> faults;
    /// Shared capacity of the registry and of the weights store, bytes/s; 0: not a limit.
    std::int64_t registry_bytes_per_s = 0;
    std::int64_t weights_store_bytes_per_s = 0;
};

}  // namespace headroom::control
