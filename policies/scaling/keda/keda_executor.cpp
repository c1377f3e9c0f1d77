#include "policies/scaling/keda/keda_executor.hpp"

#include <algorithm>

namespace headroom::policies {

namespace {

using Reason = KedaScaleReason;

bool cooled_down(const KedaScaleRules& rules, std::optional<Time> last_active,
                 std::optional<Time> created, Time now) {
    if (last_active) return last_active->later_by(rules.cooldown_period) < now;
    return !created || created->later_by(rules.initial_cooldown_period) < now;
}

KedaScale when_active(const KedaScaleRules& rules, const KedaScaleInput& input) {
    const bool idle = rules.idle_replica_count && input.current < rules.min_replicas;
    if (idle || input.current == 0) {
        if (rules.paused_scale_out) return {input.current, Reason::scale_out_paused, false};
        return {std::max<std::int64_t>(rules.min_replicas, 1), Reason::activated, true};
    }
    // With a failing trigger beside the active one upstream notes the failure, and not the time.
    return {input.current, Reason::nothing, !input.error};
}

KedaScale when_inactive(const KedaScaleRules& rules, const KedaScaleInput& input, bool cooled) {
    const std::int64_t current = input.current;
    const bool falls_back = rules.fallback_replicas && *rules.fallback_replicas != 0;
    if (input.error && (falls_back || !rules.fallback_replicas)) {
        return {current, Reason::failed, false};
    }
    const bool above_idle = rules.idle_replica_count && current > *rules.idle_replica_count;
    if (above_idle || (current > 0 && rules.min_replicas == 0)) {
        if (rules.paused_scale_in) return {current, Reason::scale_in_paused, false};
        if (!cooled) return {current, Reason::cooling, false};
        return {rules.idle_replica_count.value_or(rules.min_replicas), Reason::deactivated, false};
    }
    if (current < rules.min_replicas && !rules.idle_replica_count) {
        return {rules.min_replicas, Reason::raised, false};
    }
    return {current, Reason::nothing, false};
}

}  // namespace

KedaScale keda_scale(const KedaScaleRules& rules, const KedaScaleInput& input,
                     std::optional<Time> last_active, std::optional<Time> created, Time now) {
    if (rules.paused_replicas) return {*rules.paused_replicas, Reason::paused, false};
    if (input.active || rules.force_activation) return when_active(rules, input);
    return when_inactive(rules, input, cooled_down(rules, last_active, created, now));
}

}  // namespace headroom::policies
