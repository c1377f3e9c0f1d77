#include "traces/generators/rate_profile.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"
#include "traces/generators/arrival_process.hpp"

namespace headroom::traces {

namespace {

constexpr double kTwoPi = 6.283185307179586476925;

double cos_turns(double x) {
    return sin_turns(x + 0.25);
}

}  // namespace

double sin_turns(double x) {
    double r = x - std::nearbyint(x);  // [-1/2, 1/2], exact
    if (r > 0.25) r = 0.5 - r;
    if (r < -0.25) r = -0.5 - r;
    const double y = kTwoPi * r;
    const double square = y * y;
    // Taylor's series: at pi/2 the first term left out, y^23/23!, is below 2e-18.
    constexpr double kFactor[] = {
        1.0 / (2 * 3),   1.0 / (4 * 5),   1.0 / (6 * 7),   1.0 / (8 * 9),   1.0 / (10 * 11),
        1.0 / (12 * 13), 1.0 / (14 * 15), 1.0 / (16 * 17), 1.0 / (18 * 19), 1.0 / (20 * 21)};
    double sum = 1;
    for (int i = 9; i >= 0; --i) sum = 1 - sum * (square * kFactor[i]);
    return y * sum;
}

PiecewiseLinearRate::PiecewiseLinearRate(const std::vector<Knot>& knots,
                                         std::optional<Duration> period)
    : period_(period) {
    HEADROOM_CHECK(!knots.empty(), "a rate profile needs a knot");
    const Time end = period ? Time::zero() + *period : Time::max();
    const auto add = [this](Time from, Time to, double rate, double end_rate) {
        if (from >= to) return;
        const double slope = end_rate == rate ? 0 : (end_rate - rate) / (to - from).to_seconds();
        segments_.push_back({from, to, rate, slope});
    };
    add(Time::zero(), knots.front().at, 0, 0);
    for (std::size_t i = 0; i + 1 < knots.size(); ++i) {
        HEADROOM_CHECK(knots[i].at <= knots[i + 1].at, "knots go back in time");
        add(knots[i].at, knots[i + 1].at, knots[i].rate, knots[i + 1].rate);
    }
    HEADROOM_CHECK(knots.back().at <= end, "a knot lies after the period");
    add(knots.back().at, end, knots.back().rate, knots.back().rate);
    for (const Segment& s : segments_) {
        if (period_) cycle_area_ += s.area(0, (s.end - s.start).to_seconds());
    }
}

/// Goes on behind the current segment; whole cycles are jumped over at once.
void PiecewiseLinearRate::next_segment(double& area) {
    if (++current_ < segments_.size()) return;
    current_ = 0;
    const std::int64_t left = (Time::horizon_limit() - cycle_start_) / *period_;
    const double skipped = std::floor(area / cycle_area_);
    if (skipped >= static_cast<double>(left)) {
        past_horizon_ = true;
        return;
    }
    area -= skipped * cycle_area_;
    cycle_start_ += *period_ * (1 + static_cast<std::int64_t>(skipped));
}

Time PiecewiseLinearRate::advance(Time from, double area) {
    if (period_ && !(cycle_area_ > 0)) return Time::max();
    if (!(area > 0)) return from;
    while (!past_horizon_) {
        const Segment& s = segments_[current_];
        const Duration to_horizon = Time::horizon_limit() - cycle_start_;
        if (s.start.since_start() > to_horizon) break;
        const Time start = cycle_start_ + s.start.since_start();
        const double at = std::max(from - start, Duration::zero()).to_seconds();
        const bool last = s.end == Time::max();
        const double length = last ? 0 : (s.end - s.start).to_seconds();
        const double left = last ? 0 : std::max(0.0, s.area(at, length));
        if (last || area <= left) {
            const double rate = std::max(0.0, s.rate_at(at));
            if (last && !(rate > 0)) return Time::max();
            // The root of rate x + slope x^2 / 2 = area, in the form that does not cancel.
            const double root = std::sqrt(std::max(0.0, rate * rate + 2 * s.slope * area));
            const Time t = later(std::max(from, start), 2 * area / (rate + root));
            const bool bounded = s.end.since_start() <= to_horizon;
            return bounded ? std::min(t, cycle_start_ + s.end.since_start()) : t;
        }
        area -= left;
        next_segment(area);
    }
    return Time::max();
}

double PiecewiseLinearRate::integral(Time t) const {
    double sum = 0;
    if (period_) {
        const std::int64_t cycles = t.since_start() / *period_;
        sum = static_cast<double>(cycles) * cycle_area_;
        t = Time::zero() + t.since_start() % *period_;
    }
    for (const Segment& s : segments_) {
        if (s.start >= t) break;
        sum += s.area(0, (std::min(s.end, t) - s.start).to_seconds());
    }
    return sum;
}

SinusoidRate::SinusoidRate(double mean, double amplitude, Duration period, Duration peak_at)
    : mean_(mean),
      amplitude_(amplitude),
      period_(period),
      peak_at_(peak_at % period),
      period_s_(period.to_seconds()) {
    HEADROOM_CHECK(mean > 0 && amplitude >= 0 && amplitude <= 1, "a sinusoid's rate is negative");
}

double SinusoidRate::phase(Time t) const {
    const Duration since_peak = t.since_start() % period_ - peak_at_;
    const bool before = since_peak < Duration::zero();
    return (before ? since_peak + period_ : since_peak).to_seconds() / period_s_;
}

/// With sin(a + b) - sin(a) = 2 cos(a + b/2) sin(b/2), which does not cancel for a short time.
double SinusoidRate::area_after(double phase, double seconds) const {
    const double turns = seconds / period_s_;
    const double swing = amplitude_ * period_s_ / kTwoPi;
    return mean_ * (seconds + 2 * swing * cos_turns(phase + 0.5 * turns) * sin_turns(0.5 * turns));
}

Time SinusoidRate::advance(Time from, double area) const {
    if (!(area > 0)) return from;
    const double start = phase(from);
    double low = area / (mean_ * (1 + amplitude_));
    // The integral over x seconds is at least mean (1 - amplitude) x, and mean (x - amplitude
    // period / pi).
    double high = area / mean_ + amplitude_ * period_s_ / (0.5 * kTwoPi);
    if (amplitude_ < 1) high = std::min(high, area / (mean_ * (1 - amplitude_)));
    // Most gaps are short against the period, so the rate of the start is a good guess.
    const double first_rate = mean_ * (1 + amplitude_ * cos_turns(start));
    double x = std::clamp(area / std::max(first_rate, 0.1 * mean_), low, high);
    constexpr int kMostSteps = 64;
    constexpr double kQuarterPicosecond = 0.25e-12;
    for (int i = 0; i < kMostSteps; ++i) {
        const double off = area_after(start, x) - area;
        (off > 0 ? high : low) = x;
        const double rate = mean_ * (1 + amplitude_ * cos_turns(start + x / period_s_));
        double next = rate > 0 ? x - off / rate : low;
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        const double step = std::fabs(next - x);
        x = next;
        if (step < kQuarterPicosecond) break;
    }
    return later(from, x);
}

double SinusoidRate::integral(Time t) const {
    return area_after(phase(Time::zero()), t.to_seconds());
}

}  // namespace headroom::traces
