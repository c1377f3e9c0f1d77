#include "analysis/calibration/kernels/progress.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace headroom::kernels {

namespace {

constexpr double kOnTerminalS = 0.2;
constexpr double kElsewhereS = 10;
constexpr int kColumns = 100;

}  // namespace

double now_s() {
    using Clock = std::chrono::steady_clock;
    static const Clock::time_point begin = Clock::now();
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

Progress::Progress(std::string what, std::size_t total)
    : what_(std::move(what)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) != 0),
      begin_s_(now_s()),
      next_s_(begin_s_) {}

Progress::~Progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::at(std::size_t done, const std::string& doing) {
    const double at_s = now_s();
    if (at_s < next_s_) return;
    next_s_ = at_s + (terminal_ ? kOnTerminalS : kElsewhereS);
    std::string line = what_ + " " + std::to_string(done) + " of " + std::to_string(total_);
    if (done > 0 && total_ > done) {
        const double pace_s = (at_s - begin_s_) / static_cast<double>(done);
        std::array<char, 32> left{};
        std::snprintf(left.data(), left.size(), ", %.0f s left",
                      pace_s * static_cast<double>(total_ - done));
        line += left.data();
    }
    line += ", " + doing;
    std::fprintf(stderr, terminal_ ? "\r%.*s\033[K" : "%.*s\n", kColumns, line.c_str());
    std::fflush(stderr);
}

void Progress::note(const std::string& line) {
    std::fprintf(stderr, terminal_ ? "\r\033[K%s\n" : "%s\n", line.c_str());
    std::fflush(stderr);
}

}  // namespace headroom::kernels
