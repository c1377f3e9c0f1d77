/// ControlState: the records that the parts of the control plane share (pods, workloads, the queue,
/// the cluster, the network) and the small bookkeeping that keeps them consistent. The parts
/// (scheduler, lifecycle, workload controller, ...) talk through it and through events, so that
/// none needs to know who acts on what it did.
///
/// A pod is one cluster::Pod (where it is and what it holds) and one ManagedPod (what the control
/// plane remembers of it), both named by its cluster::PodId. Invariants: Workload::pods lists the
/// pods that are not gone, in creation order; active = those not being deleted; ready = those of
/// them in phase ready; ordinals of instances count up per service and are never used again. Pods
/// of a warm pool stand in Workload::standby instead, so that nobody takes them for active ones;
/// loaded = those of them that could be promoted at once. Workload::sets has the newest replica set
/// last; without a rollout there is one, and all active pods are its.
///
/// Integrals and cost count from `measure_from` on.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/control/control_event.hpp"
#include "sim/control/control_results.hpp"
#include "sim/control/control_spec.hpp"
#include "sim/control/decision_log.hpp"
#include "sim/control/deployment.hpp"
#include "sim/control/oom_kill.hpp"
#include "sim/control/restart_backoff.hpp"
#include "sim/core/time.hpp"
#include "sim/network/flow_network.hpp"
#include "sim/serving/data_plane.hpp"

namespace headroom::control {

using cluster::NodeId;
using cluster::PodId;

/// Where a pending pod is in the scheduling queue.
enum class QueuePlace : std::uint8_t { none, active, backoff, unschedulable };

/// The stages of a start, whose times are summed: indices into ManagedPod::stage_times.
enum class StartStage : std::uint8_t {
    pending,
    image_pull,
    container_start,
    weights_load,
    warm_up
};
inline constexpr std::size_t kStartStages = 5;

struct ManagedPod {
    std::string name;
    std::uint64_t uid = 0;       ///< hash of the name: as random as Kubernetes', and reproducible
    std::uint64_t serial = 0;    ///< over all pods, in creation order
    std::uint64_t sequence = 0;  ///< among the workload's pods, in creation order
    std::uint32_t workload = 0;
    std::uint32_t revision = 1;  ///< of the template that it was made from: its replica set
    bool deleted = false;        ///< has a deletion time
    bool warm_start = false;     ///< ready at time 0 by ControlSpec::initial
    bool has_started = false;    ///< was ready once: a restart of its container is no start of it
    Time bound_at = Time::max();
    Time stage_since;
    Time container_started = Time::max();
    Time ready_since = Time::max();
    Time unready_since = Time::max();  ///< was ready until then; max: never was
    Time endpoint_since = Time::max();
    Time loaded_at = Time::max();  ///< when its server is up; max: not known before its warm-up
    std::int64_t ordinal = -1;     ///< of its instance; -1: it is no endpoint
    serving::SpeedPpm speed = serving::kNominalSpeed;
    std::array<Duration, kStartStages> stage_times{};
    EventHandle step;      ///< the end of its stage
    EventHandle grace;     ///< the end of its termination grace
    EventHandle probe;     ///< when its startup or liveness probe has failed too often
    EventHandle crash;     ///< its next crash that was asked for
    EventHandle eviction;  ///< the end of its tolerations
    RestartBackoff backoff;
    std::int64_t crashes_left = 0;  ///< asked for, each `crash_after` a start of the container
    Duration crash_after;
    bool drained = false;             ///< its instance is gone from the data plane, unheard as yet
    bool over_memory = false;         ///< its container uses more than its limit: killed at once
    std::optional<OomKill> oom_kill;  ///< the last one

    bool standby = false;   ///< in its workload's warm pool
    bool loaded = false;    ///< of a standby pod: it waits for its promotion
    bool returns = false;   ///< scaled in: goes to the warm pool once it is drained, if it may
    Time standby_since;     ///< of a standby pod; of a promoted one: since when it is none
    Duration standby_time;  ///< measured, with a node; without the present stay in the pool

