#include "sim/control/control_plane.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "sim/control/artifact_fetcher.hpp"
#include "sim/control/autoscaler_host.hpp"
#include "sim/control/control_state.hpp"
#include "sim/control/faults.hpp"
#include "sim/control/metrics_pipeline.hpp"
#include "sim/control/node_pool.hpp"
#include "sim/control/pod_lifecycle.hpp"
#include "sim/control/scheduler.hpp"
#include "sim/control/warm_pool.hpp"
#include "sim/control/workload_controller.hpp"

namespace headroom::control {

struct ControlPlane::Parts {
    Parts(const ControlSpec& spec, serving::DataPlane& data_plane, std::uint64_t seed,
          Time measure_from, bool record_all_decisions)
        : state(spec, data_plane, seed, measure_from, record_all_decisions),
          scheduler(state),
          fetcher(state),
          lifecycle(state, scheduler.queue(), fetcher),
          warm_pools(state, lifecycle),
          controller(state, lifecycle, warm_pools),
          metrics(state),
          autoscalers(state, metrics, controller, lifecycle),
          pools(state),
          faults(state, lifecycle, pools) {}

    void start_workloads(const std::atomic<bool>* stop);
    void dispatch(const ControlQueue::Event& event);
    WorkloadResult finish_workload(Workload& workload);

