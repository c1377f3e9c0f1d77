/// The events of the control plane and their order at one instant.
///
/// The control queue is ordered by (time, class, entity, ordinal). An event handled at t may put
/// another one at t into the queue, of an earlier class too (a pod bound at t starts at t): it runs
/// next. All entities are indices given in a deterministic order, so no insertion order decides.
#pragma once

#include <cstdint>

#include "sim/core/event_queue.hpp"

namespace headroom::control {

/// In the order in which they run at one instant.
enum class EventClass : unsigned {
    fault,            ///< first: what is lost at t takes no part in anything else at t
    flow_finish,      ///< before anything that starts flows: the network must not be behind its
                      ///< finishes
    notification,     ///< drained instances free their devices before anybody looks for room, and
                      ///< what is out of memory takes no part in what follows
    pod_step,         ///< pods move on before they are scraped, counted or deleted
    scrape,           ///< before the autoscalers, so that a tick sees a sample of its own instant
    observation,      ///< what autoscalers sample themselves; likewise
    autoscaler,       ///< before the workloads, so that a decision acts at its own instant
    reconcile,        ///< creates and deletes pods: after all that changed or lost some
    warm_pool,        ///< standby pods come after the active ones of all workloads
    cluster_changed,  ///< once an instant, after all that freed room: unschedulable pods try again
    queue_retry,      ///< backoff ended or waited too long: in the active queue before the cycles
    scheduler_cycle,  ///< last: sees every pod and all the room of the instant
};

/// What the entity and ordinal of an event's key mean:
///   fault            index in ControlSpec::faults
///   flow_finish      0: one event, at the network's next finish
///   notification     index of the pod; ordinal 0: it has drained, 1: it is out of memory
///   pod_step         index of the pod; ordinal 0: its stage ends, 1: its termination grace ends,
///                    2: a probe has failed too often, 3: its container crashes, 4: it bears a
///                    taint of its node no longer
///   scrape           0
///   observation      index of the autoscaler
///   autoscaler       index of the autoscaler; ordinal 0: its period, 1: woken by a waiting request
///   reconcile        index of the workload; ordinal 0: something changed, 1: in a rollout a pod
///                    became available, 2: the rollout's progress deadline
///   warm_pool        index of the workload
///   cluster_changed  0
///   queue_retry      index of the pod
///   scheduler_cycle  0
/// The payload is the generation of the pod's id, where the entity is a pod.
struct ControlEvent {
    std::uint32_t generation = 0;
};

inline constexpr std::uint64_t kMemoryOrdinal = 1;     ///< of notification
inline constexpr std::uint64_t kGraceOrdinal = 1;      ///< of pod_step
inline constexpr std::uint64_t kProbeOrdinal = 2;      ///< likewise
inline constexpr std::uint64_t kCrashOrdinal = 3;      ///< likewise
inline constexpr std::uint64_t kEvictionOrdinal = 4;   ///< likewise
inline constexpr std::uint64_t kWakeOrdinal = 1;       ///< of autoscaler
inline constexpr std::uint64_t kAvailableOrdinal = 1;  ///< of reconcile
inline constexpr std::uint64_t kDeadlineOrdinal = 2;   ///< of reconcile

using ControlQueue = EventQueue<ControlEvent>;

[[nodiscard]] inline EventKey control_key(Time time, EventClass event_class, std::uint64_t entity,
                                          std::uint64_t ordinal = 0) {
    return EventKey::make(time, static_cast<unsigned>(event_class), entity, ordinal);
}

}  // namespace headroom::control
