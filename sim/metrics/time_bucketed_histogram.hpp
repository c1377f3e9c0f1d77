/// TimeBucketedHistogram: one Histogram for each stretch of simulated time of a fixed width, for
/// "p99 over time". Sparse: a stretch in which nothing was recorded costs nothing.
///
///     TimeBucketedHistogram latency{Duration::minutes(1)};
///     latency.record(now, value_ps);
///     latency.for_each([](Time start, const Histogram& h) { ... });   // in time order
///
/// record is O(1) while time stays in the stretch used last, O(log stretches) otherwise (and a move
/// of later ones where a stretch is opened before them). Merging needs equal widths (CHECK).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"
#include "sim/metrics/histogram.hpp"

namespace headroom::metrics {

class TimeBucketedHistogram {
  public:
    explicit TimeBucketedHistogram(Duration width) : width_(width) {
        HEADROOM_CHECK(width > Duration::zero(), "a time bucket needs a width");
    }

    void record(Time at, std::int64_t value, std::uint64_t n = 1) {
        bucket_at(at).record(value, n);
    }
    void merge(const TimeBucketedHistogram& other) {
        HEADROOM_CHECK(width_ == other.width_, "merging histograms of different time buckets");
        for (const auto& [start, histogram] : other.buckets_) bucket_at(start).merge(histogram);
    }

    [[nodiscard]] Duration width() const { return width_; }
    [[nodiscard]] std::size_t size() const { return buckets_.size(); }
    /// The histogram of the stretch that holds `at`; null where nothing was recorded.
    [[nodiscard]] const Histogram* find(Time at) const {
        const auto it = lower_bound(start_of(at));
        return it != buckets_.end() && it->first == start_of(at) ? &it->second : nullptr;
    }
    /// fn(Time start, const Histogram&) in time order.
    template <class Fn>
    void for_each(Fn&& fn) const {
        for (const auto& [start, histogram] : buckets_) fn(start, histogram);
    }
    bool operator==(const TimeBucketedHistogram& other) const {
        return width_ == other.width_ && buckets_ == other.buckets_;
    }

  private:
    using Buckets = std::vector<std::pair<Time, Histogram>>;

    [[nodiscard]] Time start_of(Time at) const { return at - at.since_start() % width_; }
    [[nodiscard]] Buckets::const_iterator lower_bound(Time start) const {
        return std::lower_bound(buckets_.begin(), buckets_.end(), start,
                                [](const auto& bucket, Time t) { return bucket.first < t; });
    }
    Histogram& bucket_at(Time at) {
        HEADROOM_DCHECK(at >= Time::zero(), "a run starts at zero");
        if (last_ < buckets_.size()) {
            auto& [start, histogram] = buckets_[last_];
            if (at >= start && at - start < width_) return histogram;
        }
        const Time start = start_of(at);
        auto it = lower_bound(start);
        if (it == buckets_.end() || it->first != start) {
            it = buckets_.emplace(it, start, Histogram{});
        }
        last_ = static_cast<std::size_t>(it - buckets_.begin());
        return buckets_[last_].second;
    }

    Duration width_;
    Buckets buckets_;       ///< by start
    std::size_t last_ = 0;  ///< the bucket used last
};

}  // namespace headroom::metrics
