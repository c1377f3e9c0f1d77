#include "policies/scaling/kpa/kpa_activity.hpp"

#include <algorithm>

namespace headroom::policies {

namespace {

constexpr std::int64_t kUnknown = -1;
/// Upstream waits this much longer than the deployment itself before it gives up an activation.
constexpr Duration kActivationBuffer = Duration::seconds(30);

std::int64_t least_replicas(const KpaActivityConfig& config) {
    return config.reachable ? config.min_replicas : 0;
}

/// Ready pods that make it active.
std::int64_t active_threshold(const KpaActivityConfig& config, const KpaActivity& activity) {
    const std::int64_t least = activity.initialized ? 1 : config.initial_scale;
    return std::max(least_replicas(config), least);
}

KpaWant inside_bounds(const KpaActivityConfig& config, const KpaActivity& activity,
                      std::int64_t desired) {
    std::int64_t least = least_replicas(config);
    KpaHold low = KpaHold::min_replicas;
    if (config.initial_scale > std::max<std::int64_t>(least, 1) && !activity.initialized) {
        least = config.initial_scale;
        low = KpaHold::initial_scale;
    }
    if (desired < least) return {.replicas = least, .apply = true, .hold = low};
    if (desired > config.max_replicas) {
        return {.replicas = config.max_replicas, .apply = true, .hold = KpaHold::max_replicas};
    }
    return {.replicas = desired, .apply = true};
}

KpaWant last_pod(const KpaActivityConfig& config, const KpaActivity& activity, Time now) {
    const Duration idle = now - activity.since;
    const Duration grace = config.scale_to_zero_grace_period;
    const Duration retention = config.scale_to_zero_pod_retention_period;
    if (idle >= std::max(grace, retention)) return {.replicas = 0, .apply = true};
    if (idle < retention) {
        return {.replicas = 0, .apply = false, .hold = KpaHold::retention, .elapsed = idle};
    }
    const Duration in_path =
        activity.in_path_since ? now - *activity.in_path_since : Duration::zero();
    if (in_path >= grace) return {.replicas = 0, .apply = true};
    return {.replicas = 0, .apply = false, .hold = KpaHold::grace, .elapsed = in_path};
}

KpaWant zero_pods(const KpaActivityConfig& config, const KpaActivity& activity, Time now) {
    if (!config.enable_scale_to_zero) {
        return {.replicas = 1, .apply = true, .hold = KpaHold::no_zero};
    }
    const Duration lasting = now - activity.since;
    switch (activity.phase) {
        case KpaPhase::activating:
            if (lasting > config.progress_deadline + kActivationBuffer) {
                return {.replicas = 0, .apply = true};
            }
            return {.replicas = kUnknown, .apply = false, .hold = KpaHold::unknown};
        case KpaPhase::active:
            if (lasting >= config.stable_window) {
                return {.replicas = 0, .apply = false, .hold = KpaHold::deactivating};
            }
            return {.replicas = 1, .apply = true, .hold = KpaHold::active, .elapsed = lasting};
        case KpaPhase::inactive:
            break;
    }
    return last_pod(config, activity, now);
}

void enter(KpaActivity& activity, KpaPhase phase, Time now) {
    if (activity.phase == phase) return;
    activity.phase = phase;
    activity.since = now;
}

}  // namespace

KpaWant kpa_want(const KpaActivityConfig& config, const KpaActivity& activity, std::int64_t desired,
                 std::int64_t present, Time now) {
    const KpaWant unknown = {.replicas = kUnknown, .apply = false, .hold = KpaHold::unknown};
    if (desired < 0) {
        if (activity.phase != KpaPhase::activating) return unknown;
        const KpaWant bounded = inside_bounds(config, activity, present);
        if (bounded.hold != KpaHold::none) return bounded;
        const bool never_zero = least_replicas(config) > 0 || !config.enable_scale_to_zero;
        return never_zero ? unknown : zero_pods(config, activity, now);
    }
    const KpaWant bounded = inside_bounds(config, activity, desired);
    return bounded.replicas == 0 ? zero_pods(config, activity, now) : bounded;
}

void kpa_observe(const KpaActivityConfig& config, KpaActivity& activity, const KpaWant& want,
                 std::int64_t ready, std::int64_t excess_burst_capacity, Time now) {
    const bool idle = want.replicas == kUnknown && activity.phase == KpaPhase::inactive;
    // Without an endpoint there is nobody else to hold a request.
    const bool in_path = want.replicas == 0 || idle || excess_burst_capacity < 0 || ready == 0;
    if (!in_path) {
        activity.in_path_since.reset();
    } else if (!activity.in_path_since) {
        activity.in_path_since = now;
    }

    const std::int64_t threshold = active_threshold(config, activity);
    if (ready >= threshold) activity.initialized = true;
    const bool wanted = want.replicas > 0 || activity.phase != KpaPhase::inactive;
    if (want.replicas == 0 || threshold == 0 || !wanted) {
        enter(activity, KpaPhase::inactive, now);
    } else {
        enter(activity, ready < threshold ? KpaPhase::activating : KpaPhase::active, now);
    }
}

}  // namespace headroom::policies
