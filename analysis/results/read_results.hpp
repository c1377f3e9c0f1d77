/// read_results: what a run left in its folder, read back: replicas of each workload over time,
/// decisions, and the times of its requests where they were kept.
///
///     const StoredRun run = read_results("out/quickstart");      // throws ReadError
///     run.workloads[0].ready.value_at(at)
///
/// Only results.h5 is read. It may come from anywhere, so nothing in it is believed: groups, data
/// sets, their lengths, the order of times and the names of outcomes are checked, and a ReadError
/// names the file, what in it is wrong and what to do. Results of another version of the program
/// are refused, for names may have changed their meaning. Times are exact to the double that the
/// file holds (a picosecond up to about an hour). O(size of what is read).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/control/control_results.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

/// Bad input: exit 2.
class ReadError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct StoredWorkload {
    std::string name;
    std::string service;
    metrics::TimeSeries ready;
    metrics::TimeSeries desired;
};

/// One call of the run; Time::max(): did not happen.
struct StoredRequest {
    std::uint32_t service = 0;  ///< index into StoredRun::services
    Time arrival;
    Time first_scheduled;
    Time end;  ///< however it ended; Time::max(): in flight when the run did
};

struct StoredRun {
    std::string scenario;
    std::string digest;
    std::int64_t seed = 0;
    Time end;
    std::vector<std::string> services;         ///< sorted
    std::vector<StoredWorkload> workloads;     ///< sorted by service, then by name
    std::vector<control::Decision> decisions;  ///< in the order of time
    /// Nothing: the run did not keep them.
    std::optional<std::vector<StoredRequest>> requests;
};

[[nodiscard]] StoredRun read_results(const std::filesystem::path& folder);

}  // namespace headroom::analysis
