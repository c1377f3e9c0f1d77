#include "policies/scaling/vpa/vpa_histogram.hpp"

#include <algorithm>
#include <cmath>

#include "policies/scaling/vpa/go_math.hpp"
#include "sim/core/check.hpp"

namespace headroom::policies {

namespace {

constexpr double kMostBuckets = 1e7;
/// Half-lives from the reference after which weights would grow out of range.
constexpr std::int64_t kMaxDecayExponent = 100;
/// From the year 1, from which Go rounds times, to 1970.
constexpr std::int64_t kUnixEpochSinceYearOneS = 62'135'596'800;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t floor_mod(std::int64_t value, std::int64_t modulus) {
    const std::int64_t rest = value % modulus;
    return rest < 0 ? rest + modulus : rest;
}

/// Whole nanoseconds, rounded down.
std::int64_t nanoseconds(std::int64_t ps) {
    return (ps - floor_mod(ps, 1000)) / 1000;
}

}  // namespace

VpaHistogramOptions::VpaHistogramOptions(std::size_t count, double first, double ratio,
                                         double epsilon)
    : bucket_count_(count),
      first_bucket_size_(first),
      ratio_(ratio),
      log_ratio_(go_log(ratio)),
      epsilon_(epsilon) {}

std::optional<VpaHistogramOptions> VpaHistogramOptions::linear(double max_value, double bucket_size,
                                                               double epsilon) {
    if (!(max_value > 0) || !(bucket_size > 0) || !(epsilon > 0)) return std::nullopt;
    const double count = std::ceil(max_value / bucket_size) + 1;
    if (!(count <= kMostBuckets)) return std::nullopt;
    return VpaHistogramOptions(static_cast<std::size_t>(count), bucket_size, 1.0, epsilon);
}

std::optional<VpaHistogramOptions> VpaHistogramOptions::exponential(double max_value,
                                                                    double first_bucket_size,
                                                                    double ratio, double epsilon) {
    const bool positive = max_value > 0 && first_bucket_size > 0 && epsilon > 0;
    if (!positive || !(ratio > 1)) return std::nullopt;
    const double span = max_value * (ratio - 1) / first_bucket_size + 1;
    const double count = std::ceil(go_log(span) / go_log(ratio)) + 1;
    if (!(count <= kMostBuckets)) return std::nullopt;
    return VpaHistogramOptions(static_cast<std::size_t>(count), first_bucket_size, ratio, epsilon);
}

std::size_t VpaHistogramOptions::find_bucket(double value) const {
    const bool linear = ratio_ == 1.0;
    if (!linear && value < first_bucket_size_) return 0;
    const double position =
        linear ? value / first_bucket_size_
               : go_log(value * (ratio_ - 1) / first_bucket_size_ + 1) / log_ratio_;
    if (!(position >= 1)) return 0;
    if (position >= static_cast<double>(bucket_count_)) return bucket_count_ - 1;
    return static_cast<std::size_t>(position);
}

double VpaHistogramOptions::bucket_start(std::size_t bucket) const {
    HEADROOM_CHECK(bucket < bucket_count_, "a histogram has no such bucket");
    const auto n = static_cast<double>(bucket);
    if (ratio_ == 1.0) return n * first_bucket_size_;
    if (bucket == 0) return 0.0;
    return first_bucket_size_ * (go_pow(ratio_, n) - 1) / (ratio_ - 1);
}

VpaHistogram::VpaHistogram(const VpaHistogramOptions& options)
    : options_(options),
      weights_(options.bucket_count(), 0.0),
      first_(options.bucket_count() - 1) {}

void VpaHistogram::add(double value, double weight) {
    HEADROOM_CHECK(weight >= 0.0, "a sample's weight is not negative");
    const std::size_t bucket = options_.find_bucket(value);
    weights_[bucket] += weight;
    total_ += weight;
    if (weights_[bucket] < options_.epsilon()) return;
    first_ = std::min(first_, bucket);
    last_ = std::max(last_, bucket);
}

void VpaHistogram::subtract(double value, double weight) {
    HEADROOM_CHECK(weight >= 0.0, "a sample's weight is not negative");
    const std::size_t bucket = options_.find_bucket(value);
    if (weight > weights_[bucket] - options_.epsilon()) weight = weights_[bucket];
    total_ -= weight;
    weights_[bucket] -= weight;
    narrow();
}

