#include "analysis/cli/status_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

namespace {
constexpr double kFirstShownS = 0.3;
constexpr double kBetweenS = 0.1;
constexpr std::size_t kBarColumns = 30;
}  // namespace

StatusLine::StatusLine(bool wanted)
    : on_(wanted && error_is_terminal()), next_s_(Stopwatch::now().wall_s + kFirstShownS) {}

StatusLine::~StatusLine() {
    if (shown_) std::fputs("\r\033[K", stderr);
}

bool StatusLine::due() const {
    return on_ && Stopwatch::now().wall_s >= next_s_;
}

void StatusLine::show(const std::string& text) {
    if (!due()) return;
    std::fprintf(stderr, "\r\033[K%s", fit_line(text, error_columns()).c_str());
    std::fflush(stderr);
    shown_ = true;
    next_s_ = Stopwatch::now().wall_s + kBetweenS;
}

std::string bar_text(double fraction) {
    const double done = std::clamp(fraction, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(done * kBarColumns);
    return "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '-') + "] " +
           fmt::format("{:3.0f} %  ", done * 100);
}

std::string fit_line(std::string text, std::size_t width) {
    text.resize(std::min(text.size(), width > 0 ? width - 1 : 0));
    return text;
}

}  // namespace headroom::analysis
