/// RunInfo: what of a run varies between two that are otherwise equal (times, machine, threads),
/// kept apart from summary.json in run.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace headroom::analysis {

struct RunInfo {
    std::string started_at;  ///< UTC, "2026-01-31T12:00:00Z"
    double wall_s = 0;       ///< of the simulation alone, without loading and writing
    double cpu_s = 0;        ///< of all threads
    std::int64_t requests = 0;
    int threads = 1;
    bool exact_steps = false;
    std::vector<std::string> command_line;
};

/// Seconds on clocks that only go forward: of the wall, and of this process on all processors.
struct Stopwatch {
    double wall_s = 0;
    double cpu_s = 0;
    [[nodiscard]] static Stopwatch now();
};
[[nodiscard]] std::string utc_now();
/// Simulated root requests per second of processor time; 0 when too short to say.
[[nodiscard]] double requests_per_cpu_s(const RunInfo& info);

[[nodiscard]] std::string run_json(const RunInfo& info);

}  // namespace headroom::analysis