    QueuePlace place = QueuePlace::none;
    std::int32_t attempts = 0;  ///< scheduling cycles it went through
    Time queued_at;             ///< entered the active queue, or failed
    EventHandle retry;          ///< the end of its backoff, or of its time as unschedulable
    std::string last_failure;   ///< the reason that was recorded last
};

/// A factor of nominal speed in parts per million, to the nearest, at least 1.
[[nodiscard]] serving::SpeedPpm speed_ppm(double factor);

/// The pods of one revision of a workload's template.
struct ReplicaSet {
    std::uint32_t revision = 1;
    ReplicaSetState state;
};

/// The way of a workload from one revision to the next.
struct Rollout {
    std::uint32_t revision = 0;  ///< where it leads
    Time began;
    Time progressed;          ///< when it was last seen to come nearer to its end
    bool overdue = false;     ///< no progress for too long: recorded
    DeploymentStatus status;  ///< as last seen
    EventHandle available;    ///< the next ready pod becomes available
    EventHandle deadline;     ///< the progress deadline
};

struct Workload {
    const WorkloadSpec* spec = nullptr;
    std::uint32_t index = 0;
    std::shared_ptr<const cluster::PodSpec> pod_template;
    std::int64_t desired = 0;
    std::vector<PodId> pods;
    std::vector<PodId> standby;  ///< of the warm pool, in the order in which they came to it
    std::uint64_t next_sequence = 0;
    std::uint64_t version = 0;  ///< changes with whatever an autoscaler sees of the pods
    std::int64_t active = 0;
    std::vector<ReplicaSet> sets;
    std::uint32_t template_revision = 1;  ///< counts up with each restart
    std::optional<Rollout> rollout;
    bool reconcile_queued = false;
    bool warm_pool_queued = false;
    int last_direction = 0;  ///< of the last change of `desired`: +1, -1; 0: none yet
    std::int64_t ready = 0;
    Time ready_changed;  ///< since when `ready` is what it is
    std::int64_t loaded = 0;
    Time loaded_changed;  ///< likewise
    Int128 device_milli_time = 0;
    Int128 cost_numerator = 0;          ///< micro-units an hour, times ps
    Int128 standby_cost_numerator = 0;  ///< of it what its pods cost while they stood by
    WorkloadResult result;
};

/// What the parts share; see the head of this file.
struct ControlState {
    ControlState(const ControlSpec& control_spec, serving::DataPlane& plane, std::uint64_t run_seed,
                 Time measured_from, bool record_all_decisions);
    ControlState(const ControlState&) = delete;
    ControlState& operator=(const ControlState&) = delete;

    [[nodiscard]] ManagedPod& managed(PodId id) { return managed_pods[id.index]; }
    [[nodiscard]] const ManagedPod& managed(PodId id) const { return managed_pods[id.index]; }
    [[nodiscard]] Workload& workload_of(const ManagedPod& pod) { return workloads[pod.workload]; }
    [[nodiscard]] serving::InstanceKey instance_key(const ManagedPod& pod) const;
    /// Whether its phase in Kubernetes is Running: its container has started once. One that waits
    /// for its restart is so too (kubernetes v1.28 pkg/kubelet/kubelet_pods.go, getPhase).
    [[nodiscard]] bool is_running(PodId id) const;

    /// The part of [from, to] that is measured.
    [[nodiscard]] Duration measured(Time from, Time to) const;

    /// A decision about the pod at this instant, to be filled in and recorded.
    [[nodiscard]] Decision pod_decision(std::string actor, const ManagedPod& pod) const;

    /// Has the workload create or delete pods at this instant, after what else happens in it.
    void request_reconcile(Workload& workload);
    /// Has unschedulable pods try again at this instant.
    void announce_room();
    void set_ready(Workload& workload, std::int64_t delta);
    void set_loaded(Workload& workload, std::int64_t delta);
    /// Has the warm pool of the workload, where it has one, looked after at this instant.
    void request_warm_pool(Workload& workload);
    /// Adds the time that a standby pod with a node has stood by to its standby_time.
    void settle_standby(ManagedPod& pod) const;
    /// Books what a pod held since it was bound: devices, and its share of the node's price (of its
    /// devices where the node has any, else the greater of its shares of CPU and memory). What no
    /// pod holds is nobody's cost.
    void account_pod(PodId id, ManagedPod& pod, Workload& workload);

    const ControlSpec spec;
    serving::DataPlane& data_plane;
    const std::uint64_t seed;
    const Time measure_from;
    Time now;
    ControlQueue queue;
    cluster::Cluster cluster;
    network::FlowNetwork network;
    DecisionLog decisions;
    std::vector<Workload> workloads;
    std::deque<ManagedPod> managed_pods;  ///< by index of the pod's id
    std::uint64_t next_serial = 0;
    std::map<serving::InstanceKey, PodId> instances;      ///< those that are in the data plane
    std::vector<std::vector<std::string>> instance_pods;  ///< names, by service and ordinal
    std::vector<Int128> node_device_milli_time;           ///< by index of the node: handed out
    bool room_announced = false;
};

}  // namespace headroom::control
