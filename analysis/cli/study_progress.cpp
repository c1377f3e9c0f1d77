#include "analysis/cli/study_progress.hpp"

#include <fmt/format.h>

#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

std::string study_progress_line(int finished, std::optional<int> total, const std::string& what,
                                double elapsed_s, std::size_t width) {
    std::string line;
    if (total && *total > 0) {
        line = bar_text(static_cast<double>(finished) / *total) +
               fmt::format("{} of {} {}", finished, *total, what);
        if (finished > 0) {
            line += fmt::format(", {:.0f} s left", elapsed_s / finished * (*total - finished));
        }
    } else {
        line = fmt::format("{} {}", finished, what);
    }
    return fit_line(std::move(line), width);
}

StudyProgress::StudyProgress(std::optional<int> total, std::string what)
    : total_(total), what_(std::move(what)), start_s_(Stopwatch::now().wall_s) {}

void StudyProgress::update(int finished) {
    if (!line_.due()) return;
    const double elapsed_s = Stopwatch::now().wall_s - start_s_;
    line_.show(study_progress_line(finished, total_, what_, elapsed_s, error_columns()));
}

}  // namespace headroom::analysis
