#include "analysis/cli/stop_signal.hpp"

#include <cstddef>

namespace headroom::analysis {

namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<bool> raised_flag = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only set such a flag");

extern "C" void headroom_raise_stop_flag(int) {
    raised_flag.store(true, std::memory_order_relaxed);
}

}  // namespace

StopSignal::StopSignal() {
    raised_flag.store(false, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = headroom_raise_stop_flag;
        // The second signal finds the default action again.
        action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(kSignals[i], &action, &before_[i]);
        // Under nohup a closed terminal ends nothing.
        if (kSignals[i] == SIGHUP && before_[i].sa_handler == SIG_IGN) {
            ::sigaction(kSignals[i], &before_[i], nullptr);
        }
    }
}

StopSignal::~StopSignal() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals[i], &before_[i], nullptr);
    }
}

const std::atomic<bool>& StopSignal::flag() const {
    return raised_flag;
}

}  // namespace headroom::analysis
