/// The normalisation that several scores share (kubernetes v1.28
/// pkg/scheduler/framework/plugins/helper/normalize_score.go): in proportion to the largest, in
/// whole numbers, 0..100; `reversed` makes the largest the worst. O(nodes).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace headroom::policies {

inline constexpr std::int64_t kMaxNodeScore = 100;

inline void normalise_by_largest(std::vector<std::int64_t>& scores, bool reversed) {
    std::int64_t largest = 0;
    for (const std::int64_t score : scores) largest = std::max(largest, score);
    for (std::int64_t& score : scores) {
        const std::int64_t scaled = largest == 0 ? 0 : kMaxNodeScore * score / largest;
        score = reversed ? kMaxNodeScore - scaled : scaled;
    }
}

}  // namespace headroom::policies
