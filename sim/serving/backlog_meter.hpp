/// BacklogMeter: the number of calls in a service over time, kept as integrals over at most kSpans
/// equal spans from the start of the run; when the run outgrows them, neighbours are added up and
/// the spans double. So memory is constant, the total is exact (it is the left side of Little's
/// law), and the shape answers whether a backlog grows. change() is O(1) amortised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sim/core/time.hpp"

namespace headroom::serving {

class BacklogMeter {
  public:
    void change(Time now, std::int64_t delta) {
        advance(now);
        level_ += delta;
    }
    /// Books the level up to `now`.
    void advance(Time now) {
        if (now >= span_end_) [[unlikely]] {
            cross_spans(now);
        }
        spans_[span_].add(level_, now - since_);
        since_ = now;
    }
    [[nodiscard]] std::int64_t level() const { return level_; }
    /// The integral up to `now`, which no event has passed.
    [[nodiscard]] TimeIntegral total_at(Time now) const {
        TimeIntegral sum = total();
        sum.add(level_, now - since_);
        return sum;
    }
    /// The integral up to the last advance.
    [[nodiscard]] TimeIntegral total() const {
        TimeIntegral sum = before_;
        sum += spans_[span_];
        return sum;
    }
    /// True when the backlog grows: the mean number of calls rises from quarter to quarter of
    /// [from, until], and from the second to the last by more than `slack` calls and either to 1.5
    /// times as many or by kPilingUp of the calls that arrived in between (`flow`: arrivals per
    /// second).
    [[nodiscard]] bool grows(Time from, Time until, double slack, double flow) const;

    /// Share of the arrivals that must stay behind; below it calls may simply take longer.
    static constexpr double kPilingUp = 0.02;

    /// After a doubling 64 cover the run, so each quarter of its last sixteenth still has a span.
    static constexpr std::size_t kSpans = 128;

  private:
    void cross_spans(Time now);
    [[nodiscard]] double mean(Time from, Time until) const;

    std::array<TimeIntegral, kSpans> spans_{};
    TimeIntegral before_;  ///< the sum of the spans before the present one
    Duration width_ = Duration::seconds(1);
    Time span_end_ = Time::zero() + Duration::seconds(1);
    std::size_t span_ = 0;
    Time since_;
    std::int64_t level_ = 0;
};

}  // namespace headroom::serving
