/// Replicas over time of a service or of the whole run: the sum of what the control plane recorded
/// of each workload (one by version), as step functions. A run without workloads has none.
///
///     ReplicaSeries chat = replica_series(result.control, 0);
///     chat.ready.mean_during(result.measure_from, result.end);
///
/// O(points log points).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/control/control_results.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

struct ReplicaSeries {
    bool known = false;  ///< there is a workload
    metrics::TimeSeries ready;
    metrics::TimeSeries desired;
};

/// Of one service, or of all where none is named.
[[nodiscard]] ReplicaSeries replica_series(const control::ControlResults& control,
                                           std::optional<std::uint32_t> service);

}  // namespace headroom::analysis
