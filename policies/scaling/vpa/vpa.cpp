#include "policies/scaling/vpa/vpa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policies/scaling/invalid_decision.hpp"

namespace headroom::policies {

namespace {

using control::ContainerResources;
using control::MetricKind;
using control::MetricReading;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;

/// How often histories that are over are looked for (pkg/recommender/main.go).
constexpr Duration kForgettingInterval = Duration::hours(1);

/// An amount as a Kubernetes quantity; memory in whole Mi and a tenth.
std::string amount_text(VpaResource resource, std::int64_t amount) {
    if (amount >= kMostVpaAmount) return "any";
    if (resource == VpaResource::cpu) return fmt::format("{}m", amount);
    constexpr std::int64_t kMebi = 1 << 20;
    const std::int64_t tenth = amount % kMebi * 10 / kMebi;
    if (tenth == 0) return fmt::format("{}Mi", amount / kMebi);
    return fmt::format("{}.{}Mi", amount / kMebi, tenth);
}

std::string bounds_text(VpaResource resource, const VpaBounds& bounds) {
    return fmt::format("{} to {}", amount_text(resource, bounds.lower),
                       amount_text(resource, bounds.upper));
}

/// The sample of one container of one pod; nullptr: there is none.
const PodSample* sample_of(const MetricReading& reading, std::size_t pod, std::size_t container,
                           std::size_t containers) {
    if (!reading.available) return nullptr;
    if (pod < reading.containers.size() && container < reading.containers[pod].size()) {
        const auto& sample = reading.containers[pod][container];
        return sample ? &*sample : nullptr;
    }
    if (containers != 1 || pod >= reading.pods.size()) return nullptr;
    return reading.pods[pod] ? &*reading.pods[pod] : nullptr;
}

/// Why a pod of the plan goes, in an SRE's words: its name comes before.
std::string eviction_reason(const ScalingPod& pod, const VpaPodPriority& priority,
                            const std::vector<VpaNamedRecommendation>& recommended) {
    if (!priority.outside) {
        return fmt::format(
            "{}is {:.0f} % off its targets, cpu and memory added up",
            priority.quick_oom ? "was killed for memory soon after its start and " : "",
            100.0 * priority.resource_diff);
    }
    const ContainerResources& container = pod.containers[priority.container];
    const VpaResource resource = priority.resource;
    const bool cpu = resource == VpaResource::cpu;
    const auto& request = cpu ? container.cpu_milli : container.memory_milli;
    const auto named =
        std::find_if(recommended.begin(), recommended.end(),
                     [&](const auto& candidate) { return candidate.container == container.name; });
    const std::string bounds = bounds_text(resource, *named->of[resource]);
    if (!request) return fmt::format("requests no {}, recommended {}", name_of(resource), bounds);
    const std::int64_t amount = cpu ? *request : *request / 1000;
    return fmt::format("requests {} {}, recommended {}", name_of(resource),
                       amount_text(resource, amount), bounds);
}

}  // namespace

Vpa::Vpa(const Parameters& parameters, const PolicyContext&)
    : config_(read_vpa_config(parameters)) {}

std::vector<control::MetricRequest> Vpa::metrics() const {
    return {{.kind = MetricKind::resource, .name = "cpu", .container = {}, .pointer = {}},
            {.kind = MetricKind::resource, .name = "memory", .container = {}, .pointer = {}}};
}

VpaContainerPolicy Vpa::policy_of(const ContainerResources& container) const {
    const VpaContainerPolicy* found = nullptr;
    for (const VpaContainerPolicy& policy : config_.policies) {
        if (policy.container_name == container.name) return policy;
        const bool for_others = found == nullptr && policy.container_name == "*";
        if (for_others || container.is_named(policy.container_name)) found = &policy;
    }
    return found != nullptr ? *found : VpaContainerPolicy{};
}

std::size_t Vpa::find_container(const ScalingView& view, const ContainerResources& named) {
    const std::string& name = named.name;
    for (std::size_t i = 0; i < containers_.size(); ++i) {
        if (containers_[i].name == name) return i;
    }
    Container container{name, policy_of(named),
                        VpaUsageHistory(config_.usage, view.start_unix_s.value_or(0), view.now),
                        std::nullopt, std::nullopt};
    for (const ContainerResources& asked : view.containers) {
        if (asked.name != name || !asked.memory_limit_milli) continue;
        container.memory_limit = *asked.memory_limit_milli / 1000;
        if (asked.memory_milli) container.memory_request = *asked.memory_milli / 1000;
        auto& limit = container.policy.limits.memory;
        limit = std::min(limit.value_or(*container.memory_limit), *container.memory_limit);
    }
    containers_.push_back(std::move(container));
    return containers_.size() - 1;
}

void Vpa::load_pods(const ScalingView& view) {
    // Both lists are in the order of creation: what is missing was deleted, what is new comes last.
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const ScalingPod& pod = view.pods[i];
        const auto from = pods_.begin() + static_cast<std::ptrdiff_t>(i);
        const auto at =
            std::find_if(from, pods_.end(), [&](const Pod& p) { return p.name == pod.name; });
        if (at == pods_.end()) {
            pods_.insert(from, Pod{.name = pod.name, .containers = {}});
        } else {
            pods_.erase(from, at);
        }
        std::vector<PodContainer>& containers = pods_[i].containers;
        if (!containers.empty()) continue;
        for (const ContainerResources& container : pod.containers) {
            containers.push_back({find_container(view, container), {}});
        }
    }
    pods_.resize(view.pods.size());
    if (view.pods.empty()) return;
    containers_per_pod_ = 1;
    for (const Pod& pod : pods_) {
        containers_per_pod_ = std::max(containers_per_pod_, pod.containers.size());
    }
}

