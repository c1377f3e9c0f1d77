#include "policies/scaling/slo_aware/learned_rate.hpp"

#include <algorithm>

namespace headroom::policies {

namespace {

constexpr int kTicksOfSaturation = 3;
constexpr double kForgetting = 1.0 / 8.0;
constexpr double kAveraging = 1.0 / 16.0;
constexpr double kSmoothing = 1.0 / 4.0;
constexpr double kRising = 1.0 / 256.0;

}  // namespace

void LearnedRate::learn(const LlmSignals& signals) {
    if (signals.ready == 0 || signals.tokens <= 0.0) return;
    const double arrivals = signals.arrivals.value_or(0.0);
    if (arrivals > 0.0) {
        const double per_request = signals.tokens / arrivals;
        if (signals.saturated == 0) {
            tokens_per_request_ =
                balanced_ ? tokens_per_request_ + (per_request - tokens_per_request_) * kAveraging
                          : per_request;
            balanced_ = true;
        } else if (!balanced_) {
            tokens_per_request_ = per_request;
        }
    }
    const bool saturated = signals.saturated > 0 && 2 * signals.saturated >= signals.ready;
    saturated_ticks_ = saturated ? std::min(saturated_ticks_ + 1, kTicksOfSaturation) : 0;
    if (saturated_ticks_ == kTicksOfSaturation) {
        const double seen = signals.saturated_tokens / static_cast<double>(signals.saturated);
        const bool less = tokens_per_s_ > 0.0 && seen < tokens_per_s_;
        tokens_per_s_ = less ? tokens_per_s_ + (seen - tokens_per_s_) * kForgetting : seen;
    } else if (tokens_per_s_ > 0.0) {
        const double seen = signals.tokens / static_cast<double>(signals.ready);
        tokens_per_s_ = std::max(tokens_per_s_, seen);
    }
}

std::optional<double> LearnedRate::rate() const {
    if (tokens_per_s_ <= 0.0 || tokens_per_request_ <= 0.0) return std::nullopt;
    return tokens_per_s_ / tokens_per_request_;
}

void LearnedSlowdown::learn(const LlmSignals& signals) {
    const double arrivals = signals.arrivals.value_or(0.0);
    if (arrivals <= 0.0 || signals.running <= 0.0) return;
    const double residence = signals.running / arrivals;
    if (least_s_ <= 0.0) {
        residence_s_ = residence;
        least_s_ = residence;
        return;
    }
    residence_s_ += (residence - residence_s_) * kSmoothing;
    least_s_ = std::min(residence_s_, least_s_ + (residence_s_ - least_s_) * kRising);
}

void ArrivalTrend::note(Time now, double arrivals) {
    while (first_ < readings_.size() && now - readings_[first_].at > window_) ++first_;
    if (first_ * 2 > readings_.size()) {
        readings_.erase(readings_.begin(), readings_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    // A tick that a waiting request caused may come at the time of another.
    if (readings_.size() > first_ && readings_.back().at == now) readings_.pop_back();
    readings_.push_back({now, arrivals});
}

double ArrivalTrend::expected_after(double seconds, double max_growth) const {
    if (readings_.empty()) return 0.0;
    const Reading& newest = readings_.back();
    const Reading& oldest = readings_[first_];
    const Duration span = newest.at - oldest.at;
    const double rise = newest.arrivals - oldest.arrivals;
    if (span <= Duration::zero() || span < window_ / 2 || rise <= 0.0) return newest.arrivals;
    const double expected = newest.arrivals + rise / span.to_seconds() * seconds;
    return std::min(expected, newest.arrivals * max_growth);
}

}  // namespace headroom::policies
