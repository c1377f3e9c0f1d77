#include "sim/control/scheduling_queue.hpp"

#include <algorithm>

namespace headroom::control {

Duration SchedulingQueue::backoff(std::int32_t attempts) {
    Duration wait = kInitialBackoff;
    for (std::int32_t i = 1; i < attempts && wait < kMaxBackoff; ++i) wait = wait * 2;
    return std::min(wait, kMaxBackoff);
}

SchedulingQueue::ActiveKey SchedulingQueue::key_of(PodId pod) const {
    const ManagedPod& managed = state_.managed(pod);
    return {-static_cast<std::int64_t>(state_.cluster.pod(pod).spec->priority), managed.queued_at,
            managed.serial, pod};
}

void SchedulingQueue::add(PodId pod) {
    state_.managed(pod).queued_at = state_.now;
    activate(pod);
}

void SchedulingQueue::activate(PodId pod) {
    state_.managed(pod).place = QueuePlace::active;
    active_.insert(key_of(pod));
    want_cycle();
}

void SchedulingQueue::want_cycle() {
    if (state_.queue.contains(cycle_)) return;
    cycle_ = state_.queue.push(control_key(state_.now, EventClass::scheduler_cycle, 0), {});
}

std::optional<PodId> SchedulingQueue::pop() {
    if (active_.empty()) return std::nullopt;
    const PodId pod = active_.begin()->pod;
    active_.erase(active_.begin());
    ManagedPod& managed = state_.managed(pod);
    managed.place = QueuePlace::none;
    ++managed.attempts;
    if (!active_.empty()) want_cycle();
    return pod;
}

void SchedulingQueue::add_unschedulable(PodId pod) {
    ManagedPod& managed = state_.managed(pod);
    managed.queued_at = state_.now;
    managed.place = QueuePlace::unschedulable;
    unschedulable_.emplace(managed.serial, pod);
    retry_at(pod, state_.now + kUnschedulableFlush);
}

void SchedulingQueue::remove(PodId pod) {
    ManagedPod& managed = state_.managed(pod);
    if (managed.place == QueuePlace::active) active_.erase(key_of(pod));
    if (managed.place == QueuePlace::unschedulable) unschedulable_.erase(managed.serial);
    managed.place = QueuePlace::none;
    state_.queue.cancel(managed.retry);
}

void SchedulingQueue::retry_unschedulable() {
    std::map<std::uint64_t, PodId> moved;
    moved.swap(unschedulable_);
    for (const auto& [serial, pod] : moved) {
        ManagedPod& managed = state_.managed(pod);
        state_.queue.cancel(managed.retry);
        const Time ready = managed.queued_at + backoff(managed.attempts);
        if (ready > state_.now) {
            managed.place = QueuePlace::backoff;
            retry_at(pod, ready);
        } else {
            activate(pod);
        }
    }
}

void SchedulingQueue::retry_due(PodId pod) {
    ManagedPod& managed = state_.managed(pod);
    if (managed.place == QueuePlace::unschedulable) unschedulable_.erase(managed.serial);
    activate(pod);
}

void SchedulingQueue::retry_at(PodId pod, Time at) {
    state_.managed(pod).retry =
        state_.queue.push(control_key(at, EventClass::queue_retry, pod.index), {pod.generation});
}

}  // namespace headroom::control
