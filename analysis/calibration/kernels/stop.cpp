#include "analysis/calibration/kernels/stop.hpp"

#include <signal.h>

#include <atomic>

namespace headroom::kernels {

namespace {

std::atomic<int> caught = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only set such a flag");

extern "C" void headroom_kernels_stop(int signal) {
    int none = 0;
    caught.compare_exchange_strong(none, signal);
}

}  // namespace

void catch_stop_signals() {
    for (const int signal : {SIGINT, SIGTERM}) {
        struct sigaction action {};
        action.sa_handler = headroom_kernels_stop;
        action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(signal, &action, nullptr);
    }
}

int stop_signal() {
    return caught.load();
}

}  // namespace headroom::kernels
