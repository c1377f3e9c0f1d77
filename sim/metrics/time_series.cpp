#include "sim/metrics/time_series.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::metrics {

void TimeSeries::append(Time at, std::int64_t value) {
    if (!points_.empty()) {
        HEADROOM_DCHECK(at >= points_.back().time, "points are appended in order of time");
        if (points_.back().time == at) points_.pop_back();
    }
    if (!points_.empty() && points_.back().value == value) return;
    points_.push_back({at, value});
}

std::size_t TimeSeries::after(Time at) const {
    const auto it = std::upper_bound(points_.begin(), points_.end(), at,
                                     [](Time t, const Point& point) { return t < point.time; });
    return static_cast<std::size_t>(it - points_.begin());
}

std::int64_t TimeSeries::value_at(Time at) const {
    const std::size_t next = after(at);
    return next == 0 ? 0 : points_[next - 1].value;
}

std::int64_t TimeSeries::min_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    std::int64_t least = value_at(from);
    const std::size_t end = after(until);
    for (std::size_t i = after(from); i < end; ++i) least = std::min(least, points_[i].value);
    return least;
}

std::int64_t TimeSeries::max_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    std::int64_t greatest = value_at(from);
    const std::size_t end = after(until);
    for (std::size_t i = after(from); i < end; ++i) {
        greatest = std::max(greatest, points_[i].value);
    }
    return greatest;
}

double TimeSeries::mean_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    if (from == until) return static_cast<double>(value_at(from));
    Int128 sum = 0;
    Time since = from;
    std::int64_t value = value_at(from);
    const auto book = [&](Time to) {
        sum += static_cast<Int128>(value) * (to - since).ps();
        since = to;
    };
    const std::size_t end = after(until);
    for (std::size_t i = after(from); i < end; ++i) {
        book(points_[i].time);
        value = points_[i].value;
    }
    book(until);
    return static_cast<double>(sum) / static_cast<double>((until - from).ps());
}

}  // namespace headroom::metrics
