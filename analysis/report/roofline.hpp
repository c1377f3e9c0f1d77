/// A roofline in text: for each operator a table of per cent of the ceiling, tokens, batch or
/// prompt length down, the other sizes across, wrapped to the width of the page.
///
///     gemm bf16, % of the ceiling: m down, n x k across
///         4096x4096  4096x14336
///      1       61.2        70.3
///
/// A size that was not measured is "-". Operators without a known ceiling (whole networks) are left
/// out. O(n log n) in the points.
#pragma once

#include <string>
#include <vector>

#include "analysis/calibration/measurement.hpp"
#include "analysis/report/text_block.hpp"

namespace headroom::analysis {

/// Time at the ceilings / measured time; 0 where the work is not known.
[[nodiscard]] double share_of_ceiling(const MeasuredPoint& point,
                                      const serving::MeasuredCeilings& ceilings);

/// Each table begins with an empty line.
[[nodiscard]] std::string render_roofline(const std::vector<MeasuredPoint>& points,
                                          const serving::MeasuredCeilings& ceilings,
                                          const TextStyle& style);

}  // namespace headroom::analysis
