#include "sim/control/faults.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "sim/core/check.hpp"

namespace headroom::control {

namespace {
using About = Decision::About;
}

void Faults::start() {
    for (std::size_t i = 0; i < state_.spec.faults.size(); ++i) {
        state_.queue.push(control_key(state_.spec.faults[i].at, EventClass::fault, i), {});
    }
}

std::optional<PodId> Faults::target_pod(const FaultSpec& fault) const {
    for (const Workload& workload : state_.workloads) {
        if (workload.spec->name != fault.target) continue;
        std::int64_t left = fault.index;
        for (const PodId id : workload.pods) {
            if (state_.managed(id).deleted) continue;
            if (left-- == 0) return id;
        }
    }
    return std::nullopt;
}

void Faults::happen(std::size_t index) {
    const FaultSpec& fault = state_.spec.faults[index];
    if (fault.kind == FaultSpec::Kind::lose_node) return lose_node(fault);
    if (fault.kind == FaultSpec::Kind::restore_node) return restore_node(fault);
    if (fault.kind == FaultSpec::Kind::restart_workload) return restart_workload(fault);
    const std::optional<PodId> pod = target_pod(fault);
    if (!pod) return record(fault, About::workload, fault.target, false, "there is no such pod");
    std::string name = state_.managed(*pod).name;
    switch (fault.kind) {
        case FaultSpec::Kind::kill_instance:
            record(fault, About::pod, std::move(name), true, "killed");
            lifecycle_.lose(*pod);
            return;
        case FaultSpec::Kind::crash_container:
            record(fault, About::pod, std::move(name), true,
                   state_.managed(*pod).container_started <= state_.now
                       ? "its container crashes"
                       : "no container runs: it crashes after its start");
            lifecycle_.crash(*pod, fault.times, fault.after);
            return;
        case FaultSpec::Kind::drain_instance:
            record(fault, About::pod, std::move(name), true, "deleted, drains");
            lifecycle_.remove(*pod);
            return;
        case FaultSpec::Kind::set_speed:
            record(fault, About::pod, std::move(name), true, fmt::format("speed {}", fault.speed));
            lifecycle_.set_speed(*pod, speed_ppm(fault.speed));
            return;
        case FaultSpec::Kind::lose_node:
        case FaultSpec::Kind::restore_node:
        case FaultSpec::Kind::restart_workload:
            break;  // have no pod
    }
    HEADROOM_CHECK(false, "a fault of no kind");
}

void Faults::lose_node(const FaultSpec& fault) {
    const NodeId node = state_.cluster.find_node(fault.target);
    if (!node.valid())
        return record(fault, About::node, fault.target, false, "there is no such node");
    const std::vector<PodId> pods = state_.cluster.node(node).pods;
    if (!pools_.lose(node))
        return record(fault, About::node, fault.target, false, "it is lost already");
    record(fault, About::node, fault.target, true,
           "lost with " + std::to_string(pods.size()) + " pods");
    for (const PodId pod : pods) lifecycle_.lose(pod);
}

void Faults::restore_node(const FaultSpec& fault) {
    const NodeId node = state_.cluster.find_node(fault.target);
    if (!node.valid())
        return record(fault, About::node, fault.target, false, "there is no such node");
    if (!pools_.restore(node))
        return record(fault, About::node, fault.target, false, "it is not lost");
    record(fault, About::node, fault.target, true, "takes pods again");
}

void Faults::restart_workload(const FaultSpec& fault) {
    for (Workload& workload : state_.workloads) {
        if (workload.spec->name != fault.target) continue;
        ++workload.template_revision;
        state_.request_reconcile(workload);
        return record(fault, About::workload, fault.target, true,
                      "restarted: revision " + std::to_string(workload.template_revision));
    }
    record(fault, About::workload, fault.target, false, "there is no such workload");
}

void Faults::record(const FaultSpec& fault, About about, std::string subject, bool done,
                    std::string reason) {
    Decision decision;
    decision.time = state_.now;
    decision.actor = "fault";
    decision.subject = std::move(subject);
    decision.about = about;
    decision.outcome = done ? Decision::Outcome::changed : Decision::Outcome::blocked;
    decision.wanted = static_cast<std::int64_t>(fault.kind);
    decision.after = done ? decision.wanted : -1;
    decision.before = -1;
    decision.reason = std::move(reason);
    state_.decisions.record(std::move(decision), false);
}

}  // namespace headroom::control
