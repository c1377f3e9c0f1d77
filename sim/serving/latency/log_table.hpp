/// LogTable<N>: a function of N positive coordinates, known at scattered points that share
/// coordinates, interpolated linearly in the logarithms of the coordinates, one axis after the
/// other; outside of an axis' range the nearest value holds.
///
/// The points form a tree: those with one first coordinate are a table of the others, and so on. So
/// the points need not fill a grid (a large batch may lack the long contexts): each axis is
/// interpolated between its two neighbours, each of which interpolates the next. It returns the
/// value of every point it was made from, and never leaves the range of the values around.
///
///     LogTable<2> table({{{1, 4096}, -0.3}, {{8, 4096}, -0.1}});
///     table.at({2, 9999});    // a third of the way: -0.23
///
/// No two points may be equal, and there must be one (programmer errors). Immutable. at() is
/// O(2^N log points), deterministic (det_log).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::serving {

template <std::size_t N>
class LogTable {
  public:
    using Coordinates = std::array<double, N>;
    struct Point {
        Coordinates at;
        double value = 0;
    };

    LogTable() = default;
    explicit LogTable(std::vector<Point> points) : points_(std::move(points)) {
        HEADROOM_CHECK(!points_.empty(), "a table needs a point");
        for (Point& point : points_) {
            for (double& x : point.at) {
                HEADROOM_CHECK(x > 0, "a table's coordinates are positive");
                x = det_log(x);
            }
        }
        std::sort(points_.begin(), points_.end(),
                  [](const Point& a, const Point& b) { return a.at < b.at; });
        for (std::size_t i = 1; i < points_.size(); ++i) {
            HEADROOM_CHECK(points_[i - 1].at != points_[i].at, "a table's points are distinct");
        }
    }

    [[nodiscard]] bool empty() const { return points_.empty(); }

    [[nodiscard]] double at(Coordinates coordinates) const {
        for (double& x : coordinates) x = det_log(x);
        return within<0>(0, points_.size(), coordinates);
    }

  private:
    /// Over points_[first, last), which agree in the axes before `Axis`.
    template <std::size_t Axis>
    [[nodiscard]] double within(std::size_t first, std::size_t last, const Coordinates& x) const {
        if constexpr (Axis == N) {
            return points_[first].value;
        } else {
            // Where the points with coordinates above x begin, and the one group below them.
            const std::size_t above = bound<Axis>(first, last, x[Axis], true);
            if (above == first) return group<Axis>(first, last, first, x);
            const double low = points_[above - 1].at[Axis];
            const std::size_t low_first = bound<Axis>(first, last, low, false);
            const double low_value = within<Axis + 1>(low_first, above, x);
            if (above == last || low == x[Axis]) return low_value;
            const double high = points_[above].at[Axis];
            const double high_value = group<Axis>(first, last, above, x);
            return low_value + (x[Axis] - low) / (high - low) * (high_value - low_value);
        }
    }
    /// The value of the points that share the coordinate of points_[at].
    template <std::size_t Axis>
    [[nodiscard]] double group(std::size_t first, std::size_t last, std::size_t at,
                               const Coordinates& x) const {
        return within<Axis + 1>(at, bound<Axis>(first, last, points_[at].at[Axis], true), x);
    }
    /// The first point of [first, last) with a coordinate above `value` (or not below it).
    template <std::size_t Axis>
    [[nodiscard]] std::size_t bound(std::size_t first, std::size_t last, double value,
                                    bool above) const {
        while (first < last) {
            const std::size_t middle = first + (last - first) / 2;
            const double here = points_[middle].at[Axis];
            if (here < value || (above && here == value)) {
                first = middle + 1;
            } else {
                last = middle;
            }
        }
        return first;
    }

    std::vector<Point> points_;
};

}  // namespace headroom::serving
