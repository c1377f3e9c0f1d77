/// quantile(values, q): linear between the two nearest of the sorted values (Hyndman and Fan 1996,
/// type 7), of at least one value; q in [0, 1]. O(n log n).
///
///     quantile({3, 1, 2}, 0.5) == 2
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace headroom::kernels {

[[nodiscard]] inline double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace headroom::kernels
