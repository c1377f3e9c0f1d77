#include "policies/scaling/keda/scaled_job_strategy.hpp"

#include <algorithm>
#include <cmath>

namespace headroom::policies {

namespace {

std::int64_t to_count(double value) {
    constexpr double kBound = 9e15;
    return static_cast<std::int64_t>(std::clamp(value, -kBound, kBound));
}

/// One scaler of all that are active, or what they make together.
ScalerLoad combine(const std::vector<ScalerLoad>& scalers, ScalersCalculation calculation) {
    ScalerLoad out;
    std::int64_t count = 0;
    for (const ScalerLoad& scaler : scalers) {
        if (!scaler.active) continue;
        switch (calculation) {
            case ScalersCalculation::max:
                if (scaler.queue_length > out.queue_length) out = scaler;
                break;
            case ScalersCalculation::min:
                if (out.queue_length == 0.0 || scaler.queue_length < out.queue_length) out = scaler;
                break;
            case ScalersCalculation::avg:
            case ScalersCalculation::sum:
                out.queue_length += scaler.queue_length;
                out.max_value += scaler.max_value;
                out.active = true;
                ++count;
                break;
        }
    }
    if (calculation == ScalersCalculation::avg && count > 0) {
        out.queue_length /= static_cast<double>(count);
        out.max_value /= static_cast<double>(count);
    }
    return out;
}

}  // namespace

ScaledJobScale scaled_job_scale(const ScaledJobRules& rules, std::int64_t max_scale,
                                std::int64_t running, std::int64_t pending,
                                std::int64_t max_replicas, std::int64_t scale_to) {
    switch (rules.strategy) {
        case ScaledJobStrategy::custom: {
            if (!rules.running_job_percentage) break;
            const double share = static_cast<double>(running) * *rules.running_job_percentage;
            const std::int64_t left =
                max_scale - rules.queue_length_deduction - to_count(std::trunc(share));
            return {std::min(left, max_replicas), scale_to};
        }
        case ScaledJobStrategy::accurate:
            if (max_scale + running - pending > max_replicas) {
                return {max_replicas - running, scale_to};
            }
            return {max_scale - pending, scale_to};
        case ScaledJobStrategy::eager:
            return {std::min(max_replicas - running - pending, max_scale), max_replicas};
        case ScaledJobStrategy::by_default:
            break;
    }
    return {max_scale - running, scale_to};
}

ScaledJobDemand combine_scalers(const std::vector<ScalerLoad>& scalers,
                                ScalersCalculation calculation, std::int64_t min_replicas,
                                std::int64_t max_replicas) {
    const ScalerLoad load = combine(scalers, calculation);
    const double jobs = std::min(load.max_value, static_cast<double>(max_replicas));
    return {.active = load.active || min_replicas > 0,
            .scale_to = to_count(std::ceil(load.queue_length)),
            .max_scale = to_count(std::ceil(jobs))};
}

double target_average_value(const std::vector<std::optional<double>>& averages) {
    if (averages.empty()) return 0.0;
    double sum = 0.0;
    for (const std::optional<double>& average : averages) sum += average.value_or(0.0);
    return sum / static_cast<double>(averages.size());
}

double jobs_for_queue(double queue_length, double target, std::int64_t max_replicas) {
    if (target == 0.0) return 0.0;
    return std::min(queue_length / target, static_cast<double>(max_replicas));
}

}  // namespace headroom::policies