    ControlState state;
    Scheduler scheduler;
    ArtifactFetcher fetcher;
    PodLifecycle lifecycle;
    WarmPools warm_pools;
    WorkloadController controller;
    MetricsPipeline metrics;
    AutoscalerHost autoscalers;
    NodePools pools;
    Faults faults;
};

ControlPlane::ControlPlane(const ControlSpec& spec, serving::DataPlane& data_plane,
                           std::uint64_t seed, Time measure_from, bool record_all_decisions)
    : parts_(std::make_unique<Parts>(spec, data_plane, seed, measure_from, record_all_decisions)) {}

ControlPlane::~ControlPlane() = default;

void ControlPlane::start(const std::atomic<bool>* stop) {
    parts_->pools.build(parts_->scheduler, parts_->fetcher);
    parts_->start_workloads(stop);
    parts_->faults.start();
    parts_->metrics.start();
    parts_->autoscalers.start();
}

void ControlPlane::Parts::start_workloads(const std::atomic<bool>* stop) {
    for (Workload& workload : state.workloads) {
        workload.result.desired_replicas.append(state.now, workload.desired);
        workload.result.ready_replicas.append(state.now, 0);
        controller.reconcile(workload);
    }
    for (Workload& workload : state.workloads) warm_pools.reconcile(workload);
    if (state.spec.initial == InitialState::cold) return;
    while (scheduler.queue().has_active()) {
        if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
        scheduler.run_cycle();
    }
    for (Workload& workload : state.workloads) {
        for (const std::vector<PodId>* pods : {&workload.pods, &workload.standby}) {
            for (const PodId pod : *pods) {
                if (state.cluster.pod(pod).bound()) lifecycle.start_warm(pod);
            }
        }
    }
}

Time ControlPlane::next_event_time() const {
    const ControlQueue& queue = parts_->state.queue;
    return queue.empty() ? Time::max() : queue.top_key().time;
}

void ControlPlane::run_next(Time now) {
    ControlState& state = parts_->state;
    HEADROOM_CHECK(now >= state.now, "time goes back");
    HEADROOM_CHECK(now <= next_event_time(), "an event was passed over");
    state.now = now;
    parts_->dispatch(state.queue.pop());
}

void ControlPlane::Parts::dispatch(const ControlQueue::Event& event) {
    const auto entity = static_cast<std::uint32_t>(event.key.entity());
    const std::uint64_t ordinal = event.key.ordinal();
    const PodId pod{entity, event.payload.generation};  // where the entity is one
    switch (static_cast<EventClass>(event.key.event_class())) {
        case EventClass::fault:
            faults.happen(entity);
            return;
        case EventClass::flow_finish:
            lifecycle.transfers_finished();
            return;
        case EventClass::notification:
            if (!state.cluster.contains(pod)) return;
            if (ordinal == kMemoryOrdinal) return lifecycle.out_of_memory(pod);
            return lifecycle.drained(pod);
        case EventClass::pod_step:
            HEADROOM_CHECK(state.cluster.contains(pod), "a step of a pod that is gone");
            switch (ordinal) {
                case kGraceOrdinal:
                    return lifecycle.grace_ended(pod);
                case kProbeOrdinal:
                    return lifecycle.probe_failed(pod);
                case kCrashOrdinal:
                    return lifecycle.crash_again(pod);
                case kEvictionOrdinal:
                    return lifecycle.toleration_ended(pod);
                default:
                    return lifecycle.step(pod);
            }
        case EventClass::scrape:
            metrics.scrape();
            return;
        case EventClass::observation:
            autoscalers.observe(entity);
            return;
        case EventClass::autoscaler:
            autoscalers.tick(entity, ordinal == kWakeOrdinal);
            return;
        case EventClass::reconcile:
            controller.reconcile(state.workloads[entity]);
            return;
        case EventClass::warm_pool:
            state.workloads[entity].warm_pool_queued = false;
            warm_pools.reconcile(state.workloads[entity]);
            return;
        case EventClass::cluster_changed:
            state.room_announced = false;
            scheduler.queue().retry_unschedulable();
            return;
        case EventClass::queue_retry:
            scheduler.queue().retry_due(pod);
            return;
        case EventClass::scheduler_cycle:
            scheduler.run_cycle();
            return;
    }
    HEADROOM_CHECK(false, "an event of no class");
}

void ControlPlane::notify(const serving::Notification& notification) {
    ControlState& state = parts_->state;
    HEADROOM_CHECK(notification.time >= state.now, "a notification from the past");
    HEADROOM_CHECK(notification.time <= next_event_time(), "a notification passed an event");
    state.now = notification.time;
    if (notification.kind == serving::Notification::Kind::request_waits) {
        parts_->autoscalers.request_waits(notification.instance.service);
        return;
    }
    const auto found = state.instances.find(notification.instance);
    if (found == state.instances.end()) return;  // killed while it said so
    const PodId pod = found->second;
    const bool over = notification.kind == serving::Notification::Kind::in_flight_reached;
    (over ? state.managed(pod).over_memory : state.managed(pod).drained) = true;
    const std::uint64_t ordinal = over ? kMemoryOrdinal : 0;
    state.queue.push(control_key(state.now, EventClass::notification, pod.index, ordinal),
                     {pod.generation});
}

ControlResults ControlPlane::finish(Time end) {
    ControlState& state = parts_->state;
    HEADROOM_CHECK(end >= state.now, "a run cannot end before its last event");
    state.now = end;
    ControlResults results;
    for (Workload& workload : state.workloads) {
        results.workloads.push_back(parts_->finish_workload(workload));
    }
    results.pools = parts_->pools.finish();
    for (const NodePoolResult& pool : results.pools) results.cost += pool.cost;
    results.decisions = state.decisions.take();
    results.instance_pods = std::move(state.instance_pods);
    return results;
}

WorkloadResult ControlPlane::Parts::finish_workload(Workload& workload) {
    state.set_ready(workload, 0);
    state.set_loaded(workload, 0);
    WorkloadResult& result = workload.result;
    for (const std::vector<PodId>* pods : {&workload.pods, &workload.standby}) {
        for (const PodId pod : *pods) {
            state.account_pod(pod, state.managed(pod), workload);
            if (!state.cluster.pod(pod).bound()) ++result.pods_pending;
        }
    }
    result.device_time.add_ps(workload.device_milli_time / cluster::kWholeDevice.count());
    result.cost = money_from(workload.cost_numerator);
    result.warm_pool_size = workload.spec->warm_pool.size;
    result.standby_cost = money_from(workload.standby_cost_numerator);
    return std::move(result);
}

metrics::Digest ControlPlane::digest() const {
    return parts_->state.decisions.digest();
}

const ControlState& ControlPlane::state() const {
    return parts_->state;
}

namespace {

/// One node of each pool and zone, which stands for all.
void add_sample_of_nodes(const ControlSpec& spec, cluster::Cluster& sample) {
    for (const NodePoolSpec& pool : spec.pools) {
        const auto zones = static_cast<std::int64_t>(std::max<std::size_t>(pool.zones.size(), 1));
        for (std::int64_t i = 0; i < std::min(pool.count, zones); ++i) {
            sample.add_node(NodePools::node_spec(pool, i), Time::zero());
        }
    }
}

}  // namespace

std::vector<std::string> unschedulable_workloads(const ControlSpec& spec) {
    cluster::Cluster empty;
    add_sample_of_nodes(spec, empty);
    std::vector<std::string> found;
    for (const WorkloadSpec& workload : spec.workloads) {
        if (empty.node_count() == 0) {
            found.push_back(workload.name + ": there is no node");
            continue;
        }
        const cluster::Fit fit = empty.could_ever_fit(workload.pod);
        if (!fit.ok()) found.push_back(workload.name + ": " + fit.text());
    }
    return found;
}

std::vector<std::string> node_label_names(const ControlSpec& spec) {
    cluster::Cluster empty;
    add_sample_of_nodes(spec, empty);
    std::set<std::string> names;
    empty.for_each_node([&names](cluster::NodeId, const cluster::Node& node) {
        for (const auto& [name, value] : node.spec->labels) names.insert(name);
    });
    return {names.begin(), names.end()};
}

}  // namespace headroom::control
