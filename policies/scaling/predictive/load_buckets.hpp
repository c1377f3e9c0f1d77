/// LoadBuckets: samples of a load, averaged over buckets of equal length: the series that a
/// forecast is made of.
///
/// Bucket k covers (k * length, (k + 1) * length] of the run's time, for a sample speaks of the
/// span before it; a bucket is closed by the first call past its end. Sums are integers, a mean is
/// one division of two of them. O(1) a sample, O(buckets closed) a close.
///
///     while (const auto closed = buckets.close_next(now)) ... closed->mean ...
///     buckets.add(now, milli);
#pragma once

#include <cstdint>
#include <optional>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

class LoadBuckets {
  public:
    struct Closed {
        std::optional<double> mean;  ///< nullopt: there was no sample
    };

    explicit LoadBuckets(Duration length) : length_(length) {
        HEADROOM_CHECK(length > Duration::zero(), "a bucket has a length");
    }

    /// Closes the bucket in progress when `now` is past its end.
    std::optional<Closed> close_next(Time now) {
        if (now.since_start() - length_ * open_ <= length_) return std::nullopt;
        Closed closed;
        if (samples_ > 0) {
            closed.mean = static_cast<double>(sum_) / static_cast<double>(samples_);
        }
        ++open_;
        sum_ = 0;
        samples_ = 0;
        return closed;
    }
    /// A sample of the bucket in progress, once close_next has nothing more to close. What is read
    /// at time zero speaks of the time before and is left out.
    void add(Time now, std::int64_t milli) {
        if (now <= Time::zero()) return;
        sum_ += milli;
        ++samples_;
    }
    /// How many buckets after the last closed one the bucket lies that holds `at`; at least 1.
    [[nodiscard]] std::int64_t steps_to(Time at) const {
        const std::int64_t index = at.since_start() / length_;
        return index < open_ ? 1 : index - open_ + 1;
    }
    [[nodiscard]] Duration length() const { return length_; }

  private:
    Duration length_;
    std::int64_t open_ = 0;  ///< the bucket in progress
    Int128 sum_ = 0;
    std::int64_t samples_ = 0;
};

}  // namespace headroom::policies