void Vpa::load_samples(const ScalingView& view) {
    if (view.metrics.size() < kVpaResources.size()) return;
    for (std::size_t i = 0; i < pods_.size(); ++i) {
        std::vector<PodContainer>& containers = pods_[i].containers;
        for (std::size_t c = 0; c < containers.size(); ++c) {
            VpaUsageHistory& history = containers_[containers[c].container].history;
            VpaContainerUsage& usage = containers[c].usage;
            if (const PodSample* cpu = sample_of(view.metrics[0], i, c, containers.size())) {
                usage.add_cpu_sample(history, cpu->timestamp, cpu->value_milli);
            }
            if (const PodSample* memory = sample_of(view.metrics[1], i, c, containers.size())) {
                usage.add_memory_sample(history, config_.usage, memory->timestamp,
                                        memory->value_milli / 1000);
            }
        }
    }
}

/// After the samples, as upstream's feeder does: what the container used is the larger of its
/// request and the peak of its samples.
void Vpa::load_oom_kills(const ScalingView& view) {
    for (std::size_t i = 0; i < pods_.size(); ++i) {
        const std::optional<control::OomKill>& kill = view.pods[i].oom_kill;
        if (!kill || kill->container >= pods_[i].containers.size()) continue;
        PodContainer& container = pods_[i].containers[kill->container];
        if (container.last_oom && kill->at <= *container.last_oom) continue;
        container.last_oom = kill->at;
        container.usage.record_oom(containers_[container.container].history, config_.usage,
                                   kill->at, kill->memory_milli / 1000);
    }
}

void Vpa::recommend() {
    std::size_t count = 0;
    for (const Container& container : containers_) {
        if (container.policy.off || container.history.cpu_samples() == 0) continue;
        if (count == recommended_.size()) recommended_.emplace_back();
        recommended_[count].container = container.name;
        recommended_[count].of = vpa_recommend(container.history, config_.estimators,
                                               container.policy, containers_per_pod_);
        ++count;
    }
    recommended_.resize(count);
}

void Vpa::forget_expired(const ScalingView& view) {
    if (next_forgetting_ && view.now < *next_forgetting_) return;
    next_forgetting_ = view.now.later_by(kForgettingInterval);
    for (Container& container : containers_) {
        if (!container.history.expired(view.now)) continue;
        container.history = VpaUsageHistory(config_.usage, view.start_unix_s.value_or(0), view.now);
    }
}

const Vpa::Container& Vpa::container_of(const VpaNamedRecommendation& recommended) const {
    return *std::find_if(containers_.begin(), containers_.end(), [&](const Container& candidate) {
        return candidate.name == recommended.container;
    });
}

std::optional<std::int64_t> Vpa::new_limit(const VpaNamedRecommendation& recommended) const {
    const Container& container = container_of(recommended);
    if (!recommended.of.memory || !container.memory_limit || container.policy.requests_only) {
        return std::nullopt;
    }
    return vpa_proportional_limit(*container.memory_limit, container.memory_request,
                                  recommended.of.memory->target);
}

std::vector<ContainerResources> Vpa::new_requests() {
    const auto same_targets = [](const VpaNamedRecommendation& a, const VpaNamedRecommendation& b) {
        const auto target = [](const std::optional<VpaBounds>& bounds) {
            return bounds ? bounds->target : -1;
        };
        return a.container == b.container && target(a.of.cpu) == target(b.of.cpu) &&
               target(a.of.memory) == target(b.of.memory);
    };
    if (std::equal(recommended_.begin(), recommended_.end(), announced_.begin(), announced_.end(),
                   same_targets)) {
        return {};
    }
    announced_ = recommended_;
    std::vector<ContainerResources> requests;
    for (const VpaNamedRecommendation& recommendation : recommended_) {
        ContainerResources container{recommendation.container, std::nullopt, std::nullopt};
        if (recommendation.of.cpu) container.cpu_milli = recommendation.of.cpu->target;
        if (recommendation.of.memory) {
            container.memory_milli = recommendation.of.memory->target * 1000;
        }
        if (const auto limit = new_limit(recommendation)) {
            container.memory_limit_milli = *limit * 1000;
        }
        requests.push_back(std::move(container));
    }
    return requests;
}

