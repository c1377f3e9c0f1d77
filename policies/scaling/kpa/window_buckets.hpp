/// WindowBuckets: values summed in buckets of one length over a sliding window, and their average.
/// Knative keeps one value a second of a revision's load in them.
///
/// Linear: the sum divided by the buckets from the first write to the last one, at most the window,
/// less those that nothing was written for lately; rounded to six digits after the point, halves
/// away from zero. Weighted: the newest bucket has weight c, each older one (1 - c) times the next
/// one's; c is such that the weights of a full window sum to at least 0.9999, and at least 0.2.
/// Either is 0 when nothing was written for a window.
///
///     WindowBuckets load(Duration::seconds(60), Duration::seconds(1));
///     load.record(now, 12.5);
///     load.average(now);  // 12.5: one bucket so far
///
/// record and empty are O(1) amortised, average is O(buckets skipped since the last write) when
/// linear, O(buckets) when weighted. A window shorter than a bucket is one bucket.
/// Source: knative/serving pkg/autoscaler/aggregation/bucketing.go.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::policies {

enum class WindowAlgorithm : std::uint8_t { linear, weighted_exponential };

/// c of the weighted average over `buckets` buckets.
[[nodiscard]] double smoothing_coefficient(double buckets);

class WindowBuckets {
  public:
    WindowBuckets(Duration window, Duration granularity,
                  WindowAlgorithm algorithm = WindowAlgorithm::linear);

    /// Adds to the bucket of `at`, which may lie in the past; a window or more before the last
    /// write it is left out.
    void record(Time at, double value);
    [[nodiscard]] double average(Time now) const;
    /// Nothing was written for longer than the window, or ever.
    [[nodiscard]] bool empty(Time now) const;

  private:
    [[nodiscard]] std::int64_t index_of(Time time) const;
    [[nodiscard]] double& bucket(std::int64_t index);
    [[nodiscard]] double bucket(std::int64_t index) const;
    [[nodiscard]] double linear_average(std::int64_t now) const;
    [[nodiscard]] double weighted_average(std::int64_t now) const;
    void move_last_to(std::int64_t index);

    Duration window_;
    Duration granularity_;
    WindowAlgorithm algorithm_;
    std::int64_t count_;
    double smoothing_;
    std::vector<double> buckets_;  ///< a ring by index
    double total_ = 0.0;           ///< of all buckets, also those that are out of date
    std::optional<std::int64_t> first_;
    std::optional<std::int64_t> last_;
};

}  // namespace headroom::policies
