/// TimeWeighted and TimeSeries: a level over time (replicas, queue length, KV blocks in use), as
/// its running statistics or as its points.
///
///     TimeWeighted busy{now};
///     busy.add(t, +1);                              // t may not go back (DCHECK)
///     busy.integral(end).to_seconds();              // level-seconds, exact, 128 bits
///
///     TimeSeries replicas;                          // exact; or TimeSeries{Duration::seconds(15)}
///     replicas.append(t, 3);
///     replicas.max_during(from, until);
///
/// A level that was set and replaced at one instant was never held: it counts for nothing, in
/// either class. TimeWeighted is O(1); TimeSeries appends in O(1) and looks up in O(log points).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::metrics {

class TimeWeighted {
  public:
    /// The level is 0 before `start` and `level` from then on.
    explicit TimeWeighted(Time start = Time::zero(), std::int64_t level = 0)
        : from_(start), since_(start), level_(level) {}

    void set(Time at, std::int64_t level) {
        HEADROOM_DCHECK(at >= since_, "a level cannot change in the past");
        if (at > since_) close(at);
        level_ = level;
    }
    void add(Time at, std::int64_t delta) { set(at, level_ + delta); }

    [[nodiscard]] std::int64_t current() const { return level_; }
    /// Since when the level is what it is.
    [[nodiscard]] Time changed() const { return since_; }
    /// Level times time from the start of the statistics to `until` (not before the last change).
    [[nodiscard]] TimeIntegral integral(Time until) const;
    /// The integral over [from, until] per time. `from` may lie before the start of the statistics,
    /// where the level counts as 0, not after it (CHECK). 0 for an empty stretch.
    [[nodiscard]] double mean(Time from, Time until) const;
    /// Least and greatest level held since the start of the statistics, the current one included.
    [[nodiscard]] std::int64_t min() const { return held_ ? std::min(min_, level_) : level_; }
    [[nodiscard]] std::int64_t max() const { return held_ ? std::max(max_, level_) : level_; }

  private:
    /// Books the level up to `at`.
    void close(Time at) {
        integral_.add(level_, at - since_);
        min_ = min();
        max_ = max();
        held_ = true;
        since_ = at;
    }

    TimeIntegral integral_;
    Time from_;
    Time since_;
    std::int64_t level_;
    std::int64_t min_ = 0;
    std::int64_t max_ = 0;
    bool held_ = false;  ///< min_ and max_ hold something
};

/// A step function of time as points: a value holds from its point to the next. A point equal to
/// the one before is dropped. With an interval, changes take effect at the next multiple of it, and
/// of those between two multiples the last one counts: what sampling at the multiples would see.
class TimeSeries {
  public:
    struct Point {
        Time time;
        std::int64_t value = 0;
        bool operator==(const Point&) const = default;
    };

    TimeSeries() = default;
    explicit TimeSeries(Duration interval) : interval_(interval) {
        HEADROOM_CHECK(interval >= Duration::zero(), "a sampling interval is not negative");
    }

    /// Times never go back (DCHECK). A second value at one time replaces the first.
    void append(Time at, std::int64_t value);

    [[nodiscard]] bool empty() const { return points_.empty(); }
    [[nodiscard]] const std::vector<Point>& points() const { return points_; }
    [[nodiscard]] Duration interval() const { return interval_; }
    /// 0 before the first point.
    [[nodiscard]] std::int64_t value_at(Time at) const;
    /// Least and greatest value that holds at any time of [from, until], both ends included.
    [[nodiscard]] std::int64_t min_during(Time from, Time until) const;
    [[nodiscard]] std::int64_t max_during(Time from, Time until) const;
    /// Mean over time of [from, until]; the value there where both are the same.
    [[nodiscard]] double mean_during(Time from, Time until) const;

    bool operator==(const TimeSeries&) const = default;

  private:
    /// The first point after `at`.
    [[nodiscard]] std::size_t after(Time at) const;

    Duration interval_;
    std::vector<Point> points_;
};

}  // namespace headroom::metrics
