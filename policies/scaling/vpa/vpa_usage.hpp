/// What the vertical pod autoscaler learns of a workload's containers: all CPU samples, and one
/// peak of memory a container and interval of 24 h, in decaying histograms.
///
/// VpaUsageHistory belongs to all containers of one name, VpaContainerUsage to one container of one
/// pod: it drops what it has seen (a sample counts once, however often it is read) and keeps the
/// running peak. A peak counts at the end of its interval; a larger one replaces it. Running out of
/// memory counts as a sample of max(used + 100 MiB, 1.2 used), where used is the larger of the
/// request and the interval's peak.
///
///     VpaUsageHistory history(options, 0);
///     VpaContainerUsage container;
///     container.add_cpu_sample(history, now, 1020);              // milli-cores
///     container.add_memory_sample(history, options, now, 2'000'000'000);  // bytes
///
/// Each CPU sample weighs 0.1, each peak 1, before decay. All O(1) but for a decaying histogram's
/// moves. Source: kubernetes/autoscaler vertical-pod-autoscaler/pkg/recommender/model/{container,
/// aggregate_container_state,aggregations_config}.go.
#pragma once

#include <cstdint>
#include <optional>

#include "policies/scaling/vpa/vpa_histogram.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::policies {

struct VpaUsageOptions {
    Duration cpu_half_life = Duration::hours(24);
    Duration memory_half_life = Duration::hours(24);
    Duration memory_interval = Duration::hours(24);  ///< one peak each
    std::int64_t memory_intervals = 8;               ///< a history without a sample so long is over
    double oom_bump_up_ratio = 1.2;
    Bytes oom_min_bump_up = mebibytes(100);
};

class VpaUsageHistory {
  public:
    /// Starts empty at `created`; `start_unix_s` as in VpaDecayingHistogram.
    VpaUsageHistory(const VpaUsageOptions& options, std::int64_t start_unix_s, Time created);

    void add_cpu_sample(Time at, std::int64_t milli);
    void add_memory_peak(Time at, std::int64_t bytes);
    void subtract_memory_peak(Time at, std::int64_t bytes);

    /// In cores.
    [[nodiscard]] const VpaDecayingHistogram& cpu() const { return cpu_; }
    /// In bytes.
    [[nodiscard]] const VpaDecayingHistogram& memory_peaks() const { return memory_peaks_; }
    /// From the first to the last CPU sample.
    [[nodiscard]] Duration lifespan() const { return last_sample_ - first_sample_; }
    [[nodiscard]] std::int64_t cpu_samples() const { return cpu_samples_; }
    /// No CPU sample for the whole window.
    [[nodiscard]] bool expired(Time now) const;

  private:
    VpaDecayingHistogram cpu_;
    VpaDecayingHistogram memory_peaks_;
    Duration window_;
    Time created_;
    Time first_sample_;
    Time last_sample_;
    std::int64_t cpu_samples_ = 0;
};

class VpaContainerUsage {
  public:
    /// False: it was seen before, is older than one that was, or is negative.
    bool add_cpu_sample(VpaUsageHistory& history, Time at, std::int64_t milli);
    bool add_memory_sample(VpaUsageHistory& history, const VpaUsageOptions& options, Time at,
                           std::int64_t bytes);
    /// The container was killed for memory at `at`; false: before the present interval.
    bool record_oom(VpaUsageHistory& history, const VpaUsageOptions& options, Time at,
                    std::int64_t requested_bytes);

  private:
    void add_memory(VpaUsageHistory& history, const VpaUsageOptions& options, Time at,
                    std::int64_t bytes, bool oom);

    std::optional<Time> last_cpu_;
    std::optional<Time> last_memory_;
    std::optional<Time> interval_end_;
    std::int64_t memory_peak_ = 0;  ///< of the interval, from samples
    std::int64_t oom_peak_ = 0;     ///< of the interval, from kills
};

}  // namespace headroom::policies
