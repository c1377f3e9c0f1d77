/// A broken line through points (utilization, score) in whole numbers: level outside the first and
/// last point, between two points interpolated with one truncating division. O(points). Source:
/// kubernetes v1.28 pkg/scheduler/framework/plugins/helper/shape_score.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom::policies {

struct ShapePoint {
    std::int64_t utilization = 0;  ///< per cent; points ascend
    std::int64_t score = 0;
};

[[nodiscard]] inline std::int64_t broken_linear(const std::vector<ShapePoint>& shape,
                                                std::int64_t utilization) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (utilization > shape[i].utilization) continue;
        if (i == 0) return shape[0].score;
        const ShapePoint& left = shape[i - 1];
        return left.score + (shape[i].score - left.score) * (utilization - left.utilization) /
                                (shape[i].utilization - left.utilization);
    }
    return shape.empty() ? 0 : shape.back().score;
}

}  // namespace headroom::policies
