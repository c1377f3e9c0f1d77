#include "policies/scaling/vpa/vpa_updater.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace headroom::policies {

namespace {

using control::ContainerResources;
using control::PodPhase;
using control::ScalingPod;
using control::ScalingView;

bool is_live(const ScalingPod& pod) {
    const bool ended = pod.phase == PodPhase::succeeded || pod.phase == PodPhase::failed;
    const bool bound = pod.phase != PodPhase::pending || pod.start_time.has_value();
    return !pod.deleted && !ended && bound;
}

const VpaRecommendation* find(std::span<const VpaNamedRecommendation> recommended,
                              const std::string& container) {
    for (const VpaNamedRecommendation& candidate : recommended) {
        if (candidate.container == container) return &candidate.of;
    }
    return nullptr;
}

/// Amounts of CPU are milli-cores, those of memory bytes; requests are in milli-units.
std::int64_t milli_units(VpaResource resource, std::int64_t amount) {
    return resource == VpaResource::cpu ? amount : amount * 1000;
}

/// Whether the pod is to be replaced, budgets apart.
bool wants_update(const ScalingPod& pod, const VpaPodPriority& priority, Time now,
                  const VpaUpdateOptions& options) {
    if (priority.outside) return true;
    if (priority.quick_oom) return priority.resource_diff > 0;
    if (!pod.start_time) return false;
    // Negative or "never": it started long before the run did.
    const Time start = *pod.start_time;
    const bool from_the_beginning = start < Time::zero() || start == Time::max();
    if (!from_the_beginning && now < start.later_by(options.lifetime_threshold)) return false;
    return priority.resource_diff >= options.update_threshold;
}

/// A container that started before the run has lived long.
bool was_quick_oom(const ScalingPod& pod, std::span<const VpaNamedRecommendation> recommended,
                   const VpaUpdateOptions& options) {
    if (!pod.oom_kill || pod.oom_kill->container >= pod.containers.size()) return false;
    const control::OomKill& kill = *pod.oom_kill;
    return kill.started >= Time::zero() && kill.at - kill.started < options.oom_threshold &&
           find(recommended, pod.containers[kill.container].name) != nullptr;
}

bool goes_before(const VpaUpdate& a, const VpaUpdate& b) {
    if (a.priority.grows != b.priority.grows) return a.priority.grows;
    if (a.priority.resource_diff != b.priority.resource_diff) {
        return a.priority.resource_diff > b.priority.resource_diff;
    }
    return a.pod < b.pod;
}

VpaEvictionBudget budget_of(const ScalingView& view, std::int64_t running, double tolerance) {
    VpaEvictionBudget budget;
    budget.configured = view.spec_replicas;
    budget.tolerance =
        static_cast<std::int64_t>(static_cast<double>(view.spec_replicas) * tolerance);
    budget.running = running;
    return budget;
}

}  // namespace

VpaPodPriority vpa_pod_priority(const ScalingPod& pod,
                                std::span<const VpaNamedRecommendation> recommended,
                                const VpaUpdateOptions& options) {
    VpaPodPriority priority;
    priority.quick_oom = was_quick_oom(pod, recommended, options);
    VpaPerResource<std::int64_t> requested;
    VpaPerResource<std::int64_t> target;
    VpaPerResource<bool> controlled;
    for (std::size_t i = 0; i < pod.containers.size(); ++i) {
        const ContainerResources& container = pod.containers[i];
        const VpaRecommendation* recommendation = find(recommended, container.name);
        if (recommendation == nullptr) continue;
        for (const VpaResource resource : kVpaResources) {
            const std::optional<VpaBounds>& bounds = (*recommendation)[resource];
            if (!bounds) continue;
            const std::int64_t wanted = milli_units(resource, bounds->target);
            const std::optional<std::int64_t> request =
                resource == VpaResource::cpu ? container.cpu_milli : container.memory_milli;
            controlled[resource] = true;
            target[resource] += wanted;
            requested[resource] += request.value_or(0);
            priority.grows = priority.grows || !request || wanted > *request;
            const bool outside = !request || *request < milli_units(resource, bounds->lower) ||
                                 *request > milli_units(resource, bounds->upper);
            if (!outside || priority.outside) continue;
            priority.outside = true;
            priority.container = i;
            priority.resource = resource;
        }
    }
    for (const VpaResource resource : kVpaResources) {
        if (!controlled[resource]) continue;
        const double request = std::max(static_cast<double>(requested[resource]), 1.0);
        priority.resource_diff +=
            std::fabs(request - static_cast<double>(target[resource])) / request;
    }
    return priority;
}

VpaUpdatePlan plan_vpa_updates(const ScalingView& view,
                               std::span<const VpaNamedRecommendation> recommended,
                               const VpaUpdateOptions& options) {
    VpaUpdatePlan plan;
    std::vector<VpaUpdate> candidates;
    std::int64_t running = 0;
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const ScalingPod& pod = view.pods[i];
        if (!is_live(pod)) continue;
        ++plan.live;
        running += pod.phase == PodPhase::pending ? 0 : 1;
        const VpaPodPriority priority = vpa_pod_priority(pod, recommended, options);
        if (wants_update(pod, priority, view.now, options)) candidates.push_back({i, priority});
    }
    plan.wanting = candidates.size();
    plan.budget = budget_of(view, running, options.eviction_tolerance);
    plan.too_few = static_cast<std::int64_t>(plan.live) < options.min_replicas;
    if (plan.too_few || plan.budget.configured == 0) return plan;

    std::sort(candidates.begin(), candidates.end(), goes_before);
    for (const VpaUpdate& candidate : candidates) {
        const bool pending = view.pods[candidate.pod].phase == PodPhase::pending;
        if (!pending && !plan.budget.allows_one()) continue;
        if (!pending) ++plan.budget.evicted;
        plan.evict.push_back(candidate);
    }
    return plan;
}

}  // namespace headroom::policies
