/// From a history of usage to a recommendation for a container: per resource a target, and the
/// bounds outside of which a pod's request is not worth keeping.
///
/// Each is a percentile of the history plus a safety margin. The bounds then widen by how little is
/// known: with confidence c (days of history, at most its samples / 1440) the upper one counts
/// (1 + 1/c) times and the lower one (1 + 0.001/c)^-2 times. At last comes the container's share of
/// the pod's minimum. The resource policy of the container caps all three.
///
///     const VpaRecommendation r = vpa_recommend(history, estimators, policy, 1);
///     r.cpu->target;   // milli-cores; nullopt: the policy does not control the resource
///
/// Amounts as in vpa_amounts.hpp. O(buckets). Source: kubernetes/autoscaler
/// vertical-pod-autoscaler/pkg/recommender/logic/{estimator,recommender}.go, defaults
/// pkg/recommender/config/config.go; the policy pkg/utils/vpa/{api,capping}.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "policies/scaling/vpa/vpa_amounts.hpp"
#include "policies/scaling/vpa/vpa_usage.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

/// How one resource is estimated.
struct VpaEstimator {
    double lower_percentile = 0.5;
    double target_percentile = 0.9;
    double upper_percentile = 0.95;
    Duration confidence_interval = Duration::hours(24);  ///< of history with confidence 1
    std::int64_t pod_minimum = 0;                        ///< shared by the pod's containers
};

struct VpaEstimators {
    VpaPerResource<VpaEstimator> of = {.cpu = {.pod_minimum = 25},
                                       .memory = {.pod_minimum = 250 << 20}};
    double margin_fraction = 0.15;
};

/// What the user allows for the containers of one name, "*" for those without a policy.
struct VpaContainerPolicy {
    std::string container_name = "*";
    bool off = false;  ///< no recommendation at all
    VpaPerResource<bool> controlled = {true, true};
    VpaPerResource<std::optional<std::int64_t>> min_allowed;  ///< 0: as if not given
    VpaPerResource<std::optional<std::int64_t>> max_allowed;  ///< 0: as if not given
    /// Limits stay as they are, so a request cannot exceed them; else they grow with the requests.
    bool requests_only = false;
    VpaPerResource<std::optional<std::int64_t>> limits;  ///< of the container
};

struct VpaBounds {
    std::int64_t lower = 0;
    std::int64_t target = 0;
    std::int64_t upper = 0;

    bool operator==(const VpaBounds&) const = default;
};

using VpaRecommendation = VpaPerResource<std::optional<VpaBounds>>;

/// `lifespan` is from the first to the last of the samples.
[[nodiscard]] double vpa_confidence(Duration lifespan, std::int64_t samples, Duration interval);
/// The amount and the fraction of it.
[[nodiscard]] std::int64_t vpa_with_margin(std::int64_t amount, double fraction);
/// amount * (1 + multiplier / confidence)^exponent.
[[nodiscard]] std::int64_t vpa_with_confidence(std::int64_t amount, double multiplier,
                                               double exponent, double confidence);
/// Within min_allowed and then max_allowed, and under a limit that stays.
[[nodiscard]] std::int64_t vpa_cap(std::int64_t amount, VpaResource resource,
                                   const VpaContainerPolicy& policy);

/// What a limit becomes with a new request, both in bytes: in the proportion of the two of the
/// template, cut off; the request itself where they are equal or there is none. (pkg/utils/vpa/
/// limit_and_request_scaling.go; upstream counts in milli-units.)
[[nodiscard]] std::int64_t vpa_proportional_limit(std::int64_t limit,
                                                  std::optional<std::int64_t> request,
                                                  std::int64_t recommended);

/// `containers`: of the pod. The history has at least one CPU sample.
[[nodiscard]] VpaRecommendation vpa_recommend(const VpaUsageHistory& history,
                                              const VpaEstimators& estimators,
                                              const VpaContainerPolicy& policy,
                                              std::size_t containers);

}  // namespace headroom::policies
