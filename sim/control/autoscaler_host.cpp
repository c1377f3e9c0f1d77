#include "sim/control/autoscaler_host.hpp"

#include <algorithm>
#include <utility>

namespace headroom::control {

namespace {

/// What ScalingView means by "long ago": before the run began.
constexpr Time kLongAgo = Time::picoseconds(-1);

/// The requests of the template, which carries one container's worth of them, already folded.
ContainerResources container_of(const cluster::PodSpec& pod, const WorkloadSpec& workload) {
    ContainerResources container{.name = pod.name,
                                 .cpu_milli = std::nullopt,
                                 .memory_milli = std::nullopt,
                                 .common_name = workload.common_container_name};
    if (pod.requests.cpu.count() > 0) container.cpu_milli = pod.requests.cpu.count();
    if (pod.requests.memory.count() > 0) {
        container.memory_milli = pod.requests.memory.count() * 1000;
    }
    if (pod.memory_limit) container.memory_limit_milli = pod.memory_limit->count() * 1000;
    return container;
}

/// Pods made from now on request this, and have these limits. A pod carries one container's worth.
void apply_requests(Workload& workload, const std::vector<ContainerResources>& requests) {
    for (const ContainerResources& container : requests) {
        if (container.name != workload.pod_template->name) continue;
        cluster::PodSpec pod = *workload.pod_template;
        if (container.cpu_milli) pod.requests.cpu = MilliCpu{*container.cpu_milli};
        if (container.memory_milli) pod.requests.memory = Bytes{*container.memory_milli / 1000};
        if (container.memory_limit_milli) {
            pod.memory_limit = Bytes{*container.memory_limit_milli / 1000};
        }
        if (pod.requests == workload.pod_template->requests &&
            pod.memory_limit == workload.pod_template->memory_limit) {
            return;
        }
        workload.pod_template = std::make_shared<const cluster::PodSpec>(std::move(pod));
        return;
    }
}

bool has_endpoint(const ControlState& state, const Workload& workload) {
    return std::any_of(workload.pods.begin(), workload.pods.end(), [&state](PodId id) {
        return state.managed(id).ordinal >= 0 && !state.managed(id).deleted;
    });
}

bool requests_wait(const ControlState& state, const Workload& workload) {
    const serving::ServiceLoad load =
        state.data_plane.service_load(state.now, workload.spec->service, workload.spec->version);
    return load.gateway_queue > 0 && load.endpoints == 0;
}

}  // namespace

AutoscalerHost::AutoscalerHost(ControlState& state, MetricsPipeline& metrics,
                               WorkloadController& controller, PodLifecycle& lifecycle)
    : state_(state), metrics_(metrics), controller_(controller), lifecycle_(lifecycle) {
    for (const Workload& workload : state.workloads) {
        const WorkloadSpec& spec = *workload.spec;
        if (spec.autoscaler) add(workload, *spec.autoscaler, "scaling/" + spec.name);
        if (spec.vertical_autoscaler) {
            add(workload, *spec.vertical_autoscaler, "vertical-scaling/" + spec.name);
        }
    }
}

void AutoscalerHost::add(const Workload& workload, const AutoscalerSpec& spec,
                         const std::string& stream) {
    Autoscaler autoscaler;
    autoscaler.workload = workload.index;
    autoscaler.actor = spec.policy.name + " " + workload.spec->name;
    autoscaler.policy =
        make_policy<ScalingPolicy>(spec.policy, {RandomStream(state_.seed, stream)});
    autoscaler.period = autoscaler.policy->period();
    autoscaler.observes_every = autoscaler.policy->observes_every();
    autoscaler.phase = spec.phase;
    autoscaler.requests = autoscaler.policy->metrics();
    autoscaler.view.metrics.resize(autoscaler.requests.size());
    autoscaler.view.start_unix_s = state_.spec.start_unix_s;
    autoscaler.view.containers = {container_of(*workload.pod_template, *workload.spec)};
    HEADROOM_CHECK(autoscaler.period > Duration::zero(), "an autoscaler's period is positive");
    const bool scraped = std::any_of(autoscaler.requests.begin(), autoscaler.requests.end(),
                                     [](const MetricRequest& request) { return !request.live; });
    if (scraped) metrics_.watch(workload.index);
    autoscalers_.push_back(std::move(autoscaler));
}

void AutoscalerHost::start() {
    for (std::size_t i = 0; i < autoscalers_.size(); ++i) {
        const Time first = state_.now.later_by(autoscalers_[i].phase);
        state_.queue.push(control_key(first, EventClass::autoscaler, i), {});
        if (autoscalers_[i].observes_every > Duration::zero()) {
            state_.queue.push(control_key(first, EventClass::observation, i), {});
        }
    }
}

void AutoscalerHost::request_waits(std::uint32_t service) {
    for (std::size_t i = 0; i < autoscalers_.size(); ++i) {
        Autoscaler& autoscaler = autoscalers_[i];
        if (state_.workloads[autoscaler.workload].spec->service != service) continue;
        if (!autoscaler.policy->scales_replicas()) continue;  // what pods request can wait
        if (state_.queue.contains(autoscaler.wake)) continue;
        autoscaler.wake =
            state_.queue.push(control_key(state_.now, EventClass::autoscaler, i, kWakeOrdinal), {});
    }
}

void AutoscalerHost::tick(std::uint32_t index, bool woken) {
    Autoscaler& autoscaler = autoscalers_[index];
    if (!woken) {
        state_.queue.push(
            control_key(state_.now.later_by(autoscaler.period), EventClass::autoscaler, index), {});
    }
    refresh_view(autoscaler);
    carry_out(autoscaler, autoscaler.policy->decide(autoscaler.view));
}

void AutoscalerHost::observe(std::uint32_t index) {
    Autoscaler& autoscaler = autoscalers_[index];
    const Time next = state_.now.later_by(autoscaler.observes_every);
    state_.queue.push(control_key(next, EventClass::observation, index), {});
    refresh_view(autoscaler);
    autoscaler.policy->observe(autoscaler.view);
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
    view.requests_wait = !has_endpoint(state_, workload) && requests_wait(state_, workload);
    const WorkloadResult& so_far = workload.result;
    if (so_far.pods_became_ready > 0) {
        const Duration sum = so_far.pending_time + so_far.image_pull_time +
                             so_far.container_start_time + so_far.weights_load_time +
                             so_far.warm_up_time;
        view.mean_time_to_ready = sum / so_far.pods_became_ready;
    }
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
        pod.phase = state_.is_running(id) ? PodPhase::running : PodPhase::pending;
        pod.deleted = managed.deleted;
        pod.ready = placed.phase == cluster::PodPhase::ready;
        if (placed.bound()) pod.start_time = managed.warm_start ? kLongAgo : managed.bound_at;
        pod.ready_transition = managed.warm_start                     ? kLongAgo
                               : pod.ready                            ? managed.ready_since
                               : managed.unready_since != Time::max() ? managed.unready_since
                                                                      : placed.created();
        pod.containers.push_back(container_of(*placed.spec, *workload.spec));
        pod.oom_kill = managed.oom_kill;
        pods.push_back(std::move(pod));
    }
}

