#include "policies/scaling/vpa/vpa_recommender.hpp"

#include <algorithm>

#include "policies/scaling/vpa/go_math.hpp"
#include "sim/core/check.hpp"

namespace headroom::policies {

namespace {

/// In doubles of whole nanoseconds, as Go's durations convert.
double nanoseconds(Duration duration) {
    return static_cast<double>(duration / Duration::nanoseconds(1));
}

double minutes(Duration duration) {
    constexpr double kNsPerMinute = 60e9;
    return static_cast<double>(duration / Duration::minutes(1)) +
           nanoseconds(duration % Duration::minutes(1)) / kNsPerMinute;
}

/// A percentile of the history in the resource's amounts.
std::int64_t percentile_of(const VpaUsageHistory& history, VpaResource resource, double fraction) {
    if (resource == VpaResource::cpu) {
        return vpa_amount(history.cpu().percentile(fraction) * 1000.0);
    }
    return vpa_amount(history.memory_peaks().percentile(fraction));
}

}  // namespace

double vpa_confidence(Duration lifespan, std::int64_t samples, Duration interval) {
    const double by_age = nanoseconds(lifespan) / nanoseconds(interval);
    const double by_samples = static_cast<double>(samples) / minutes(interval);
    return std::min(by_age, by_samples);
}

std::int64_t vpa_with_margin(std::int64_t amount, double fraction) {
    return amount + vpa_scale(amount, fraction);
}

std::int64_t vpa_with_confidence(std::int64_t amount, double multiplier, double exponent,
                                 double confidence) {
    return vpa_scale(amount, go_pow(1.0 + multiplier / confidence, exponent));
}

std::int64_t vpa_cap(std::int64_t amount, VpaResource resource, const VpaContainerPolicy& policy) {
    const std::int64_t least = policy.min_allowed[resource].value_or(0);
    const std::int64_t most = policy.max_allowed[resource].value_or(0);
    if (least != 0) amount = std::max(amount, least);
    if (most != 0) amount = std::min(amount, most);
    const auto& limit = policy.limits[resource];
    return policy.requests_only && limit ? std::min(amount, *limit) : amount;
}

std::int64_t vpa_proportional_limit(std::int64_t limit, std::optional<std::int64_t> request,
                                    std::int64_t recommended) {
    if (request.value_or(0) == 0 || *request == limit) return recommended;
    return static_cast<std::int64_t>(static_cast<Int128>(limit) * recommended / *request);
}

VpaRecommendation vpa_recommend(const VpaUsageHistory& history, const VpaEstimators& estimators,
                                const VpaContainerPolicy& policy, std::size_t containers) {
    HEADROOM_CHECK(containers > 0, "a pod has containers");
    VpaRecommendation recommendation;
    for (const VpaResource resource : kVpaResources) {
        if (!policy.controlled[resource]) continue;
        const VpaEstimator& estimator = estimators.of[resource];
        const double confidence = vpa_confidence(history.lifespan(), history.cpu_samples(),
                                                 estimator.confidence_interval);
        const std::int64_t least =
            vpa_scale(estimator.pod_minimum, 1.0 / static_cast<double>(containers));
        const auto base = [&](double fraction) {
            return vpa_with_margin(percentile_of(history, resource, fraction),
                                   estimators.margin_fraction);
        };
        const auto finish = [&](std::int64_t amount) {
            return vpa_cap(std::max(amount, least), resource, policy);
        };
        const std::int64_t lower = base(estimator.lower_percentile);
        const std::int64_t upper = base(estimator.upper_percentile);
        recommendation[resource] =
            VpaBounds{.lower = finish(vpa_with_confidence(lower, 0.001, -2.0, confidence)),
                      .target = finish(base(estimator.target_percentile)),
                      .upper = finish(vpa_with_confidence(upper, 1.0, 1.0, confidence))};
    }
    return recommendation;
}

}  // namespace headroom::policies
