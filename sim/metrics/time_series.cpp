#include "sim/metrics/time_series.hpp"

#include <type_traits>

namespace headroom::metrics {

void TimeWeighted::reset_statistics(Time from) {
    HEADROOM_CHECK(from >= since_, "statistics cannot start before the last change");
    integral_ = TimeIntegral{};
    held_ = false;
    from_ = from;
    since_ = from;
}

TimeIntegral TimeWeighted::integral(Time until) const {
    HEADROOM_CHECK(until >= since_, "an integral cannot end before the last change");
    TimeIntegral sum = integral_;
    sum.add(level_, until - since_);
    return sum;
}

double TimeWeighted::mean(Time from, Time until) const {
    HEADROOM_CHECK(from <= from_, "a mean cannot start after the statistics");
    if (until == from) return 0.0;
    return integral(until).to_seconds() / (until - from).to_seconds();
}

template <class Value>
void BasicTimeSeries<Value>::append(Time at, Value value) {
    if (interval_ > Duration::zero()) {
        const Duration past = at.since_start() % interval_;
        if (past > Duration::zero()) at += interval_ - past;
    }
    if (!points_.empty()) {
        HEADROOM_DCHECK(at >= points_.back().time, "points are appended in order of time");
        if (points_.back().time == at) points_.pop_back();
    }
    if (!points_.empty() && points_.back().value == value) return;
    points_.push_back({at, value});
}

template <class Value>
std::size_t BasicTimeSeries<Value>::after(Time at) const {
    const auto it = std::upper_bound(points_.begin(), points_.end(), at,
                                     [](Time t, const Point& point) { return t < point.time; });
    return static_cast<std::size_t>(it - points_.begin());
}

template <class Value>
Value BasicTimeSeries<Value>::value_at(Time at) const {
    const std::size_t next = after(at);
    return next == 0 ? Value{} : points_[next - 1].value;
}

template <class Value>
Value BasicTimeSeries<Value>::min_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    Value least = value_at(from);
    const std::size_t end = after(until);
    for (std::size_t i = after(from); i < end; ++i) least = std::min(least, points_[i].value);
    return least;
}

template <class Value>
Value BasicTimeSeries<Value>::max_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    Value greatest = value_at(from);
    const std::size_t end = after(until);
    for (std::size_t i = after(from); i < end; ++i) {
        greatest = std::max(greatest, points_[i].value);
    }
    return greatest;
}

template <class Value>
double BasicTimeSeries<Value>::mean_during(Time from, Time until) const {
    HEADROOM_CHECK(from <= until, "a stretch of time ends after it starts");
    if (from == until) return static_cast<double>(value_at(from));
    using Sum = std::conditional_t<std::is_integral_v<Value>, Int128, double>;
    Sum sum = 0;
    Time since = from;
    Value value = value_at(from);
    const auto book = [&](Time to) {
        sum += static_cast<Sum>(value) * static_cast<Sum>((to - since).ps());
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

template class BasicTimeSeries<std::int64_t>;
template class BasicTimeSeries<double>;

}  // namespace headroom::metrics
