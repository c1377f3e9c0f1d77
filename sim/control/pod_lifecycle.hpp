/// PodLifecycle: takes a pod from creation to gone, and its instance in and out of the data plane.
///
///     pending -> scheduled -> image_pull -> container_start -> weights_load -> warm_up -> ready
///             -> (readiness_delay) endpoint -> draining -> gone
///
/// A container that ends (a crash, a kill for memory, a startup or liveness probe that failed too
/// often) is started again in its pod after its back-off (restart_backoff.hpp): its instance is
/// killed, its requests are lost, and it goes through container_start once more. With a readiness
/// probe the warm-up lasts until that passes. Restarts before a pod was ready are part of its
/// start, their back-off of the container's; later ones are none.
///
/// The scheduler ends `pending`. Images and weights that lie in the node's cache are not moved:
/// an image costs nothing then, weights load from the disk at the slower of load rate and disk.
/// What is not there comes over the network (artifact_fetcher.hpp) and is cached, as far as it
/// fits. A stage that takes no time is passed at once.
///
/// Ready is the pod's condition; it becomes an endpoint (DataPlane::add_instance) `readiness_delay`
/// later. Deletion takes the endpoint away at once and drains the instance; the pod is gone when
/// the data plane says `drained`, or when its termination grace ends and the instance is killed. A
/// pod that is not an endpoint has nothing to finish and is gone at once. A lost pod (killed, or
/// its node is gone) leaves without draining.
///
/// A pod of a warm pool is one that stops short of the end: when its server is up it stays in
/// warm_up, loaded, and goes on when it is promoted; warm_pool.hpp has the rules.
///
/// When a pod is gone its node has room: unschedulable pods try again, and its workload reconciles.
/// During a rollout it does so for every pod that becomes ready, too.
/// The times of the start stages are summed per workload when a pod becomes ready; pods ready from
/// the beginning had no start and do not count. Each call is O(log pods) plus the cluster's work.
#pragma once

#include <string>

#include "sim/control/artifact_fetcher.hpp"
#include "sim/control/control_state.hpp"
#include "sim/control/scheduling_queue.hpp"

namespace headroom::control {

class PodLifecycle {
  public:
    PodLifecycle(ControlState& state, SchedulingQueue& queue, ArtifactFetcher& fetcher)
        : state_(state), queue_(queue), fetcher_(fetcher) {}

    /// A new pending pod of a revision of the workload, in the scheduling queue.
    PodId create(Workload& workload, std::uint32_t revision);
    /// A bound pod that has been ready for long: cached, an endpoint, now; a standby pod: loaded.
    void start_warm(PodId pod);

    /// The event pod_step: its stage has ended.
    void step(PodId pod);
    /// The event pod_step of its tolerations: deleted in order.
    void toleration_ended(PodId pod);
    /// The event pod_step of its grace: killed.
    void grace_ended(PodId pod);
    /// The event flow_finish.
    void transfers_finished();
    /// The data plane has drained its instance.
    void drained(PodId pod);
    /// Its instance has more requests in flight than its memory limit bears: its container is
    /// killed.
    void out_of_memory(PodId pod);

    /// Deletes a pod in order: its endpoint goes at once.
    void remove(PodId pod);
    /// The workload has become smaller: deletes the pod, or has it drained for the warm pool.
    void scale_in(PodId pod);
    /// The pod is no more: its instance is killed.
    void lose(PodId pod);
    void set_speed(PodId pod, serving::SpeedPpm speed);

    /// The pod's container ends, and `times - 1` times more, each `after` its start.
    void crash(PodId pod, std::int64_t times, Duration after);
    /// The events pod_step of a crash to come, and of a probe.
    void crash_again(PodId pod);
    void probe_failed(PodId pod);

    // pod_standby.cpp
    /// A new pod of the warm pool.
    PodId create_standby(Workload& workload, std::uint32_t revision);
    /// A standby pod becomes an active one.
    void promote(PodId pod);
    /// Deletes a standby pod.
    void dismiss(PodId pod, const std::string& why);

  private:
    void advance(PodId pod);
    /// Begin a stage; whether it has ended already.
    bool begin_image_pull(PodId pod, ManagedPod& managed);
    bool begin_weights_load(PodId pod, ManagedPod& managed);
    bool wait(PodId pod, ManagedPod& managed, Duration duration);
    bool begin_warm_up(PodId pod, ManagedPod& managed);
    void begin_probes(PodId pod, ManagedPod& managed);
    /// A node with NoExecute taints is borne for a while only.
    void bear_taints(PodId pod, ManagedPod& managed);
    void restart(PodId pod, const std::string& why);
    /// Whether the data plane has its instance.
    [[nodiscard]] static bool is_served(const ManagedPod& managed) {
        return managed.ordinal >= 0 && !managed.drained;
    }
    void kill_instance(const ManagedPod& managed);
    [[nodiscard]] std::optional<std::int64_t> memory_threshold(PodId pod) const;
    bool kill_when_idle(PodId pod);
    void kill_for_memory(PodId pod, std::int64_t in_flight);
    void end_stage(ManagedPod& managed, StartStage stage);
    void become_ready(PodId pod, ManagedPod& managed);
    void become_endpoint(PodId pod, ManagedPod& managed);
    void leave_ready(PodId pod, ManagedPod& managed);
    void finish(PodId pod);
    PodId add_pod(Workload& workload, std::uint32_t revision);
    /// When the pod is ready whose server is up from `up` on.
    [[nodiscard]] Time ready_from(const ManagedPod& managed, Time up) const;

    // pod_standby.cpp
    void stand_by(PodId pod, ManagedPod& managed);
    void leave_loaded(ManagedPod& managed);
    [[nodiscard]] bool may_return(PodId pod) const;
    void return_to_pool(PodId pod);
    void finish_or_return(PodId pod);
    /// `change`: of the number of pods in the pool, +1, 0 or -1.
    void record_standby(const ManagedPod& managed, std::int64_t change, std::string reason);

    ControlState& state_;
    SchedulingQueue& queue_;
    ArtifactFetcher& fetcher_;
};

}  // namespace headroom::control
