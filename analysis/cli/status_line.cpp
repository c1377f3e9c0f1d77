#include "analysis/cli/status_line.hpp"

#include <cstdio>

#include "analysis/cli/console.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

namespace {
constexpr double kFirstShownS = 0.3;
constexpr double kBetweenS = 0.1;
}  // namespace

StatusLine::StatusLine(bool wanted)
    : on_(wanted && error_is_terminal()), next_s_(Stopwatch::now().wall_s + kFirstShownS) {}

StatusLine::~StatusLine() {
    if (shown_) std::fputs("\r\033[K", stderr);
}

void StatusLine::show(const std::string& text) {
    if (!on_) return;
    const double at_s = Stopwatch::now().wall_s;
    if (at_s < next_s_) return;
    next_s_ = at_s + kBetweenS;
    const std::size_t width = error_columns();
    // The last column stays free, or some terminals go to the next line.
    std::fprintf(stderr, "\r\033[K%s", text.substr(0, width > 0 ? width - 1 : 0).c_str());
    std::fflush(stderr);
    shown_ = true;
}

}  // namespace headroom::analysis
