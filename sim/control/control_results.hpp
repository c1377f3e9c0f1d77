/// What the control plane leaves behind: decisions with their reasons, replicas over time, pods by
/// phase, node and device time, cost and the parts of cold starts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/core/units.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::control {

/// One decision of an actor of the control plane. A change, or a wanted change that was blocked;
/// with all ticks asked for, also the ones that left things as they were.
struct Decision {
    enum class Outcome : std::uint8_t { changed, blocked, unchanged };
    /// What the subject is the name of; names of different kinds may be equal.
    enum class About : std::uint8_t { workload, pod, node };
    Time time;
    std::string actor;  ///< "hpa chat", "scheduler", "workload chat", "fault"
    std::string subject;
    Outcome outcome = Outcome::changed;
    std::int64_t before = 0;
    std::int64_t wanted = 0;
    std::int64_t after = 0;
    std::string reason;
    std::string inputs = {};  ///< what the actor looked at; empty where the reason says all
    About about = About::workload;
};

struct WorkloadResult {
    std::string name;
    std::uint32_t service = 0;
    metrics::TimeSeries ready_replicas;  ///< points at each change
    metrics::TimeSeries desired_replicas;
    std::int64_t scale_ups = 0;  ///< changes of the desired number
    std::int64_t scale_downs = 0;
    std::int64_t reversals = 0;  ///< a change opposite to the one before it
    std::int64_t pods_created = 0;
    std::int64_t pods_deleted = 0;
    std::int64_t pods_pending = 0;  ///< unscheduled at the end
    std::int64_t container_restarts = 0;
    TimeIntegral ready_replica_time;  ///< since measure_from
    TimeIntegral device_time;         ///< devices held by its pods, since measure_from
    Money cost;                       ///< its pods' share of node cost, since measure_from
    /// Sum over pods that became ready, by phase, and how many did. A pod of a warm pool counts
    /// from its promotion on, each time it is promoted.
    Duration pending_time, image_pull_time, container_start_time, weights_load_time, warm_up_time;
    std::int64_t pods_became_ready = 0;
    /// Of its warm pool: pods to stand by, 0 where there is none; how many were promoted, and went
    /// back to it; loaded pods over time and what pods cost while they stood by, since
    /// measure_from.
    std::int64_t warm_pool_size = 0;
    std::int64_t promotions = 0;
    std::int64_t returns = 0;
    TimeIntegral standby_loaded_time;
    Money standby_cost;
};

struct NodePoolResult {
    std::string name;
    std::int64_t nodes = 0;
    TimeIntegral node_time;
    TimeIntegral device_time;  ///< devices that exist
    TimeIntegral device_allocated_time;
    Money cost;
};

struct ControlResults {
    std::vector<WorkloadResult> workloads;
    std::vector<NodePoolResult> pools;
    std::vector<Decision> decisions;
    /// The pod of each instance of the data plane, by service and ordinal. A pod that becomes an
    /// endpoint again is another instance.
    std::vector<std::vector<std::string>> instance_pods;
    Money cost;  ///< all nodes, since measure_from
};

}  // namespace headroom::control
