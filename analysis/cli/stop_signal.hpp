/// StopSignal: while one lives, Ctrl-C (SIGINT), SIGTERM and SIGHUP set a flag instead of ending
/// the process, so that a run can end in order. A second signal ends it at once. One at a time.
///
///     const StopSignal stop;
///     options.stop = &stop.flag();
#pragma once

#include <array>
#include <atomic>
#include <csignal>

namespace headroom::analysis {

class StopSignal {
  public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    [[nodiscard]] const std::atomic<bool>& flag() const;
    [[nodiscard]] bool raised() const { return flag().load(std::memory_order_relaxed); }

  private:
    std::array<struct sigaction, 3> before_{};
};

}  // namespace headroom::analysis
