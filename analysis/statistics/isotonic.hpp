/// Isotonic regression: the sequence without a fall that is nearest to given values in the sum of
/// squares. One order by pooling adjacent violators (Ayer, Brunk, Ewing, Reid and Silverman 1955);
/// two orders at once, as of a table that may fall neither along its rows nor along its columns, by
/// projecting onto both in turn with Dykstra's corrections (Dykstra and Robertson 1982).
///
///     isotonic({1, 3, 2, 4})        // {1, 2.5, 2.5, 4}
///
/// Values that violate nothing come back bit for bit, and the results never fall, to the bit. All
/// values are finite. One order is O(n); two take O(n) a round and about a dozen rounds.
#pragma once

#include <cstddef>
#include <vector>

namespace headroom::analysis {

[[nodiscard]] std::vector<double> isotonic(const std::vector<double>& values);

/// Indices of values in the order in which these may not fall.
using Chain = std::vector<std::size_t>;

/// Along every chain of both families; within a family no index occurs twice.
[[nodiscard]] std::vector<double> isotonic_two_ways(const std::vector<double>& values,
                                                    const std::vector<Chain>& rows,
                                                    const std::vector<Chain>& columns);

}  // namespace headroom::analysis
