/// Measurement: what the kernel benchmark measured on one device (format: README.md), read and
/// judged.
///
///     scenarios::Diagnostics problems;
///     std::optional<Measurement> m = read_measurement("h100.json", {}, problems);
///     Smoothed points = smooth(fastest_kernels(m->points), *m);
///
/// Refused, all in one go with line and pointer: another schema, unknown or missing fields, numbers
/// that are not finite or not above 0, a failed check, a point twice, a median outside of its own
/// p10 to p90, points that the ceilings forbid (launch_work.hpp), and, as asked, a run that was cut
/// short or lacks an operator that a profile needs. Real kernel times are stepped and sometimes
/// fall while the work grows; smooth() makes them never fall. Seconds. O(n log n) in the points.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/calibration/operator_kind.hpp"
#include "scenarios/diagnostic.hpp"
#include "sim/serving/latency/operator_tables.hpp"

namespace headroom::analysis {

struct MeasuredPoint {
    std::string op;
    std::string dtype;
    std::string kernel;
    LaunchShape shape;
    double t_s = 0;  ///< median
    double p10_s = 0;
    double p90_s = 0;
};

struct MeasuredDevice {
    std::string name;
    std::int64_t compute_capability = 0;
    std::int64_t multiprocessors = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t l2_bytes = 0;
    double power_limit_w = 0;  ///< 0: not known
};

struct MeasuredStack {
    std::string driver;
    std::string cuda;
    std::string cublaslt;
    std::string cudnn;  ///< empty: not there
    std::string build;
};

struct MeasuredEnvironment {
    std::string mode;  ///< "quick" or "full"
    std::string started;
    double sm_clock_mhz = 0;
    double memory_clock_mhz = 0;
    double temperature_c = 0;
    std::string throttling;  ///< reasons; empty: none
};

struct Measurement {
    std::string path;
    bool complete = false;
    MeasuredDevice device;
    MeasuredStack stack;
    MeasuredEnvironment environment;
    serving::MeasuredCeilings ceilings;
    std::vector<MeasuredPoint> points;  ///< at least one
    double largest_drift = 0;           ///< of the anchor product, against its first time
    std::vector<std::string> warnings;  ///< of what does not forbid to use it
};

struct ReadMeasurementOptions {
    bool allow_incomplete = false;  ///< a run that was cut short will do
    bool need_all_operators = true;
};

/// Nothing when there were mistakes, which are appended to `diagnostics`.
[[nodiscard]] std::optional<Measurement> read_measurement(const std::string& path,
                                                          const ReadMeasurementOptions& options,
                                                          scenarios::Diagnostics& diagnostics);

/// Of each op, dtype and shape the kernel that took the least time (of equal ones the first by
/// name), in the order of operator_kinds(), dtype and shape.
[[nodiscard]] std::vector<MeasuredPoint> fastest_kernels(std::vector<MeasuredPoint> points);

struct Smoothed {
    std::vector<MeasuredPoint> points;
    std::vector<std::string> warnings;  ///< one for each fall by more than kSteepFall
};

inline constexpr double kSteepFall = 0.05;

/// Times of the operators that become columns (not of the memory-bound, which are fitted), made
/// never to fall along the axes of operator_kind.hpp: isotonic regression of their logarithms, so
/// that a fall is shared out evenly in per cent. What does not fall comes back bit for bit, and no
/// time comes out below what the ceilings allow. `points` as from fastest_kernels().
[[nodiscard]] Smoothed smooth(std::vector<MeasuredPoint> points, const Measurement& measurement);

}  // namespace headroom::analysis