void VpaHistogram::merge(const VpaHistogram& other) {
    HEADROOM_CHECK(options_ == other.options_, "only histograms of equal options can be merged");
    for (std::size_t i = other.first_; i <= other.last_; ++i) weights_[i] += other.weights_[i];
    total_ += other.total_;
    first_ = std::min(first_, other.first_);
    last_ = std::max(last_, other.last_);
}

void VpaHistogram::scale(double factor) {
    HEADROOM_CHECK(factor >= 0.0, "weights are not scaled by a negative factor");
    for (std::size_t i = first_; i <= last_; ++i) weights_[i] *= factor;
    total_ *= factor;
    narrow();
}

void VpaHistogram::narrow() {
    while (first_ + 1 < weights_.size() && weights_[first_] < options_.epsilon()) ++first_;
    while (last_ > 0 && weights_[last_] < options_.epsilon()) --last_;
}

double VpaHistogram::percentile(double fraction) const {
    if (empty()) return 0.0;
    const double threshold = fraction * total_;
    double sum = 0.0;
    std::size_t bucket = first_;
    for (; bucket < last_; ++bucket) {
        sum += weights_[bucket];
        if (sum >= threshold) break;
    }
    return options_.bucket_start(std::min(bucket + 1, options_.bucket_count() - 1));
}

VpaDecayingHistogram::VpaDecayingHistogram(const VpaHistogramOptions& options, Duration half_life,
                                           std::int64_t start_unix_s)
    : histogram_(options), half_life_ns_(nanoseconds(half_life.ps())) {
    HEADROOM_CHECK(half_life_ns_ > 0, "a half-life is at least a nanosecond");
    const Int128 since_year_one =
        (static_cast<Int128>(start_unix_s) + kUnixEpochSinceYearOneS) * kNsPerSecond;
    const auto rest = static_cast<std::int64_t>(since_year_one % half_life_ns_);
    phase_ns_ = floor_mod(rest, half_life_ns_);
}

void VpaDecayingHistogram::add(double value, double weight, Time at) {
    histogram_.add(value, weight * decay_factor(at));
}

void VpaDecayingHistogram::subtract(double value, double weight, Time at) {
    histogram_.subtract(value, weight * decay_factor(at));
}

void VpaDecayingHistogram::merge(VpaDecayingHistogram other) {
    HEADROOM_CHECK(half_life_ns_ == other.half_life_ns_ && phase_ns_ == other.phase_ns_,
                   "only histograms of equal half-lives can be merged");
    if (other.reference_ns_ && (!reference_ns_ || *reference_ns_ < *other.reference_ns_)) {
        move_reference(*other.reference_ns_);
    } else if (reference_ns_ && (!other.reference_ns_ || *other.reference_ns_ < *reference_ns_)) {
        other.move_reference(*reference_ns_);
    }
    histogram_.merge(other.histogram_);
}

double VpaDecayingHistogram::decay_factor(Time at) {
    const std::int64_t ns = nanoseconds(at.ps());
    if (!reference_ns_ || ns - *reference_ns_ > half_life_ns_ * kMaxDecayExponent) {
        move_reference(ns);
    }
    return go_exp2(static_cast<double>(ns - *reference_ns_) / static_cast<double>(half_life_ns_));
}

void VpaDecayingHistogram::move_reference(std::int64_t ns) {
    // To the nearest multiple of the half-life, halves up.
    const std::int64_t rest = floor_mod(ns + phase_ns_, half_life_ns_);
    const std::int64_t moved = ns - rest + (rest >= half_life_ns_ - rest ? half_life_ns_ : 0);
    if (reference_ns_) {
        const double half_lives = std::floor(
            static_cast<double>(*reference_ns_ - moved) / static_cast<double>(half_life_ns_) + 0.5);
        // Beyond any exponent of a double the weights are 0 anyway.
        constexpr double kMostExponent = 1e5;
        const double exponent = std::clamp(half_lives, -kMostExponent, kMostExponent);
        histogram_.scale(std::ldexp(1.0, static_cast<int>(exponent)));
    }
    reference_ns_ = moved;
}

}  // namespace headroom::policies
