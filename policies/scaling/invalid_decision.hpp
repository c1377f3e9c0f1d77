/// What is wrong with a policy's parameters, and what it answers at each tick while that is so: the
/// present number, and why. A loader refuses such a configuration; who builds the policy directly
/// reads it here. O(1).
#pragma once

#include <fmt/format.h>

#include <cstdint>

#include "sim/control/scaling_policy.hpp"

namespace headroom::policies {

[[nodiscard]] inline control::ScalingDecision invalid_decision(const control::ScalingView& view,
                                                               const control::ScalingFault& fault) {
    control::ScalingDecision decision;
    decision.desired = decision.wanted = view.spec_replicas;
    decision.outcome = control::ScalingOutcome::invalid;
    decision.reason = fault.pointer + ": " + fault.expectation;
    return decision;
}

/// Of a parameter that gives more replicas than max_replicas.
[[nodiscard]] inline control::ScalingFault above_max(const char* name, std::int64_t replicas,
                                                     std::int64_t max_replicas) {
    return {fmt::format("/{}", name),
            fmt::format("expected at most max_replicas ({}), found {}", max_replicas, replicas)};
}

inline constexpr const char* kNoCalendar = "a cron schedule needs the scenario's \"start\"";

/// What a policy with a cron schedule answers where nothing tells it the date.
[[nodiscard]] inline control::ScalingDecision no_calendar_decision(
    const control::ScalingView& view) {
    control::ScalingDecision decision;
    decision.desired = decision.wanted = view.spec_replicas;
    decision.outcome = control::ScalingOutcome::invalid;
    decision.reason = kNoCalendar;
    return decision;
}

}  // namespace headroom::policies
