/// What the process has used so far: CPU seconds of all its threads, user and system, and the
/// largest resident set it ever had. O(1). A peak is a benchmark's own only when it runs alone or
/// first.
///
///     const double start = cpu_seconds();
///     run();
///     state.counters["CPU s"] = cpu_seconds() - start;
#pragma once

#include <sys/resource.h>

namespace headroom::bench {

inline double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1000.0;
}

}  // namespace headroom::bench
