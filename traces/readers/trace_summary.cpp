#include "traces/readers/trace_summary.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"
#include "traces/readers/trace_file.hpp"

namespace headroom::traces {

void LengthCounts::add(std::int64_t value) {
    if (value < kDense) {
        const auto at = static_cast<std::size_t>(value);
        if (at >= dense_.size()) dense_.resize(std::max(at + 1, dense_.size() * 2));
        ++dense_[at];
    } else {
        ++sparse_[value];
    }
    least_ = count_ == 0 ? value : std::min(least_, value);
    greatest_ = count_ == 0 ? value : std::max(greatest_, value);
    total_ += value;
    ++count_;
}

double LengthCounts::mean() const {
    return count_ == 0 ? 0 : static_cast<double>(total_) / static_cast<double>(count_);
}

std::int64_t LengthCounts::quantile(double p) const {
    HEADROOM_CHECK(p >= 0 && p <= 1, "a quantile lies between 0 and 1");
    const auto wanted = static_cast<std::int64_t>(std::ceil(p * static_cast<double>(count_)));
    const std::int64_t rank =
        std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(count_, 1));
    std::int64_t below = 0;
    for (std::size_t value = 0; value < dense_.size(); ++value) {
        below += dense_[value];
        if (below >= rank) return static_cast<std::int64_t>(value);
    }
    for (const auto& [value, times] : sparse_) {
        below += times;
        if (below >= rank) return value;
    }
    return 0;
}

namespace {

/// Mean and variance in one pass (Welford, Technometrics 4(3), 1962).
class GapStatistics {
  public:
    void add(double gap) {
        ++count_;
        const double delta = gap - mean_;
        mean_ += delta / static_cast<double>(count_);
        squares_ += delta * (gap - mean_);
    }
    [[nodiscard]] double cv() const {
        if (count_ < 2 || !(mean_ > 0)) return 0;
        return std::sqrt(squares_ / static_cast<double>(count_)) / mean_;
    }

  private:
    std::int64_t count_ = 0;
    double mean_ = 0;
    double squares_ = 0;
};

class MinuteCounts {
  public:
    void add(Time time) {
        const std::int64_t minute = time.since_start() / Duration::minutes(1);
        if (minute != minute_) in_minute_ = 0;
        minute_ = minute;
        peak_ = std::max(peak_, ++in_minute_);
    }
    [[nodiscard]] std::int64_t peak() const { return peak_; }

  private:
    std::int64_t minute_ = -1;
    std::int64_t in_minute_ = 0;
    std::int64_t peak_ = 0;
};

}  // namespace

TraceSummary summarize(const std::string& path, const std::string& format) {
    TraceSummary summary;
    std::string message;
    const auto file = TraceFile::open(path, format, message);
    if (file == nullptr) {
        summary.errors.push_back(message);
        return summary;
    }
    summary.format = file->format_name();
    GapStatistics gaps;
    MinuteCounts minutes;
    TraceRow row;
    for (;;) {
        const TraceFile::Status status = file->next(row, message);
        if (status == TraceFile::Status::end) break;
        if (status == TraceFile::Status::bad_row) ++summary.bad_rows;
        if (status != TraceFile::Status::row) {
            // A damaged file is always told, whatever number of bad rows came before.
            if (summary.errors.size() < TraceSummary::kMostErrors ||
                status == TraceFile::Status::failed) {
                summary.errors.push_back(message);
            }
            if (status == TraceFile::Status::failed) break;
            continue;
        }
        const Time time = Time::picoseconds(static_cast<std::int64_t>(row.time_ps));
        if (summary.requests++ == 0) {
            summary.first = time;
        } else {
            gaps.add((time - summary.last).to_seconds());
        }
        summary.last = time;
        minutes.add(time);
        summary.prompt.add(row.prompt);
        summary.output.add(row.output);
    }
    summary.empty_outputs = file->empty_outputs();
    summary.peak_per_minute = minutes.peak();
    summary.gap_cv = gaps.cv();
    if (summary.duration() > Duration::zero()) {
        summary.mean_rate = static_cast<double>(summary.requests) / summary.duration().to_seconds();
    }
    if (summary.requests == 0 && summary.errors.empty()) {
        summary.errors.push_back(path + ": no requests");
    }
    return summary;
}

}  // namespace headroom::traces
