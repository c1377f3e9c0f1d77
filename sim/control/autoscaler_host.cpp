#include "sim/control/autoscaler_host.hpp"

#include <utility>

namespace headroom::control {

namespace {

/// What ScalingView means by "long ago": before the run began.
constexpr Time kLongAgo = Time::picoseconds(-1);

/// The requests of the template, which carries one container's worth of them, already folded.
ContainerResources container_of(const cluster::PodSpec& pod) {
    ContainerResources container{pod.name, std::nullopt, std::nullopt};
    if (pod.requests.cpu.count() > 0) container.cpu_milli = pod.requests.cpu.count();
    if (pod.requests.memory.count() > 0) {
        container.memory_milli = pod.requests.memory.count() * 1000;
    }
    return container;
}

}  // namespace

AutoscalerHost::AutoscalerHost(ControlState& state, MetricsPipeline& metrics,
                               WorkloadController& controller)
    : state_(state), metrics_(metrics), controller_(controller) {
    for (const Workload& workload : state.workloads) {
        if (!workload.spec->autoscaler) continue;
        const AutoscalerSpec& spec = *workload.spec->autoscaler;
        const PolicyContext context{RandomStream(state.seed, "scaling/" + workload.spec->name)};
        Autoscaler autoscaler;
        autoscaler.workload = workload.index;
        autoscaler.actor = spec.policy.name + " " + workload.spec->name;
        autoscaler.policy = make_policy<ScalingPolicy>(spec.policy, context);
        autoscaler.period = autoscaler.policy->period();
        autoscaler.phase = spec.phase;
        autoscaler.requests = autoscaler.policy->metrics();
        autoscaler.view.metrics.resize(autoscaler.requests.size());
        HEADROOM_CHECK(autoscaler.period > Duration::zero(), "an autoscaler's period is positive");
        if (!autoscaler.requests.empty()) metrics_.watch(workload.index);
        autoscalers_.push_back(std::move(autoscaler));
    }
}

void AutoscalerHost::start() {
    for (std::size_t i = 0; i < autoscalers_.size(); ++i) {
        state_.queue.push(
            control_key(state_.now + autoscalers_[i].phase, EventClass::autoscaler, i), {});
    }
}

void AutoscalerHost::request_waits(std::uint32_t service) {
    for (std::size_t i = 0; i < autoscalers_.size(); ++i) {
        Autoscaler& autoscaler = autoscalers_[i];
        if (state_.workloads[autoscaler.workload].spec->service != service) continue;
        if (state_.queue.contains(autoscaler.wake)) continue;
        autoscaler.wake =
            state_.queue.push(control_key(state_.now, EventClass::autoscaler, i, kWakeOrdinal), {});
    }
}

void AutoscalerHost::tick(std::uint32_t index, bool woken) {
    Autoscaler& autoscaler = autoscalers_[index];
    if (!woken) {
        state_.queue.push(
            control_key(state_.now + autoscaler.period, EventClass::autoscaler, index), {});
    }
    refresh_view(autoscaler);
    carry_out(autoscaler, autoscaler.policy->decide(autoscaler.view));
}

void AutoscalerHost::refresh_view(Autoscaler& autoscaler) {
    const Workload& workload = state_.workloads[autoscaler.workload];
    ScalingView& view = autoscaler.view;
    view.now = state_.now;
    view.spec_replicas = workload.desired;
    view.status_replicas = workload.active;
    if (autoscaler.seen_version != workload.version + 1) {
        rebuild_pods(autoscaler, workload);
        autoscaler.seen_version = workload.version + 1;
    }
    for (std::size_t i = 0; i < autoscaler.requests.size(); ++i) {
        metrics_.read(autoscaler.workload, autoscaler.requests[i], autoscaler.pods,
                      view.metrics[i]);
    }
    const serving::ServiceLoad load =
        state_.data_plane.service_load(state_.now, workload.spec->service);
    view.requests_wait = load.gateway_queue > 0 && load.endpoints == 0;
}

void AutoscalerHost::rebuild_pods(Autoscaler& autoscaler, const Workload& workload) {
    autoscaler.pods = workload.pods;
    std::vector<ScalingPod>& pods = autoscaler.view.pods;
    pods.clear();
    pods.reserve(workload.pods.size());
    for (const PodId id : workload.pods) {
        const ManagedPod& managed = state_.managed(id);
        const cluster::Pod& placed = state_.cluster.pod(id);
        ScalingPod pod;
        pod.name = managed.name;
        pod.phase = managed.container_started <= state_.now ? PodPhase::running : PodPhase::pending;
        pod.deleted = managed.deleted;
        pod.ready = placed.phase == cluster::PodPhase::ready;
        if (placed.bound()) pod.start_time = managed.warm_start ? kLongAgo : managed.bound_at;
        pod.ready_transition = managed.warm_start ? kLongAgo
                               : pod.ready        ? managed.ready_since
                                                  : placed.created();
        pod.containers.push_back(container_of(*placed.spec));
        pods.push_back(std::move(pod));
    }
}

void AutoscalerHost::carry_out(Autoscaler& autoscaler, ScalingDecision&& decision) {
    Workload& workload = state_.workloads[autoscaler.workload];
    const std::int64_t before = workload.desired;
    const bool changes = decision.desired != before;
    const bool blocked = !changes && decision.outcome != ScalingOutcome::unchanged &&
                         decision.outcome != ScalingOutcome::scaled;
    bool repeat = !changes;
    if (blocked) {
        const int direction = (decision.wanted > before) - (decision.wanted < before);
        repeat = autoscaler.blocked && autoscaler.blocked_outcome == decision.outcome &&
                 autoscaler.blocked_direction == direction && autoscaler.blocked_at == before;
        autoscaler.blocked_outcome = decision.outcome;
        autoscaler.blocked_direction = direction;
        autoscaler.blocked_at = before;
    }
    autoscaler.blocked = blocked;
    if (!repeat || state_.decisions.keeps_repeats()) {
        const Decision::Outcome outcome = changes   ? Decision::Outcome::changed
                                          : blocked ? Decision::Outcome::blocked
                                                    : Decision::Outcome::unchanged;
        state_.decisions.record({state_.now, autoscaler.actor, workload.spec->name, outcome, before,
                                 decision.wanted, decision.desired, std::move(decision.reason)},
                                repeat);
    }
    if (changes) controller_.set_desired(workload, decision.desired);
}

}  // namespace headroom::control
