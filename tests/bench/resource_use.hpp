/// What the process has used so far.
///
///     const double start = cpu_seconds();
///     const PeakMemory peak;
///     run();
///     state.counters["CPU s"] = cpu_seconds() - start;
///     state.counters["peak MB"] = peak.megabytes();
#pragma once

#include <malloc.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

namespace headroom::bench {

/// CPU seconds of all threads, user and system. O(1).
inline double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The largest resident set since it was made, whatever ran before: the heap's free pages are given
/// back first, then Linux is told to forget the process's peak (proc(5), clear_refs and VmHWM). The
/// program and its libraries are part of it.
class PeakMemory {
  public:
    PeakMemory() {
        malloc_trim(0);
        std::ofstream("/proc/self/clear_refs") << '5';
    }

    /// 0 where there is no /proc.
    [[nodiscard]] double megabytes() const {
        std::ifstream status("/proc/self/status");
        for (std::string word; status >> word;) {
            if (word != "VmHWM:") continue;
            double kibibytes = 0;
            status >> kibibytes;
            return kibibytes * 1024 / 1e6;
        }
        return 0;
    }
};

}  // namespace headroom::bench
