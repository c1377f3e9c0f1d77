/// How many jobs a KEDA ScaledJob creates at a poll: from the queue's length, the jobs that have
/// not ended and the strategy.
///
///     ScaledJobDemand demand = combine_scalers({{.queue_length = 12, .max_value = 6,
///                                                .active = true}}, ScalersCalculation::max, 0,
///                                                10);
///     ScaledJobScale scale = scaled_job_scale(rules, demand.max_scale, running, pending, 10,
///                                             demand.scale_to);
///     // creates min(scale.scale_to, max(scale.effective_max_scale, 0)) jobs
///
/// `running` counts all jobs that have not ended, the pending ones too. Pure, O(scalers). Results
/// may be negative: the caller takes that as 0, as upstream.
/// Source: kedacore/keda pkg/scaling/executor/scale_jobs.go, pkg/scaling/scaledjob/metrics.go.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace headroom::policies {

enum class ScaledJobStrategy : std::uint8_t { by_default, custom, accurate, eager };

struct ScaledJobRules {
    ScaledJobStrategy strategy = ScaledJobStrategy::by_default;
    std::int64_t queue_length_deduction = 0;  ///< of custom
    /// Of custom; nullopt: custom is as the default.
    std::optional<double> running_job_percentage;
};

struct ScaledJobScale {
    std::int64_t effective_max_scale = 0;
    std::int64_t scale_to = 0;
};

[[nodiscard]] ScaledJobScale scaled_job_scale(const ScaledJobRules& rules, std::int64_t max_scale,
                                              std::int64_t running, std::int64_t pending,
                                              std::int64_t max_replicas, std::int64_t scale_to);

/// Which of several scalers counts.
enum class ScalersCalculation : std::uint8_t { max, min, avg, sum };

struct ScalerLoad {
    double queue_length = 0.0;
    double max_value = 0.0;  ///< jobs for it
    bool active = false;
};

struct ScaledJobDemand {
    bool active = false;
    std::int64_t scale_to = 0;   ///< the queue's length
    std::int64_t max_scale = 0;  ///< jobs for it, at most max_replicas
};

[[nodiscard]] ScaledJobDemand combine_scalers(const std::vector<ScalerLoad>& scalers,
                                              ScalersCalculation calculation,
                                              std::int64_t min_replicas, std::int64_t max_replicas);

/// The mean of the averages that a scaler's metrics aim for, a missing one as 0; 0 of none.
[[nodiscard]] double target_average_value(const std::vector<std::optional<double>>& averages);

/// Jobs for a queue of that length: queue / target, at most max_replicas; 0 without a target.
[[nodiscard]] double jobs_for_queue(double queue_length, double target, std::int64_t max_replicas);

}  // namespace headroom::policies
