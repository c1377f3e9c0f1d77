/// step_chart: a step function of time in one line of characters, one per equal span, the higher
/// the greater its largest value in that span; 0 is blank.
///
///     step_chart(replicas, Time::zero(), end, 8, 60, true)     "▂▂▂▄▆██▆▄▂"
///
/// UTF-8 block elements, or ASCII where the terminal knows no better. O(columns log points).
#pragma once

#include <cstdint>
#include <string>

#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

/// `top` is what the highest character stands for.
[[nodiscard]] std::string step_chart(const metrics::TimeSeries& series, Time from, Time to,
                                     std::int64_t top, int columns, bool utf8);

}  // namespace headroom::analysis
