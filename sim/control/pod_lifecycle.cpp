#include "sim/control/pod_lifecycle.hpp"

#include <algorithm>

#include "sim/core/hash.hpp"

namespace headroom::control {

using cluster::Artifact;
using Phase = cluster::PodPhase;

PodId PodLifecycle::create(Workload& workload, std::uint32_t revision) {
    const PodId id = add_pod(workload, revision);
    workload.pods.push_back(id);
    ++workload.active;
    ++workload.version;
    return id;
}

PodId PodLifecycle::add_pod(Workload& workload, std::uint32_t revision) {
    const std::uint64_t sequence = workload.next_sequence++;
    const PodId id = state_.cluster.add_pod(workload.pod_template,
                                            static_cast<std::uint32_t>(sequence), state_.now);
    if (state_.managed_pods.size() <= id.index) state_.managed_pods.resize(id.index + 1);
    ManagedPod& pod = state_.managed(id);
    pod = ManagedPod{};
    pod.name = workload.spec->name + "-" + std::to_string(sequence);
    pod.uid = hash_name(pod.name);
    pod.serial = state_.next_serial++;
    pod.sequence = sequence;
    pod.workload = workload.index;
    pod.revision = revision;
    pod.stage_since = state_.now;
    const std::vector<double>& speeds = workload.spec->speed_by_rank;
    if (!speeds.empty()) pod.speed = speed_ppm(speeds[sequence % speeds.size()]);
    ++workload.result.pods_created;
    queue_.add(id);
    return id;
}

void PodLifecycle::start_warm(PodId id) {
    ManagedPod& pod = state_.managed(id);
    state_.queue.cancel(pod.step);
    pod.warm_start = true;
    bear_taints(id, pod);
    pod.container_started = state_.now;
    state_.cluster.hold(id, Artifact::image, state_.now);
    state_.cluster.hold(id, Artifact::weights, state_.now);
    if (kill_when_idle(id)) return;
    pod.loaded_at = state_.now;
    if (pod.standby) {
        state_.cluster.set_phase(id, Phase::warm_up, state_.now);
        return stand_by(id, pod);
    }
    become_ready(id, pod);
    become_endpoint(id, pod);
}

void PodLifecycle::step(PodId id) {
    advance(id);
}

void PodLifecycle::advance(PodId id) {
    ManagedPod& pod = state_.managed(id);
    const LifecycleSpec& spec = state_.workload_of(pod).spec->lifecycle;
    cluster::Cluster& cluster = state_.cluster;
    for (;;) {
        switch (cluster.pod(id).phase) {
            case Phase::scheduled:
                bear_taints(id, pod);
                end_stage(pod, StartStage::pending);
                cluster.set_phase(id, Phase::image_pull, state_.now);
                if (!begin_image_pull(id, pod)) return;
                break;
            case Phase::image_pull:
                cluster.hold(id, Artifact::image, state_.now);
                end_stage(pod, StartStage::image_pull);
                cluster.set_phase(id, Phase::container_start, state_.now);
                if (!wait(id, pod, spec.container_start)) return;
                break;
            case Phase::container_start:
                end_stage(pod, StartStage::container_start);
                pod.container_started = state_.now;
                ++state_.workload_of(pod).version;
                if (kill_when_idle(id)) return;
                begin_probes(id, pod);
                cluster.set_phase(id, Phase::weights_load, state_.now);
                if (!begin_weights_load(id, pod)) return;
                break;
            case Phase::weights_load:
                cluster.hold(id, Artifact::weights, state_.now);
                end_stage(pod, StartStage::weights_load);
                cluster.set_phase(id, Phase::warm_up, state_.now);
                if (!begin_warm_up(id, pod)) return;
                break;
            case Phase::warm_up:
                end_stage(pod, StartStage::warm_up);
                if (pod.standby) return stand_by(id, pod);
                become_ready(id, pod);
                if (!wait(id, pod, spec.readiness_delay)) return;
                break;
            case Phase::ready:
                become_endpoint(id, pod);
                return;
            default:
                HEADROOM_CHECK(false, "a stage ended in a phase that has no next stage");
        }
    }
}

bool PodLifecycle::begin_image_pull(PodId id, ManagedPod& pod) {
    const cluster::Pod& placed = state_.cluster.pod(id);
    const cluster::ImageSpec& image = placed.spec->image;
    if (image.name.empty() || image.compressed.count() == 0) return true;
    if (state_.cluster.has_artifact(id, Artifact::image)) {
        state_.cluster.hold(id, Artifact::image, state_.now);
        return true;
    }
    const std::int64_t rate =
        std::min(state_.workload_of(pod).spec->lifecycle.image_pull_bytes_per_s,
                 state_.cluster.node(placed.node).spec->pull_bytes_per_s);
    fetcher_.join(id, placed.node, Artifact::image, image.name, image.compressed, rate);
    return false;
}

bool PodLifecycle::begin_weights_load(PodId id, ManagedPod& pod) {
    const cluster::Pod& placed = state_.cluster.pod(id);
    const cluster::WeightsSpec& weights = placed.spec->weights;
    if (weights.name.empty() || weights.size.count() == 0) return true;
    const std::int64_t rate = state_.workload_of(pod).spec->lifecycle.weights_load_bytes_per_s;
    if (state_.cluster.has_artifact(id, Artifact::weights)) {
        state_.cluster.hold(id, Artifact::weights, state_.now);
        const std::int64_t disk = state_.cluster.node(placed.node).spec->disk_bytes_per_s;
        return wait(id, pod, transfer_time(weights.size, std::min(rate, disk)));
    }
    fetcher_.join(id, placed.node, Artifact::weights, weights.name, weights.size, rate);
    return false;
}

bool PodLifecycle::wait(PodId id, ManagedPod& pod, Duration duration) {
    if (duration <= Duration::zero()) return true;
    pod.step = state_.queue.push(
        control_key(state_.now.later_by(duration), EventClass::pod_step, id.index),
        {id.generation});
    return false;
}

void PodLifecycle::transfers_finished() {
    for (const ArtifactFetcher::Arrival& arrival : fetcher_.finish_due()) {
        ManagedPod& pod = state_.managed(arrival.pod);
        if (wait(arrival.pod, pod, arrival.readable - state_.now)) advance(arrival.pod);
    }
}

void PodLifecycle::end_stage(ManagedPod& pod, StartStage stage) {
    pod.stage_times[static_cast<std::size_t>(stage)] += state_.now - pod.stage_since;
    pod.stage_since = state_.now;
}

void PodLifecycle::become_ready(PodId id, ManagedPod& pod) {
    Workload& workload = state_.workload_of(pod);
    state_.cluster.set_phase(id, Phase::ready, state_.now);
    pod.ready_since = state_.now;
    ++workload.version;
    state_.set_ready(workload, +1);
    if (workload.rollout) state_.request_reconcile(workload);
    const bool counts = !pod.warm_start && !pod.has_started;
    pod.has_started = true;
    if (!counts) return;
    WorkloadResult& result = workload.result;
    ++result.pods_became_ready;
    const auto spent = [&](StartStage stage) {
        return pod.stage_times[static_cast<std::size_t>(stage)];
    };
    result.pending_time += spent(StartStage::pending);
    result.image_pull_time += spent(StartStage::image_pull);
    result.container_start_time += spent(StartStage::container_start);
    result.weights_load_time += spent(StartStage::weights_load);
    result.warm_up_time += spent(StartStage::warm_up);
}

void PodLifecycle::become_endpoint(PodId id, ManagedPod& pod) {
    const WorkloadSpec& spec = *state_.workload_of(pod).spec;
    std::vector<std::string>& instances = state_.instance_pods[spec.service];
    pod.ordinal = static_cast<std::int64_t>(instances.size());
    instances.push_back(pod.name);
    pod.drained = false;
    pod.endpoint_since = state_.now;
    const serving::InstanceKey key = state_.instance_key(pod);
    state_.instances.emplace(key, id);
    state_.data_plane.add_instance(state_.now, key, spec.version, pod.speed,
                                   memory_threshold(id).value_or(0));
}

void PodLifecycle::leave_ready(PodId id, ManagedPod& pod) {
    if (state_.cluster.pod(id).phase != Phase::ready) return;
    state_.set_ready(state_.workload_of(pod), -1);
    pod.unready_since = state_.now;
}

void PodLifecycle::remove(PodId id) {
    ManagedPod& pod = state_.managed(id);
    HEADROOM_CHECK(!pod.deleted, "a pod is deleted once");
    Workload& workload = state_.workload_of(pod);
    pod.deleted = true;
    if (!pod.standby) --workload.active;
    ++workload.version;
    ++workload.result.pods_deleted;
    state_.request_reconcile(workload);
    if (pod.ordinal < 0) return finish_or_return(id);
    leave_ready(id, pod);
    state_.cluster.set_phase(id, Phase::draining, state_.now);
    const Time end = state_.now.later_by(workload.spec->lifecycle.termination_grace);
    pod.grace = state_.queue.push(control_key(end, EventClass::pod_step, id.index, kGraceOrdinal),
                                  {id.generation});
    state_.data_plane.drain_instance(state_.now, state_.instance_key(pod));
}

void PodLifecycle::bear_taints(PodId id, ManagedPod& pod) {
    const cluster::Pod& placed = state_.cluster.pod(id);
    const auto time = cluster::toleration_time(state_.cluster.node(placed.node).spec->taints,
                                               placed.spec->tolerations);
    if (!time) return;
    pod.eviction = state_.queue.push(
        control_key(pod.bound_at.later_by(*time), EventClass::pod_step, id.index, kEvictionOrdinal),
        {id.generation});
}

void PodLifecycle::toleration_ended(PodId id) {
    ManagedPod& pod = state_.managed(id);
    pod.eviction = {};
    if (pod.deleted) return;
    constexpr const char* kWhy = "its toleration of a NoExecute taint has ended";
    if (pod.standby) return dismiss(id, kWhy);
    const std::int64_t pods = state_.workload_of(pod).active;
    Decision decision = state_.pod_decision("taint eviction", pod);
    decision.before = pods;
    decision.wanted = decision.after = pods - 1;
    decision.reason = kWhy;
    state_.decisions.record(std::move(decision), false);
    remove(id);
}

void PodLifecycle::grace_ended(PodId id) {
    kill_instance(state_.managed(id));
    finish(id);
}

void PodLifecycle::kill_instance(const ManagedPod& pod) {
    if (is_served(pod)) state_.data_plane.kill_instance(state_.now, state_.instance_key(pod));
}

void PodLifecycle::drained(PodId id) {
    finish_or_return(id);
}

void PodLifecycle::lose(PodId id) {
    ManagedPod& pod = state_.managed(id);
    if (pod.standby) record_standby(pod, -1, "lost with its node");
    if (!pod.deleted) {
        Workload& workload = state_.workload_of(pod);
        pod.deleted = true;
        if (!pod.standby) --workload.active;
        ++workload.version;
        ++workload.result.pods_deleted;
    }
    kill_instance(pod);
    finish(id);
}

void PodLifecycle::set_speed(PodId id, serving::SpeedPpm speed) {
    ManagedPod& pod = state_.managed(id);
    pod.speed = speed;
    if (is_served(pod)) {
        state_.data_plane.set_speed(state_.now, state_.instance_key(pod), speed);
    }
}

void PodLifecycle::finish(PodId id) {
    ManagedPod& pod = state_.managed(id);
    Workload& workload = state_.workload_of(pod);
    state_.queue.cancel(pod.step);
    state_.queue.cancel(pod.grace);
    state_.queue.cancel(pod.probe);
    state_.queue.cancel(pod.crash);
    state_.queue.cancel(pod.eviction);
    queue_.remove(id);
    fetcher_.leave(id);
    leave_ready(id, pod);
    leave_loaded(pod);
    if (pod.ordinal >= 0) state_.instances.erase(state_.instance_key(pod));
    state_.account_pod(id, pod, workload);
    if (state_.cluster.pod(id).bound()) state_.announce_room();
    state_.cluster.release(id, state_.now);
    state_.cluster.erase_pod(id);
    std::vector<PodId>& pods = pod.standby ? workload.standby : workload.pods;
    pods.erase(std::find(pods.begin(), pods.end(), id));
    ++workload.version;
    state_.request_reconcile(workload);
}

}  // namespace headroom::control
