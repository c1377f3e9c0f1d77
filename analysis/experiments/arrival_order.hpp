/// The latencies of one run's root requests in the order of their arrival: what the statistics of a
/// single run (its warm-up, its batch means) are made of.
///
///     const LatencyList list = latencies_by_arrival(spec, result.rows);      // run with keep_rows
///     const auto steady = warm_up_end(list);                                 // MSER-5
///
/// Completed requests only, sorted by arrival, source and number. O(rows log rows).
#pragma once

#include <optional>
#include <vector>

#include "sim/simulation.hpp"

namespace headroom::analysis {

struct LatencyList {
    std::vector<Time> arrivals;
    std::vector<double> e2e_s;
    std::vector<double> ttft_s;  ///< empty where a request had no first token

    /// Those that arrived at `from` or later.
    [[nodiscard]] LatencyList since(Time from) const;
};

[[nodiscard]] LatencyList latencies_by_arrival(const SimulationSpec& spec,
                                               const std::vector<serving::RequestRow>& rows);

/// Arrival of the first request after the warm-up that MSER-5 finds in the end-to-end latencies;
/// nullopt: they never settle, or there are too few.
[[nodiscard]] std::optional<Time> warm_up_end(const LatencyList& list);

}  // namespace headroom::analysis