std::string Vpa::describe_recommendations() const {
    std::string text;
    for (const VpaNamedRecommendation& recommendation : recommended_) {
        text += text.empty() ? "" : "; ";
        text += recommendation.container + ":";
        for (const VpaResource resource : kVpaResources) {
            const std::optional<VpaBounds>& bounds = recommendation.of[resource];
            if (!bounds) continue;
            text +=
                fmt::format(" {} {} ({}),", name_of(resource),
                            amount_text(resource, bounds->target), bounds_text(resource, *bounds));
        }
        if (const auto limit = new_limit(recommendation)) {
            text += fmt::format(" limit {},", amount_text(VpaResource::memory, *limit));
        }
        const VpaUsageHistory& history = container_of(recommendation).history;
        text += fmt::format(" {} cpu samples in {:.1f} h", history.cpu_samples(),
                            history.lifespan().to_seconds() / 3600.0);
    }
    return text;
}

std::string Vpa::describe_idle_policies(const ScalingView& view) const {
    std::string text;
    for (const VpaContainerPolicy& policy : config_.policies) {
        const bool named = policy.container_name != "*" && !view.containers.empty();
        const auto is_meant = [&](const ContainerResources& container) {
            return container.is_named(policy.container_name);
        };
        if (!named || std::any_of(view.containers.begin(), view.containers.end(), is_meant)) {
            continue;
        }
        text += fmt::format("; no pod has the container \"{}\" of container_policies",
                            policy.container_name);
    }
    return text;
}

void Vpa::update(const ScalingView& view, ScalingDecision& decision) {
    if (next_update_ && view.now < *next_update_) {
        decision.reason = "recommends only: the updater is not due";
        return;
    }
    next_update_ = view.now.later_by(config_.updater_interval);
    VpaUpdatePlan plan = plan_vpa_updates(view, recommended_, config_.update);
    if (plan.wanting == 0) {
        decision.reason = fmt::format("none of {} live pods is to be replaced", plan.live);
        return;
    }
    const VpaEvictionBudget& budget = plan.budget;
    const std::string held =
        plan.too_few
            ? fmt::format("{} live, min_replicas {}", plan.live, config_.update.min_replicas)
            : fmt::format("{} of {} run, eviction_tolerance {} lets {} be away", budget.running,
                          budget.configured, config_.update.eviction_tolerance, budget.tolerance);
    if (plan.evict.empty()) {
        decision.outcome = ScalingOutcome::limited;
        decision.reason = fmt::format("{} to replace, none may go: {}", plan.wanting, held);
        return;
    }
    for (const VpaUpdate& update : plan.evict) {
        const ScalingPod& pod = view.pods[update.pod];
        decision.evict.push_back({update.pod, eviction_reason(pod, update.priority, recommended_)});
    }
    const std::string why =
        fmt::format("{} of {} to replace go: {}", plan.evict.size(), plan.wanting, held);
    decision.reason =
        fmt::format("{}{} {}; {}", plan.evict.size() > 1 ? "one of several: " : "",
                    view.pods[plan.evict.front().pod].name, decision.evict.front().reason, why);
    for (control::Eviction& eviction : decision.evict) eviction.reason += "; " + why;
}

ScalingDecision Vpa::decide(const ScalingView& view) {
    ScalingDecision decision{.desired = view.spec_replicas, .wanted = view.spec_replicas};
    if (!config_.faults.empty()) return invalid_decision(view, config_.faults.front());
    load_pods(view);
    load_samples(view);
    load_oom_kills(view);
    recommend();
    forget_expired(view);
    if (recommended_.empty()) {
        const bool failed = !view.metrics.empty() && !view.metrics[0].available;
        decision.outcome = ScalingOutcome::no_metrics;
        decision.reason = "nothing to recommend yet: no cpu sample";
        if (failed) decision.inputs = view.metrics[0].error;
        decision.inputs += describe_idle_policies(view);
        return decision;
    }
    decision.inputs = describe_recommendations() + describe_idle_policies(view);
    switch (config_.mode) {
        case VpaUpdateMode::off:
            decision.reason = "recommends only: update_mode Off";
            break;
        case VpaUpdateMode::initial:
            decision.requests = new_requests();
            decision.reason = "for new pods only: update_mode Initial";
            break;
        case VpaUpdateMode::recreate:
            decision.requests = new_requests();
            update(view, decision);
            break;
    }
    return decision;
}

REGISTER_POLICY(ScalingPolicy, Vpa, "vpa",
                "Kubernetes' vertical pod autoscaler: what pods request, by their usage");

}  // namespace headroom::policies