void AutoscalerHost::carry_out(Autoscaler& autoscaler, ScalingDecision&& decision) {
    Workload& workload = state_.workloads[autoscaler.workload];
    const std::int64_t desired = decision.desired;
    if (!decision.requests.empty()) apply_requests(workload, decision.requests);
    if (decision.buffer_at_gateway) {
        state_.data_plane.set_gateway_buffering(state_.now, workload.spec->service,
                                                *decision.buffer_at_gateway);
    }
    evict(autoscaler, decision);
    record(autoscaler, decision);
    if (desired != workload.desired) controller_.set_desired(workload, desired);
}

void AutoscalerHost::record(Autoscaler& autoscaler, ScalingDecision& decision) {
    const Workload& workload = state_.workloads[autoscaler.workload];
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
    if (repeat && !state_.decisions.keeps_repeats()) return;
    const Decision::Outcome outcome = changes   ? Decision::Outcome::changed
                                      : blocked ? Decision::Outcome::blocked
                                                : Decision::Outcome::unchanged;
    state_.decisions.record(
        {state_.now, autoscaler.actor, workload.spec->name, outcome, before, decision.wanted,
         decision.desired, std::move(decision.reason), std::move(decision.inputs)},
        repeat);
}

void AutoscalerHost::evict(Autoscaler& autoscaler, const ScalingDecision& decision) {
    Workload& workload = state_.workloads[autoscaler.workload];
    bool outdated = false;
    for (const Eviction& eviction : decision.evict) {
        HEADROOM_CHECK(eviction.pod < autoscaler.pods.size(), "a policy evicts a pod that it sees");
        const PodId pod = autoscaler.pods[eviction.pod];
        if (state_.managed(pod).deleted) continue;
        Decision recorded = state_.pod_decision(autoscaler.actor, state_.managed(pod));
        recorded.before = recorded.wanted = workload.active;
        recorded.after = workload.active - 1;
        recorded.reason = "evicted: " + eviction.reason;
        recorded.inputs = decision.inputs;
        state_.decisions.record(std::move(recorded), false);
        outdated = outdated || state_.cluster.pod(pod).spec != workload.pod_template;
        lifecycle_.remove(pod);
    }
    // What replaces them must not be a standby pod that requests what they did.
    if (!outdated) return;
    const std::vector<PodId> standby = workload.standby;
    for (const PodId pod : standby) {
        if (state_.cluster.pod(pod).spec == workload.pod_template) continue;
        lifecycle_.dismiss(pod, "replaced: it requests what evicted pods did");
    }
    state_.request_warm_pool(workload);
}

}  // namespace headroom::control
