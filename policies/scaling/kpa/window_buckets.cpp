#include "policies/scaling/kpa/window_buckets.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::policies {

namespace {

constexpr double kLeastWeight = 0.9999;
constexpr double kLeastSmoothing = 0.2;

/// What repeated additions and subtractions leave behind must not ask for a pod.
double round_to_six_digits(double value) {
    constexpr double kDigits = 1e6;
    return std::round(value * kDigits) / kDigits;
}

}  // namespace

double smoothing_coefficient(double buckets) {
    return std::max(1.0 - det_pow(1.0 - kLeastWeight, 1.0 / buckets), kLeastSmoothing);
}

WindowBuckets::WindowBuckets(Duration window, Duration granularity, WindowAlgorithm algorithm)
    : window_(std::max(window, granularity)), granularity_(granularity), algorithm_(algorithm) {
    HEADROOM_CHECK(granularity > Duration::zero(), "a bucket has a length");
    count_ = window_ / granularity_ + (window_ % granularity_ > Duration::zero() ? 1 : 0);
    smoothing_ = smoothing_coefficient(static_cast<double>(count_));
    buckets_.resize(static_cast<std::size_t>(count_));
}

std::int64_t WindowBuckets::index_of(Time time) const {
    const std::int64_t ps = time.ps();
    return ps / granularity_.ps() - (ps % granularity_.ps() < 0 ? 1 : 0);
}

double& WindowBuckets::bucket(std::int64_t index) {
    const std::int64_t place = index % count_;
    return buckets_[static_cast<std::size_t>(place < 0 ? place + count_ : place)];
}

double WindowBuckets::bucket(std::int64_t index) const {
    const std::int64_t place = index % count_;
    return buckets_[static_cast<std::size_t>(place < 0 ? place + count_ : place)];
}

void WindowBuckets::move_last_to(std::int64_t index) {
    if (!last_ || index - *last_ >= count_) {
        first_ = index;
        std::fill(buckets_.begin(), buckets_.end(), 0.0);
        total_ = 0.0;
    } else {
        for (std::int64_t i = *last_ + 1; i <= index; ++i) {
            double& old = bucket(i);
            total_ -= old;
            old = 0.0;
        }
    }
    last_ = index;
}

void WindowBuckets::record(Time at, double value) {
    const std::int64_t index = index_of(at);
    if (last_ && *last_ - index >= count_) return;
    if (!first_ || *first_ > index) first_ = index;
    if (!last_ || index > *last_) move_last_to(index);
    bucket(index) += value;
    total_ += value;
}

bool WindowBuckets::empty(Time now) const {
    return !last_ || granularity_ * (index_of(now) - *last_) > window_;
}

double WindowBuckets::average(Time now) const {
    if (empty(now)) return 0.0;
    const std::int64_t index = index_of(now);
    return algorithm_ == WindowAlgorithm::linear ? linear_average(index) : weighted_average(index);
}

double WindowBuckets::linear_average(std::int64_t now) const {
    const std::int64_t late = std::max<std::int64_t>(now - *last_, 0);
    if (late >= count_) return 0.0;
    double total = total_;
    for (std::int64_t i = *last_ + 1; i <= now; ++i) total -= bucket(i);
    const std::int64_t valid = std::min(*last_ - *first_ + 1, count_ - late);
    return round_to_six_digits(total / static_cast<double>(valid));
}

double WindowBuckets::weighted_average(std::int64_t now) const {
    const std::int64_t late = std::max<std::int64_t>(now - *last_, 0);
    double weight = smoothing_ * det_pow(1.0 - smoothing_, static_cast<double>(late));
    double sum = 0.0;
    for (std::int64_t i = 0; i < count_ - late; ++i) {
        sum += bucket(*last_ - i) * weight;
        weight *= 1.0 - smoothing_;
    }
    return sum;
}

}  // namespace headroom::policies
