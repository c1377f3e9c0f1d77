// How a pod's container ends and starts again: the part of PodLifecycle that plays the kubelet's
// probes and its back-off, and the kernel's kills for memory.

#include <fmt/format.h>

#include <algorithm>

#include "sim/control/out_of_memory.hpp"
#include "sim/control/pod_lifecycle.hpp"

namespace headroom::control {

using Phase = cluster::PodPhase;

namespace {

/// When a container started whose pod was ready from the beginning.
constexpr Time kLongAgo = Time::picoseconds(-1);

/// `times` periods later, but never past Time::max(): a probe may be allowed to fail for ever.
Time later_by(Time time, Duration period, std::int64_t times) {
    const Int128 ps = static_cast<Int128>(period.ps()) * times;
    if (ps >= Duration::max().ps()) return Time::max();
    return time.later_by(Duration::picoseconds(static_cast<std::int64_t>(ps)));
}

/// When a probe of a container that started at `started` runs first at or after `time`.
Time first_run(const ProbeSpec& probe, Time started, Time time) {
    const Time first = started.later_by(probe.initial_delay);
    if (time <= first) return first;
    const Duration since = time - first;
    const std::int64_t runs = since / probe.period + (since % probe.period > Duration() ? 1 : 0);
    return later_by(first, probe.period, runs);
}

/// When a probe that never passed has failed too often.
Time gives_up(const ProbeSpec& probe, Time started) {
    return later_by(started.later_by(probe.initial_delay), probe.period,
                    probe.failure_threshold - 1);
}

/// What a stage that a restart cut short counts as.
StartStage stage_of(Phase phase) {
    if (phase == Phase::weights_load) return StartStage::weights_load;
    return phase == Phase::warm_up ? StartStage::warm_up : StartStage::container_start;
}

}  // namespace

/// Until the server is up, a startup probe fails, or without one a liveness probe.
void PodLifecycle::begin_probes(PodId id, ManagedPod& pod) {
    const LifecycleSpec& spec = state_.workload_of(pod).spec->lifecycle;
    const std::optional<ProbeSpec>& probe = spec.startup ? spec.startup : spec.liveness;
    if (probe) {
        const Time at = gives_up(*probe, pod.container_started);
        pod.probe = state_.queue.push(
            control_key(at, EventClass::pod_step, id.index, kProbeOrdinal), {id.generation});
    }
    if (pod.crashes_left > 0) {
        const Time at = pod.container_started.later_by(pod.crash_after);
        pod.crash = state_.queue.push(
            control_key(at, EventClass::pod_step, id.index, kCrashOrdinal), {id.generation});
    }
}

/// The server will be up once it is warm: which probes pass is known from here.
bool PodLifecycle::begin_warm_up(PodId id, ManagedPod& pod) {
    const LifecycleSpec& spec = state_.workload_of(pod).spec->lifecycle;
    const Time up = state_.now.later_by(spec.warm_up);
    pod.loaded_at = up;
    if (spec.startup) {
        pod.loaded_at = std::max(up, first_run(*spec.startup, pod.container_started, up));
    }
    // A standby pod takes no traffic: whether it is ready is asked when it is promoted.
    const Time ready = pod.standby ? pod.loaded_at : ready_from(pod, pod.loaded_at);
    const std::optional<ProbeSpec>& probe = spec.startup ? spec.startup : spec.liveness;
    if (probe && up <= gives_up(*probe, pod.container_started)) {
        state_.queue.cancel(pod.probe);
        pod.probe = {};
    }
    return wait(id, pod, ready - state_.now);
}

Time PodLifecycle::ready_from(const ManagedPod& pod, Time up) const {
    const std::optional<ProbeSpec>& probe =
        state_.workloads[pod.workload].spec->lifecycle.readiness;
    if (!probe) return up;
    return later_by(first_run(*probe, pod.container_started, up), probe->period,
                    probe->success_threshold - 1);
}

void PodLifecycle::probe_failed(PodId id) {
    ManagedPod& pod = state_.managed(id);
    pod.probe = {};
    const LifecycleSpec& spec = state_.workload_of(pod).spec->lifecycle;
    const ProbeSpec& probe = spec.startup ? *spec.startup : *spec.liveness;
    restart(id, fmt::format("{} probe failed {} times, {:g} s after the container's start",
                            spec.startup ? "startup" : "liveness", probe.failure_threshold,
                            (state_.now - pod.container_started).to_seconds()));
}

void PodLifecycle::crash(PodId id, std::int64_t times, Duration after) {
    ManagedPod& pod = state_.managed(id);
    state_.queue.cancel(pod.crash);
    pod.crashes_left = times;
    pod.crash_after = after;
    crash_again(id);
}

void PodLifecycle::crash_again(PodId id) {
    ManagedPod& pod = state_.managed(id);
    pod.crash = {};
    if (pod.container_started > state_.now) return;  // nothing runs: after its next start
    --pod.crashes_left;
    restart(id, "container crashed");
}

std::optional<std::int64_t> PodLifecycle::memory_threshold(PodId id) const {
    const std::optional<Bytes>& limit = state_.cluster.pod(id).spec->memory_limit;
    if (!limit) return std::nullopt;
    return in_flight_over(state_.workload_of(state_.managed(id)).spec->usage, *limit);
}

/// A container that uses too much without a request is killed as soon as it has started.
bool PodLifecycle::kill_when_idle(PodId id) {
    if (memory_threshold(id) != 0) return false;
    if (state_.cluster.pod(id).phase < Phase::container_start) {  // at a warm start
        state_.cluster.set_phase(id, Phase::container_start, state_.now);
    }
    kill_for_memory(id, 0);
    return true;
}

void PodLifecycle::out_of_memory(PodId id) {
    if (!state_.managed(id).over_memory) return;  // something else of this instant was first
    kill_for_memory(id, *memory_threshold(id));
}

void PodLifecycle::kill_for_memory(PodId id, std::int64_t in_flight) {
    ManagedPod& pod = state_.managed(id);
    const cluster::PodSpec& spec = *state_.cluster.pod(id).spec;
    pod.oom_kill = OomKill{.at = state_.now,
                           .started = pod.warm_start ? kLongAgo : pod.container_started,
                           .memory_milli = spec.requests.memory.count() * 1000};
    restart(id,
            out_of_memory_text(state_.workload_of(pod).spec->usage, *spec.memory_limit, in_flight));
}

/// The container has ended. A pod that is being deleted needs it no more.
void PodLifecycle::restart(PodId id, const std::string& why) {
    ManagedPod& pod = state_.managed(id);
    Workload& workload = state_.workload_of(pod);
    kill_instance(pod);
    if (pod.deleted) return finish(id);
    for (EventHandle* handle : {&pod.step, &pod.probe, &pod.crash}) {
        state_.queue.cancel(*handle);
        *handle = {};
    }
    fetcher_.leave(id);
    leave_ready(id, pod);
    leave_loaded(pod);
    if (pod.ordinal >= 0) state_.instances.erase(state_.instance_key(pod));
    pod.ordinal = -1;
    pod.over_memory = false;
    pod.container_started = pod.ready_since = pod.endpoint_since = Time::max();
    pod.loaded_at = Time::max();
    end_stage(pod, stage_of(state_.cluster.pod(id).phase));
    pod.warm_start = false;
    ++workload.version;
    ++workload.result.container_restarts;
    state_.cluster.set_phase(id, Phase::container_start, state_.now);
    if (workload.rollout) state_.request_reconcile(workload);

    const Duration back_off = pod.backoff.restart_at(state_.now) - state_.now;
    Decision decision = state_.pod_decision("kubelet", pod);
    decision.before = state_.cluster.pod(id).restarts - 1;
    decision.wanted = decision.after = state_.cluster.pod(id).restarts;
    decision.reason =
        why + (back_off > Duration::zero() ? fmt::format(": CrashLoopBackOff, restart {} in {:g} s",
                                                         decision.after, back_off.to_seconds())
                                           : fmt::format(": restart {} at once", decision.after));
    state_.decisions.record(std::move(decision), false);
    if (wait(id, pod, back_off + workload.spec->lifecycle.container_start)) advance(id);
}

}  // namespace headroom::control
