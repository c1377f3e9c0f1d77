#include "sim/control/control_state.hpp"

#include <algorithm>
#include <cmath>

namespace headroom::control {

namespace {

/// The part of a node that a pod holds, as numerator and denominator: of its devices where it has
/// any (what a GPU node is paid for), else the greater of its parts of CPU and memory.
struct NodeShare {
    std::int64_t numerator = 0;
    std::int64_t denominator = 1;
};

std::int64_t held_milli_devices(const cluster::Pod& pod) {
    std::int64_t milli = 0;
    for (const cluster::DeviceGrant& grant : pod.devices) milli += grant.milli.count();
    return milli;
}

NodeShare share_of(const cluster::Pod& pod, const cluster::Node& node) {
    const auto devices = static_cast<std::int64_t>(node.spec->devices.size());
    if (devices > 0) {
        return {held_milli_devices(pod), devices * cluster::kWholeDevice.count()};
    }
    const cluster::Resources& asked = pod.spec->requests;
    const cluster::NodeResources& whole = node.spec->allocatable;
    const std::int64_t cpu = asked.cpu.count();
    const std::int64_t cpu_whole = std::max<std::int64_t>(whole.cpu.count(), 1);
    const std::int64_t memory = asked.memory.count();
    const std::int64_t memory_whole = std::max<std::int64_t>(whole.memory.count(), 1);
    const bool cpu_dominates =
        static_cast<Int128>(cpu) * memory_whole >= static_cast<Int128>(memory) * cpu_whole;
    // Memory in MiB, so that price * numerator * time stays inside 128 bits.
    return cpu_dominates ? NodeShare{cpu, cpu_whole}
                         : NodeShare{memory >> 20, std::max<std::int64_t>(memory_whole >> 20, 1)};
}

}  // namespace

serving::SpeedPpm speed_ppm(double factor) {
    const double ppm = factor * static_cast<double>(serving::kNominalSpeed);
    return std::max<serving::SpeedPpm>(std::llround(ppm), 1);
}

ControlState::ControlState(const ControlSpec& control_spec, serving::DataPlane& plane,
                           std::uint64_t run_seed, Time measured_from, bool record_all_decisions)
    : spec(control_spec),
      data_plane(plane),
      seed(run_seed),
      measure_from(measured_from),
      decisions(record_all_decisions) {
    workloads.resize(spec.workloads.size());
    for (std::size_t i = 0; i < workloads.size(); ++i) {
        Workload& workload = workloads[i];
        workload.spec = &spec.workloads[i];
        workload.index = static_cast<std::uint32_t>(i);
        cluster::PodSpec pod = workload.spec->pod;
        pod.owner = {workload.index, 0};
        if (pod.name.empty()) pod.name = workload.spec->name;
        workload.pod_template = std::make_shared<const cluster::PodSpec>(std::move(pod));
        workload.desired = workload.spec->replicas;
        workload.sets = {ReplicaSet{}};
        workload.result.name = workload.spec->name;
        workload.result.service = workload.spec->service;
        if (instance_pods.size() <= workload.spec->service) {
            instance_pods.resize(workload.spec->service + 1);
        }
    }
}

serving::InstanceKey ControlState::instance_key(const ManagedPod& pod) const {
    HEADROOM_DCHECK(pod.ordinal >= 0, "a pod that never was an endpoint has no instance");
    return {workloads[pod.workload].spec->service, static_cast<std::uint32_t>(pod.ordinal)};
}

bool ControlState::is_running(PodId id) const {
    return managed(id).container_started <= now || cluster.pod(id).restarts > 0;
}

Duration ControlState::measured(Time from, Time to) const {
    const Time begin = std::max(from, measure_from);
    return to > begin ? to - begin : Duration::zero();
}

Decision ControlState::pod_decision(std::string actor, const ManagedPod& pod) const {
    Decision decision;
    decision.time = now;
    decision.actor = std::move(actor);
    decision.subject = pod.name;
    decision.about = Decision::About::pod;
    return decision;
}

void ControlState::request_reconcile(Workload& workload) {
    if (workload.reconcile_queued) return;
    workload.reconcile_queued = true;
    queue.push(control_key(now, EventClass::reconcile, workload.index), {});
}

void ControlState::announce_room() {
    if (room_announced) return;
    room_announced = true;
    queue.push(control_key(now, EventClass::cluster_changed, 0), {});
}

void ControlState::set_ready(Workload& workload, std::int64_t delta) {
    const Duration held = measured(workload.ready_changed, now);
    workload.result.ready_replica_time.add(workload.ready, held);
    workload.ready_changed = now;
    workload.ready += delta;
    HEADROOM_DCHECK(workload.ready >= 0, "fewer than no ready pods");
    workload.result.ready_replicas.append(now, workload.ready);
}

void ControlState::set_loaded(Workload& workload, std::int64_t delta) {
    const Duration held = measured(workload.loaded_changed, now);
    workload.result.standby_loaded_time.add(workload.loaded, held);
    workload.loaded_changed = now;
    workload.loaded += delta;
    HEADROOM_DCHECK(workload.loaded >= 0, "fewer than no loaded standby pods");
}

void ControlState::request_warm_pool(Workload& workload) {
    if (workload.spec->warm_pool.size == 0 || workload.warm_pool_queued) return;
    workload.warm_pool_queued = true;
    queue.push(control_key(now, EventClass::warm_pool, workload.index), {});
}

void ControlState::settle_standby(ManagedPod& pod) const {
    // A pod without a node is bound at the end of time.
    pod.standby_time += measured(std::max(pod.bound_at, pod.standby_since), now);
    pod.standby_since = now;
}

void ControlState::account_pod(PodId id, ManagedPod& pod, Workload& workload) {
    if (pod.standby) settle_standby(pod);
    const cluster::Pod& placed = cluster.pod(id);
    if (!placed.bound()) return;
    const cluster::Node& node = cluster.node(placed.node);
    const Duration held = measured(pod.bound_at, now);
    const Int128 device_time = static_cast<Int128>(held_milli_devices(placed)) * held.ps();
    workload.device_milli_time += device_time;
    if (node_device_milli_time.size() <= placed.node.index) {
        node_device_milli_time.resize(placed.node.index + 1, 0);
    }
    node_device_milli_time[placed.node.index] += device_time;
    const NodeShare share = share_of(placed, node);
    const auto cost_of = [&](Duration time) {
        return static_cast<Int128>(node.spec->price_per_hour.count()) * share.numerator *
               time.ps() / share.denominator;
    };
    workload.cost_numerator += cost_of(held);
    workload.standby_cost_numerator += cost_of(pod.standby_time);
}

}  // namespace headroom::control
