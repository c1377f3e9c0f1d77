#include "policies/scaling/hpa/hpa_behavior.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "policies/scaling/decision_text.hpp"

namespace headroom::policies {

namespace {

constexpr std::int64_t kMostReplicas = std::numeric_limits<std::int32_t>::max();

/// To the replica count of the API, which has 32 bits; saturates.
std::int64_t to_replicas(double replicas) {
    constexpr double kBound = static_cast<double>(kMostReplicas);
    return static_cast<std::int64_t>(std::clamp(replicas, -kBound, kBound));
}

std::string policy_text(const HpaScalingPolicy& policy) {
    const char* unit = policy.type == HpaScalingPolicy::Type::pods ? "pods" : "%";
    return fmt::format("policy {} {}/{}", policy.value, unit, span_text(policy.period));
}

/// Replicas when the policy's period began, before the changes of both directions since.
std::int64_t replicas_at_period_start(std::int64_t current, const HpaScaleEvents& events,
                                      Duration period, Time now) {
    return current - change_in_period(events.up, period, now) +
           change_in_period(events.down, period, now);
}

void store(std::vector<HpaScaleEvent>& log, const HpaScalingRules& rules, std::int64_t change,
           Time now) {
    Duration longest;
    for (const auto& policy : rules.policies) longest = std::max(longest, policy.period);
    HpaScaleEvent* reusable = nullptr;
    for (auto& event : log) {
        if (event.time < now - longest) event.outdated = true;
        if (event.outdated) reusable = &event;
    }
    const HpaScaleEvent event{.change = change, .time = now, .outdated = false};
    if (reusable != nullptr) {
        *reusable = event;
    } else {
        log.push_back(event);
    }
}

void remember(std::vector<HpaRecommendation>& log, HpaRecommendation* outdated,
              std::int64_t desired, Time now) {
    if (outdated != nullptr) {
        *outdated = {desired, now};
    } else {
        log.push_back({desired, now});
    }
}

}  // namespace

HpaScalingRules default_scale_up_rules() {
    using Type = HpaScalingPolicy::Type;
    return {.stabilization_window = Duration::zero(),
            .select_policy = HpaSelectPolicy::max,
            .policies = {{.type = Type::pods, .value = 4, .period = Duration::seconds(15)},
                         {.type = Type::percent, .value = 100, .period = Duration::seconds(15)}}};
}

HpaScalingRules default_scale_down_rules(Duration downscale_stabilization) {
    using Type = HpaScalingPolicy::Type;
    return {.stabilization_window = downscale_stabilization,
            .select_policy = HpaSelectPolicy::max,
            .policies = {{.type = Type::percent, .value = 100, .period = Duration::seconds(15)}}};
}

std::int64_t change_in_period(const std::vector<HpaScaleEvent>& events, Duration period, Time now) {
    std::int64_t sum = 0;
    for (const auto& event : events) {
        if (event.time > now - period) sum += event.change;
    }
    return sum;
}

LimitedReplicas scale_up_limit(std::int64_t current, const HpaScaleEvents& events,
                               const HpaScalingRules& rules, Time now) {
    if (rules.select_policy == HpaSelectPolicy::disabled) {
        return {current, "scale-up is disabled"};
    }
    const bool widest = rules.select_policy == HpaSelectPolicy::max;
    LimitedReplicas limit{widest ? -kMostReplicas : kMostReplicas, {}};
    for (const auto& policy : rules.policies) {
        const std::int64_t start = replicas_at_period_start(current, events, policy.period, now);
        // Rounded up: a small percentage of few replicas must still allow one more.
        const std::int64_t proposed =
            policy.type == HpaScalingPolicy::Type::pods
                ? start + policy.value
                : to_replicas(std::ceil(static_cast<double>(start) *
                                        (1.0 + static_cast<double>(policy.value) / 100.0)));
        if (widest ? proposed > limit.replicas : proposed < limit.replicas) {
            limit = {proposed, policy_text(policy)};
        }
    }
    return limit;
}

LimitedReplicas scale_down_limit(std::int64_t current, const HpaScaleEvents& events,
                                 const HpaScalingRules& rules, Time now) {
    if (rules.select_policy == HpaSelectPolicy::disabled) {
        return {current, "scale-down is disabled"};
    }
    const bool widest = rules.select_policy == HpaSelectPolicy::max;
    LimitedReplicas limit{widest ? kMostReplicas : -kMostReplicas, {}};
    for (const auto& policy : rules.policies) {
        const std::int64_t start = replicas_at_period_start(current, events, policy.period, now);
        const std::int64_t proposed =
            policy.type == HpaScalingPolicy::Type::pods
                ? start - policy.value
                : to_replicas(std::trunc(static_cast<double>(start) *
                                         (1.0 - static_cast<double>(policy.value) / 100.0)));
        if (widest ? proposed < limit.replicas : proposed > limit.replicas) {
            limit = {proposed, policy_text(policy)};
        }
    }
    return limit;
}

std::int64_t stabilize_downscale(std::vector<HpaRecommendation>& log, std::int64_t desired,
                                 Duration window, Time now) {
    std::int64_t largest = desired;
    HpaRecommendation* outdated = nullptr;
    for (auto& past : log) {
        if (past.time < now - window) {
            outdated = &past;
        } else {
            largest = std::max(largest, past.replicas);
        }
    }
    remember(log, outdated, desired, now);
    return largest;
}

std::int64_t stabilize_with_behavior(std::vector<HpaRecommendation>& log,
                                     const HpaBehavior& behavior, std::int64_t current,
                                     std::int64_t desired, Time now) {
    const Time up_cutoff = now - behavior.up.stabilization_window;
    const Time down_cutoff = now - behavior.down.stabilization_window;
    std::int64_t up = desired;
    std::int64_t down = desired;
    HpaRecommendation* outdated = nullptr;
    for (auto& past : log) {
        if (past.time > up_cutoff) up = std::min(up, past.replicas);
        if (past.time > down_cutoff) down = std::max(down, past.replicas);
        if (past.time < up_cutoff && past.time < down_cutoff) outdated = &past;
    }
    remember(log, outdated, desired, now);
    return std::min(std::max(current, up), down);
}

LimitedReplicas limit_without_behavior(const HpaBounds& bounds, std::int64_t current,
                                       std::int64_t desired, double factor, std::int64_t minimum) {
    const std::int64_t rate =
        to_replicas(std::max(factor * static_cast<double>(current), static_cast<double>(minimum)));
    const bool rate_binds = rate < bounds.max_replicas;
    if (desired < bounds.min_replicas) return {bounds.min_replicas, "min_replicas"};
    if (desired > std::min(rate, bounds.max_replicas)) {
        if (!rate_binds) return {bounds.max_replicas, "max_replicas"};
        return {rate, fmt::format("scale-up limit max({} x {}, {})", factor, current, minimum)};
    }
    return {desired, {}};
}

LimitedReplicas limit_with_behavior(const HpaBounds& bounds, const HpaBehavior& behavior,
                                    const HpaScaleEvents& events, std::int64_t current,
                                    std::int64_t desired, Time now) {
    if (desired > current) {
        LimitedReplicas allowed = scale_up_limit(current, events, behavior.up, now);
        allowed.replicas = std::max(allowed.replicas, current);
        if (allowed.replicas >= bounds.max_replicas) {
            allowed = {bounds.max_replicas, "max_replicas"};
        }
        if (desired > allowed.replicas) return allowed;
    } else if (desired < current) {
        LimitedReplicas allowed = scale_down_limit(current, events, behavior.down, now);
        allowed.replicas = std::min(allowed.replicas, current);
        if (allowed.replicas <= bounds.min_replicas) {
            allowed = {bounds.min_replicas, "min_replicas"};
        }
        if (desired < allowed.replicas) return allowed;
    }
    return {desired, {}};
}

void store_scale_event(HpaScaleEvents& events, const HpaBehavior& behavior, std::int64_t before,
                       std::int64_t after, Time now) {
    if (after > before) {
        store(events.up, behavior.up, after - before, now);
    } else if (after < before) {
        store(events.down, behavior.down, before - after, now);
    }
}

}  // namespace headroom::policies
