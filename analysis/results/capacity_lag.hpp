/// CapacityLag: how long capacity is behind what was asked for, from the replicas over time.
///
/// A *raise* is a point at which the desired number grows, from a to d; the number a run begins
/// with is none. Its lag lasts until the first instant at which d replicas are ready, or at which
/// no more are desired than are ready: then nothing is missing any more, whether the pods came or
/// the load went. A raise that neither happens to counts up to the end of the run, so that one that
/// ends with pods still starting does not look fast; such a lag is a lower bound.
///
/// The mean weighs each raise by the d - a replicas it asked for: it is the time that replicas were
/// waited for over the number of replicas, for six that are late hurt more than one. Sums are exact
/// integers. O(points log points).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/core/time.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

struct CapacityLag {
    std::int64_t replicas = 0;  ///< asked for by all raises
    TimeIntegral waited;        ///< each raise's lag, once for each replica of it
    Duration longest;           ///< lag of a raise

    /// Of several workloads together.
    CapacityLag& operator+=(const CapacityLag& o);
    /// Nothing where there was no raise.
    [[nodiscard]] std::optional<double> mean_s() const;
    [[nodiscard]] std::optional<double> max_s() const;
};

[[nodiscard]] CapacityLag capacity_lag(const metrics::TimeSeries& desired,
                                       const metrics::TimeSeries& ready, Time end);

}  // namespace headroom::analysis
