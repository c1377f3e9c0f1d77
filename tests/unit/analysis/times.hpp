/// Moments and series written as seconds.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

inline Time at_s(double seconds) {
    return Time::from_seconds(seconds);
}

inline metrics::TimeSeries steps(const std::vector<std::pair<double, std::int64_t>>& points) {
    metrics::TimeSeries out;
    for (const auto& [seconds, value] : points) out.append(at_s(seconds), value);
    return out;
}

}  // namespace headroom::analysis
