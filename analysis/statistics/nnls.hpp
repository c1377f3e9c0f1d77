/// nnls: linear least squares with no coefficient below 0: minimises |A x - b| over x >= 0 by the
/// active-set method of Lawson and Hanson ("Solving Least Squares Problems", 1974, chapter 23).
///
///     nnls({{1, 10}, {1, 20}}, {3, 5})      // {1, 0.2}: 1 + 0.2 z
///
/// Rows have one length, at least 1, and there is at least one row; all numbers are finite
/// (programmer errors). Columns are scaled to length 1 first, so their units do not matter; a
/// column of zeros gets coefficient 0. Deterministic: of equally promising columns the first
/// enters. O(rows columns^2) a step and about as many steps as columns.
#pragma once

#include <vector>

namespace headroom::analysis {

[[nodiscard]] std::vector<double> nnls(const std::vector<std::vector<double>>& rows,
                                       const std::vector<double>& right);

}  // namespace headroom::analysis
