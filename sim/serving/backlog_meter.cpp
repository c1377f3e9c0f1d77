#include "sim/serving/backlog_meter.hpp"

#include <algorithm>

namespace headroom::serving {

void BacklogMeter::cross_spans(Time now) {
    while (now >= span_end_) {
        spans_[span_].add(level_, span_end_ - since_);
        before_ += spans_[span_];
        since_ = span_end_;
        if (++span_ == kSpans) {
            for (std::size_t i = 0; i < kSpans / 2; ++i) {
                spans_[i] = spans_[2 * i];
                spans_[i] += spans_[2 * i + 1];
            }
            std::fill(spans_.begin() + kSpans / 2, spans_.end(), TimeIntegral{});
            span_ = kSpans / 2;
            width_ = width_ * 2;
        }
        span_end_ = span_end_.later_by(width_);
    }
}

double BacklogMeter::mean(Time from, Time until) const {
    double sum = 0;
    for (std::size_t i = 0; i <= span_; ++i) {
        const double start = static_cast<double>(i) * width_.to_seconds();
        const double end = i < span_ ? start + width_.to_seconds() : since_.to_seconds();
        const double low = std::max(from.to_seconds(), start);
        const double high = std::min(until.to_seconds(), end);
        if (high > low) sum += spans_[i].to_seconds() * (high - low) / (end - start);
    }
    return until > from ? sum / (until - from).to_seconds() : 0.0;
}

bool BacklogMeter::grows(Time from, Time until, double slack, double flow) const {
    if (until <= from) return false;
    const Duration quarter = (until - from) / 4;
    double means[4];
    for (int i = 0; i < 4; ++i) means[i] = mean(from + quarter * i, from + quarter * (i + 1));
    const bool rises = means[0] < means[1] && means[1] < means[2] && means[2] < means[3];
    const double growth = means[3] - means[1];
    const double came = flow * (quarter * 2).to_seconds();
    return rises && growth > slack && (means[3] >= 1.5 * means[1] || growth >= kPilingUp * came);
}

}  // namespace headroom::serving
