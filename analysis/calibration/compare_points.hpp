/// compare_points: two profiles or measurements, point by point.
///
///     PointSet a = points_of(profile);
///     PointSet b = points_of(measurement);
///     for (const OperatorDifference& op : compare_points(a, b)) op.median;  // 0.03: b is slower
///
/// Points are the same when op, dtype and shape are; of several kernels the fastest counts.
/// Memory-bound operators are fits in a profile: against a measurement they are evaluated at its
/// shapes, against another profile at kComparedBytes. Differences are b / a - 1. Seconds.
/// O(n log n).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "analysis/calibration/measurement.hpp"
#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::analysis {

struct PointSet {
    std::string name;                   ///< for people: the file
    std::vector<MeasuredPoint> points;  ///< as from fastest_kernels()
    /// Of a profile: has the fits of the memory-bound operators.
    std::optional<serving::OperatorTables> tables{};
};

/// Small enough to be a launch of a few sequences, large enough to be a long prompt.
inline constexpr std::array<std::int64_t, 2> kComparedBytes = {1 << 20, 64 << 20};

[[nodiscard]] PointSet points_of(const Measurement& measurement);
/// A measured profile.
[[nodiscard]] PointSet points_of(const scenarios::ProfileFile& profile);
/// The columns alone.
[[nodiscard]] std::vector<MeasuredPoint> points_of(const serving::OperatorTables& tables);

struct PointDifference {
    LaunchShape shape;
    double first_s = 0;
    double second_s = 0;
    [[nodiscard]] double relative() const { return second_s / first_s - 1; }
};

struct OperatorDifference {
    std::string op;
    std::string dtype;
    std::size_t only_first{};
    std::size_t only_second{};
    double median{};                        ///< of the differences with their signs
    double p90{};                           ///< of their sizes
    std::vector<PointDifference> common{};  ///< the largest difference first
};

[[nodiscard]] std::vector<OperatorDifference> compare_points(const PointSet& first,
                                                             const PointSet& second);

}  // namespace headroom::analysis
