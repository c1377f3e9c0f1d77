/// What KEDA itself does to a scaled workload at each poll: 0 to 1, idle to the minimum, and back
/// when nothing has been active for the cooldown period. All else is the HPA's.
///
///     const KedaScaleInput input{.current = 0, .active = true};
///     KedaScale scale = keda_scale(rules, input, last_active, created, now);
///     // scale.replicas == 1, scale.sets_last_active
///
/// With an error and no active trigger nothing is done, with a fallback as without one (that acts
/// through the HPA); only a fallback of 0 replicas lets a failing workload go to zero. A workload
/// that never was active needs no cooldown, but the initial one. Pure, O(1).
/// Source: kedacore/keda pkg/scaling/executor/scale_scaledobjects.go (RequestScale).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/core/time.hpp"

namespace headroom::policies {

struct KedaScaleRules {
    std::int64_t min_replicas = 0;
    std::optional<std::int64_t> idle_replica_count;
    std::optional<std::int64_t> fallback_replicas;
    std::optional<std::int64_t> paused_replicas;  ///< nothing but this number
    Duration cooldown_period = Duration::seconds(300);
    Duration initial_cooldown_period;
    bool paused_scale_in = false;
    bool paused_scale_out = false;
    bool force_activation = false;
};

struct KedaScaleInput {
    std::int64_t current = 0;
    bool active = false;  ///< some trigger is
    bool error = false;   ///< some trigger failed
};

enum class KedaScaleReason : std::uint8_t {
    nothing,      ///< nothing to do; the HPA scales
    paused,       ///< to paused_replicas, or already there
    activated,    ///< to the minimum
    deactivated,  ///< to idle_replica_count or the minimum
    raised,       ///< below the minimum
    cooling,      ///< inactive, but not for long enough
    scale_in_paused,
    scale_out_paused,
    failed,  ///< a trigger failed and none is active
};

struct KedaScale {
    std::int64_t replicas = 0;
    KedaScaleReason reason = KedaScaleReason::nothing;
    bool sets_last_active = false;
};

/// `last_active` nullopt: never; `created` nullopt: long ago.
[[nodiscard]] KedaScale keda_scale(const KedaScaleRules& rules, const KedaScaleInput& input,
                                   std::optional<Time> last_active, std::optional<Time> created,
                                   Time now);

}  // namespace headroom::policies
