/// Knative's way from an idle revision to no pods. A revision is activating until enough pods are
/// ready, then active; when 0 pods are wanted and it has been active for a stable window it becomes
/// inactive, and the last pod goes when the activator has been in the path for the grace period and
/// the revision inactive for the retention period.
///
///     KpaWant want = kpa_want(config, activity, desired, present, now);
///     // want.replicas, want.apply; at want.hold, what keeps a pod although 0 are desired
///     kpa_observe(config, activity, want, ready, excess_burst_capacity, now);  // its new status
///
/// `replicas` is -1 where nothing is known yet. One tick late at most: upstream looks again at the
/// very end of each period, this at the tick after. O(1).
/// Source: knative/serving pkg/reconciler/autoscaling/kpa/{scaler,kpa}.go (scale,
/// handleScaleToZero, computeActiveCondition).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/core/time.hpp"

namespace headroom::policies {

struct KpaActivityConfig {
    std::int64_t min_replicas = 0;
    std::int64_t max_replicas = 1;
    std::int64_t initial_scale = 1;
    bool reachable = true;
    bool enable_scale_to_zero = true;
    Duration stable_window = Duration::seconds(60);
    Duration scale_to_zero_grace_period = Duration::seconds(30);
    Duration scale_to_zero_pod_retention_period;
    Duration progress_deadline = Duration::seconds(600);
};

enum class KpaPhase : std::uint8_t { activating, active, inactive };

struct KpaActivity {
    KpaPhase phase = KpaPhase::activating;
    Time since;                         ///< of the phase
    bool initialized = false;           ///< initial_scale pods were ready once
    std::optional<Time> in_path_since;  ///< the activator has been in the path since; nullopt: no
};

/// Why the replicas are not the desired ones.
enum class KpaHold : std::uint8_t {
    none,
    min_replicas,
    initial_scale,
    max_replicas,
    unknown,       ///< no decision yet, or activating: what is there stays
    no_zero,       ///< scale to zero is switched off
    active,        ///< active for less than the stable window: one pod
    deactivating,  ///< becomes inactive now
    retention,     ///< inactive for less than the retention period
    grace,         ///< the activator in the path for less than the grace period
};

struct KpaWant {
    std::int64_t replicas = 0;  ///< -1: unknown
    bool apply = false;         ///< false: the pods stay as they are
    KpaHold hold = KpaHold::none;
    Duration elapsed = {};  ///< of the period that holds
};

/// What to do about `desired` pods where `present` are asked for now. Desired -1: nothing was
/// decided yet; then the bounds alone act, on what is present (upstream creates what it finds
/// here).
[[nodiscard]] KpaWant kpa_want(const KpaActivityConfig& config, const KpaActivity& activity,
                               std::int64_t desired, std::int64_t present, Time now);

/// The status after it.
void kpa_observe(const KpaActivityConfig& config, KpaActivity& activity, const KpaWant& want,
                 std::int64_t ready, std::int64_t excess_burst_capacity, Time now);

}  // namespace headroom::policies
