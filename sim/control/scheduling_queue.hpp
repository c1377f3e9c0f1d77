/// SchedulingQueue: which pending pod the scheduler tries next, after kube-scheduler's three
/// queues.
///
/// active: by priority, then by when the pod came into the queue, then by creation. A pod that does
/// not fit becomes unschedulable; when something happens that may help (room appeared), or after
/// 5 min, it goes back to active, through backoff if its last failure is too fresh: 1 s after the
/// first attempt, doubling to 10 s. Source: kubernetes v1.28
/// pkg/scheduler/internal/queue/scheduling_queue.go (calculateBackoffDuration,
/// MoveAllToActiveOrBackoffQueue, flushUnschedulablePodsLeftover). Kubernetes looks for ended
/// backoffs each second and for leftovers each 30 s; here both happen at their exact time.
///
/// Every pod is in one place at most. O(log pods) an operation, O(unschedulable pods) for
/// retry_unschedulable. When a pod enters active, an event scheduler_cycle is in the control queue.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "sim/control/control_state.hpp"

namespace headroom::control {

class SchedulingQueue {
  public:
    static constexpr Duration kInitialBackoff = Duration::seconds(1);
    static constexpr Duration kMaxBackoff = Duration::seconds(10);
    static constexpr Duration kUnschedulableFlush = Duration::minutes(5);

    explicit SchedulingQueue(ControlState& state) : state_(state) {}

    /// A new pod: active.
    void add(PodId pod);
    /// Takes the first active pod out; its attempt counts.
    [[nodiscard]] std::optional<PodId> pop();
    /// The pod that was popped did not fit.
    void add_unschedulable(PodId pod);
    /// The pod is deleted: out of wherever it is.
    void remove(PodId pod);
    /// Something happened that may help.
    void retry_unschedulable();
    /// The event queue_retry of a pod: its backoff, or its time as unschedulable, has ended.
    void retry_due(PodId pod);

    [[nodiscard]] bool has_active() const { return !active_.empty(); }
    /// The time from a failure to the next attempt, at least.
    [[nodiscard]] static Duration backoff(std::int32_t attempts);

  private:
    struct ActiveKey {
        std::int64_t negative_priority;
        Time queued_at;
        std::uint64_t serial;
        PodId pod;
        auto operator<=>(const ActiveKey&) const = default;
    };
    [[nodiscard]] ActiveKey key_of(PodId pod) const;
    void activate(PodId pod);
    void retry_at(PodId pod, Time at);
    void want_cycle();

    ControlState& state_;
    std::set<ActiveKey> active_;
    std::map<std::uint64_t, PodId> unschedulable_;  ///< by creation
    EventHandle cycle_;
};

}  // namespace headroom::control
