#include "analysis/cli/progress_bar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

namespace {
constexpr double kFirstShownS = 0.3;
constexpr double kBetweenS = 0.1;
constexpr std::size_t kBarColumns = 30;
}  // namespace

std::string progress_line(std::optional<double> fraction, Time now, std::optional<Time> horizon,
                          std::int64_t arrived, double elapsed_s, std::size_t width) {
    std::string line;
    if (fraction) {
        const double done = std::clamp(*fraction, 0.0, 1.0);
        const auto filled = static_cast<std::size_t>(done * kBarColumns);
        line = "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '-') + "] " +
               fmt::format("{:3.0f} %  ", done * 100);
    }
    line += clock_text(now.to_seconds());
    line += horizon ? " of " + clock_text(horizon->to_seconds()) : " simulated";
    if (arrived > 0) line += ", " + rate_text(static_cast<double>(arrived)) + " requests";
    if (fraction && *fraction > 0.01) {
        const double left_s = elapsed_s / *fraction * (1 - std::min(*fraction, 1.0));
        line += fmt::format(", {:.0f} s left", left_s);
    }
    // The last column stays free, or some terminals go to the next line.
    return line.substr(0, width > 0 ? width - 1 : 0);
}

ProgressBar::ProgressBar(ProgressGoal goal)
    : goal_(std::move(goal)), start_s_(Stopwatch::now().wall_s), next_s_(start_s_ + kFirstShownS) {}

ProgressBar::~ProgressBar() {
    if (shown_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(Time now, std::int64_t arrived) {
    const double at_s = Stopwatch::now().wall_s;
    if (at_s < next_s_) return;
    if (!counted_ && goal_.count_requests) requests_ = goal_.count_requests();
    counted_ = true;
    show(now, arrived, at_s - start_s_);
    next_s_ = Stopwatch::now().wall_s + kBetweenS;
}

void ProgressBar::show(Time now, std::int64_t arrived, double elapsed_s) {
    std::optional<double> fraction;
    if (goal_.horizon && *goal_.horizon > Time::zero()) {
        fraction = now.to_seconds() / goal_.horizon->to_seconds();
    } else if (requests_ && *requests_ > 0 && arrived > 0) {  // 0: the runner does not say
        fraction = static_cast<double>(arrived) / static_cast<double>(*requests_);
    }
    const std::string line =
        progress_line(fraction, now, goal_.horizon, arrived, elapsed_s, error_columns());
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    shown_ = true;
}

}  // namespace headroom::analysis
