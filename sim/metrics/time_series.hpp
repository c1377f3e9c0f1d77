/// TimeSeries: a level over time (replicas, nodes) as a step function: a value holds from its point
/// to the next.
///
///     TimeSeries replicas;
///     replicas.append(t, 3);
///     replicas.max_during(from, until);
///
/// A level that was set and replaced at one instant was never held: it counts for nothing. A point
/// equal to the one before is dropped. Appends in O(1), looks up in O(log points).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::metrics {

class TimeSeries {
  public:
    struct Point {
        Time time;
        std::int64_t value = 0;
        bool operator==(const Point&) const = default;
    };

    /// Times never go back (DCHECK). A second value at one time replaces the first.
    void append(Time at, std::int64_t value);

    [[nodiscard]] bool empty() const { return points_.empty(); }
    [[nodiscard]] const std::vector<Point>& points() const { return points_; }
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

    std::vector<Point> points_;
};

}  // namespace headroom::metrics
