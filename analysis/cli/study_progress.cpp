#include "analysis/cli/study_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

namespace {
constexpr double kFirstShownS = 0.3;
constexpr std::size_t kBarColumns = 30;
}  // namespace

std::string study_progress_line(int finished, std::optional<int> total, const std::string& what,
                                double elapsed_s, std::size_t width) {
    std::string line;
    if (total && *total > 0) {
        const double done = std::clamp(static_cast<double>(finished) / *total, 0.0, 1.0);
        const auto filled = static_cast<std::size_t>(done * kBarColumns);
        line = "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '-') + "] " +
               fmt::format("{:3.0f} %  {} of {} {}", done * 100, finished, *total, what);
        if (finished > 0) {
            line += fmt::format(", {:.0f} s left", elapsed_s / finished * (*total - finished));
        }
    } else {
        line = fmt::format("{} {}", finished, what);
    }
    // The last column stays free, or some terminals go to the next line.
    return line.substr(0, width > 0 ? width - 1 : 0);
}

StudyProgress::StudyProgress(std::optional<int> total, std::string what)
    : total_(total), what_(std::move(what)), start_s_(Stopwatch::now().wall_s) {}

StudyProgress::~StudyProgress() {
    if (shown_) std::fputs("\r\033[K", stderr);
}

void StudyProgress::update(int finished) {
    const double elapsed_s = Stopwatch::now().wall_s - start_s_;
    if (elapsed_s < kFirstShownS) return;
    const std::string line =
        study_progress_line(finished, total_, what_, elapsed_s, error_columns());
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    shown_ = true;
}

}  // namespace headroom::analysis
