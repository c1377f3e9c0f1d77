// Which of the measured points count, and how they stop falling: fastest_kernels and smooth of
// measurement.hpp.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "analysis/calibration/measurement.hpp"
#include "analysis/statistics/isotonic.hpp"
#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::analysis {

namespace {

constexpr double kUnchanged = 1e-9;  ///< of a logarithm: rounding, not smoothing

bool same_launch(const MeasuredPoint& a, const MeasuredPoint& b) {
    return a.op == b.op && a.dtype == b.dtype && a.shape == b.shape;
}

/// The points in chains along one field of the shape, everything else being equal; by that field.
std::vector<Chain> chains_along(const std::vector<MeasuredPoint>& points,
                                const std::vector<std::size_t>& group, const std::string& axis) {
    std::map<LaunchShape, Chain> chains;
    for (const std::size_t i : group) {
        LaunchShape rest;
        for (const auto& entry : points[i].shape) {
            if (entry.first != axis) rest.push_back(entry);
        }
        chains[rest].push_back(i);
    }
    std::vector<Chain> out;
    for (auto& entry : chains) {
        std::sort(entry.second.begin(), entry.second.end(), [&](std::size_t a, std::size_t b) {
            return field(points[a].shape, axis) < field(points[b].shape, axis);
        });
        out.push_back(std::move(entry.second));
    }
    return out;
}

void warn_of_falls(const std::vector<MeasuredPoint>& points, const std::vector<Chain>& chains,
                   const std::string& axis, std::vector<std::string>& warnings) {
    for (const Chain& chain : chains) {
        for (std::size_t i = 1; i < chain.size(); ++i) {
            const MeasuredPoint& before = points[chain[i - 1]];
            const MeasuredPoint& after = points[chain[i]];
            const double fall = 1 - after.t_s / before.t_s;
            if (fall <= kSteepFall) continue;
            warnings.push_back(
                fmt::format("{} {} {}: the time falls by {:.1f} % from {} {} to {}; smoothed",
                            after.op, after.dtype, to_text(after.shape), 100 * fall, axis,
                            field(before.shape, axis), field(after.shape, axis)));
        }
    }
}

/// Smooths the points of one op and dtype.
void smooth_group(const OperatorKind& kind, const std::vector<std::size_t>& group,
                  const Measurement& measurement, std::vector<MeasuredPoint>& points,
                  std::vector<std::string>& warnings) {
    // Chains name places in `group`, whose logarithms are regressed.
    std::vector<MeasuredPoint> members;
    std::vector<std::size_t> places;
    std::vector<double> logs;
    for (const std::size_t i : group) {
        places.push_back(members.size());
        members.push_back(points[i]);
        logs.push_back(det_log(points[i].t_s));
    }
    const std::vector<Chain> along = chains_along(members, places, kind.axis);
    std::vector<Chain> across;
    warn_of_falls(members, along, kind.axis, warnings);
    if (!kind.second_axis.empty()) {
        across = chains_along(members, places, kind.second_axis);
        warn_of_falls(members, across, kind.second_axis, warnings);
    }
    const std::vector<double> smoothed = isotonic_two_ways(logs, along, across);
    const auto l2 = static_cast<double>(measurement.device.l2_bytes);
    std::vector<double> times;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const bool changed =
            smoothed[i] > logs[i] + kUnchanged || smoothed[i] < logs[i] - kUnchanged;
        double t = changed ? det_exp(smoothed[i]) : members[i].t_s;
        // A slow point may have shared its fall with one that has no room left below.
        const scenarios::LaunchWork work = kind.work(members[i].dtype, members[i].shape);
        if (changed && is_impossible(work, t, measurement.ceilings, l2)) {
            t = roofline_s(work, measurement.ceilings);
        }
        times.push_back(t);
    }
    // Times that were kept and times that went through logarithms may cross by a rounding.
    times = isotonic_two_ways(times, along, across);
    for (std::size_t i = 0; i < group.size(); ++i) points[group[i]].t_s = times[i];
}

}  // namespace

std::vector<MeasuredPoint> fastest_kernels(std::vector<MeasuredPoint> points) {
    std::sort(points.begin(), points.end(), [](const MeasuredPoint& a, const MeasuredPoint& b) {
        const auto rank_a = rank_of(a.op);
        const auto rank_b = rank_of(b.op);
        return std::tie(rank_a, a.op, a.dtype, a.shape, a.t_s, a.kernel) <
               std::tie(rank_b, b.op, b.dtype, b.shape, b.t_s, b.kernel);
    });
    points.erase(std::unique(points.begin(), points.end(), same_launch), points.end());
    return points;
}

Smoothed smooth(std::vector<MeasuredPoint> points, const Measurement& measurement) {
    Smoothed out;
    for (std::size_t first = 0; first < points.size();) {
        std::vector<std::size_t> group;
        std::size_t next = first;
        while (next < points.size() && points[next].op == points[first].op &&
               points[next].dtype == points[first].dtype) {
            group.push_back(next++);
        }
        const OperatorKind* kind = find_operator(points[first].op);
        HEADROOM_CHECK(kind != nullptr, "a point of an unknown operator");
        if (!kind->memory_bound()) smooth_group(*kind, group, measurement, points, out.warnings);
        first = next;
    }
    out.points = std::move(points);
    return out;
}

}  // namespace headroom::analysis
