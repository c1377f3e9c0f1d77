#include "sim/cluster/pod.hpp"

#include <algorithm>

namespace headroom::cluster {

namespace {

Resources peak(const Resources& a, const Resources& b) {
    return {std::max(a.cpu, b.cpu), std::max(a.memory, b.memory)};
}

Resources fold(std::span<const ContainerRequests> containers,
               std::span<const ContainerRequests> init_containers, const Resources& overhead,
               const Resources& missing) {
    const auto of = [&missing](const ContainerRequests& c) {
        return Resources{c.cpu.value_or(missing.cpu), c.memory.value_or(missing.memory)};
    };
    Resources sum;
    for (const ContainerRequests& c : containers) sum += of(c);
    for (const ContainerRequests& c : init_containers) sum = peak(sum, of(c));
    sum += overhead;
    return sum;
}

}  // namespace

FoldedRequests fold_requests(std::span<const ContainerRequests> containers,
                             std::span<const ContainerRequests> init_containers,
                             const Resources& overhead) {
    return {
        fold(containers, init_containers, overhead, {}),
        fold(containers, init_containers, overhead, {kDefaultScoringCpu, kDefaultScoringMemory})};
}

Resources scoring_requests(const PodSpec& spec) {
    if (spec.scoring_requests) return *spec.scoring_requests;
    Resources r = spec.requests;
    if (r.cpu == MilliCpu{0}) r.cpu = kDefaultScoringCpu;
    if (r.memory == Bytes{0}) r.memory = kDefaultScoringMemory;
    return r;
}

const char* to_string(PodPhase phase) {
    switch (phase) {
        case PodPhase::pending:
            return "pending";
        case PodPhase::scheduled:
            return "scheduled";
        case PodPhase::image_pull:
            return "image_pull";
        case PodPhase::container_start:
            return "container_start";
        case PodPhase::weights_load:
            return "weights_load";
        case PodPhase::warm_up:
            return "warm_up";
        case PodPhase::ready:
            return "ready";
        case PodPhase::draining:
            return "draining";
        case PodPhase::gone:
            return "gone";
    }
    return "unknown";
}

bool may_follow(PodPhase from, PodPhase to) {
    if (to == PodPhase::container_start && from >= PodPhase::container_start) {
        return from < PodPhase::draining;
    }
    if (from == PodPhase::draining && to == PodPhase::warm_up) return true;
    return to > from;
}

}  // namespace headroom::cluster
