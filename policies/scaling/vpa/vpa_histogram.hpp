/// The vertical pod autoscaler's memory of usage: weights of samples in buckets. In the decaying
/// histogram a sample's weight counts 2^((time - reference) / half_life) times, so that one sample
/// loses half of its importance a half-life against newer ones.
///
///     const auto options = VpaHistogramOptions::exponential(1000, 0.01, 1.05, 1e-4);
///     VpaDecayingHistogram cores(*options, Duration::hours(24), 0);
///     cores.add(0.25, 0.1, now);
///     cores.percentile(0.9);  // 0.258..., the end of 0.25's bucket: the start of the next one
///
/// Bucket 0 starts at 0; bucket n of a linear scheme at n * size, of an exponential one at
/// first * (ratio^n - 1) / (ratio - 1). Values outside fall into the nearest bucket; the last one
/// has no end, and its percentile is its start. A bucket lighter than epsilon counts as empty; of
/// an empty histogram each percentile is 0. Times count in whole nanoseconds. The reference is a
/// multiple of the half-life since the year 1, as the nearest to the first sample; it moves
/// when a sample is more than 100 half-lives past it. add and subtract are O(1) (subtract
/// amortised), percentile, merge and a move of the reference O(buckets).
/// Source: kubernetes/autoscaler vertical-pod-autoscaler/pkg/recommender/util/{histogram,
/// decaying_histogram,histogram_options}.go, whose math.Log, math.Exp2 and math.Pow are
/// go_math.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::policies {

/// A bucketing scheme. nullopt where a number is not positive, the ratio not above 1, or there
/// would be more than ten million buckets.
class VpaHistogramOptions {
  public:
    [[nodiscard]] static std::optional<VpaHistogramOptions> linear(double max_value,
                                                                   double bucket_size,
                                                                   double epsilon);
    [[nodiscard]] static std::optional<VpaHistogramOptions> exponential(double max_value,
                                                                        double first_bucket_size,
                                                                        double ratio,
                                                                        double epsilon);

    [[nodiscard]] std::size_t bucket_count() const { return bucket_count_; }
    [[nodiscard]] std::size_t find_bucket(double value) const;
    [[nodiscard]] double bucket_start(std::size_t bucket) const;
    /// The least weight of a bucket that is not empty.
    [[nodiscard]] double epsilon() const { return epsilon_; }

    bool operator==(const VpaHistogramOptions&) const = default;

  private:
    VpaHistogramOptions(std::size_t count, double first, double ratio, double epsilon);

    std::size_t bucket_count_;
    double first_bucket_size_;
    double ratio_;  ///< 1: linear
    double log_ratio_;
    double epsilon_;
};

class VpaHistogram {
  public:
    explicit VpaHistogram(const VpaHistogramOptions& options);

    /// Weights are not negative.
    void add(double value, double weight);
    /// A weight that leaves less than epsilon takes the whole bucket.
    void subtract(double value, double weight);
    /// Adds another histogram of equal options.
    void merge(const VpaHistogram& other);
    /// Multiplies the weights between the first and the last bucket that are not empty.
    void scale(double factor);

    /// `fraction` is in [0, 1]; beyond, it is the least or the greatest value.
    [[nodiscard]] double percentile(double fraction) const;
    [[nodiscard]] bool empty() const { return weights_[first_] < options_.epsilon(); }
    [[nodiscard]] double bucket_weight(std::size_t bucket) const { return weights_[bucket]; }
    [[nodiscard]] double total_weight() const { return total_; }
    [[nodiscard]] const VpaHistogramOptions& options() const { return options_; }

  private:
    void narrow();

    VpaHistogramOptions options_;
    std::vector<double> weights_;
    double total_ = 0.0;
    std::size_t first_;     ///< that is not empty; else the last bucket
    std::size_t last_ = 0;  ///< that is not empty; else bucket 0
};

class VpaDecayingHistogram {
  public:
    /// `start_unix_s`: UTC of Time::zero() in seconds since 1970. It only moves the grid of
    /// reference times, and so the rounding of weights.
    VpaDecayingHistogram(const VpaHistogramOptions& options, Duration half_life,
                         std::int64_t start_unix_s);

    void add(double value, double weight, Time at);
    void subtract(double value, double weight, Time at);
    /// Adds another histogram of equal options and half-life, after moving both to one reference.
    void merge(VpaDecayingHistogram other);

    [[nodiscard]] double percentile(double fraction) const {
        return histogram_.percentile(fraction);
    }
    [[nodiscard]] bool empty() const { return histogram_.empty(); }
    [[nodiscard]] const VpaHistogram& weights() const { return histogram_; }

  private:
    [[nodiscard]] double decay_factor(Time at);
    void move_reference(std::int64_t ns);

    VpaHistogram histogram_;
    std::int64_t half_life_ns_;
    std::int64_t phase_ns_;  ///< of Time::zero() in its half-life
    std::optional<std::int64_t> reference_ns_;
};

}  // namespace headroom::policies
