#include "analysis/calibration/fit_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "analysis/calibration/interpolation_error.hpp"
#include "analysis/statistics/nnls.hpp"
#include "sim/core/check.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

using serving::OperatorTables;

/// The points of one op and dtype.
struct PointGroup {
    std::string op;
    std::string dtype;
    std::vector<MeasuredPoint> points;
};

std::vector<PointGroup> group_points(const std::vector<MeasuredPoint>& points) {
    std::vector<PointGroup> groups;
    for (const MeasuredPoint& point : points) {
        if (groups.empty() || groups.back().op != point.op || groups.back().dtype != point.dtype) {
            groups.push_back({point.op, point.dtype, {}});
        }
        groups.back().points.push_back(point);
    }
    return groups;
}

/// A column: the fields of the shape that its points share (in the order asked for), and times by
/// the axis.
struct Series {
    std::vector<std::int64_t> key;
    std::vector<std::int64_t> sizes;
    std::vector<double> times;
};

std::vector<Series> series_of(const PointGroup& group, const std::vector<std::string>& key_fields,
                              const std::string& axis) {
    std::map<std::vector<std::int64_t>, std::map<std::int64_t, double>> by_key;
    for (const MeasuredPoint& point : group.points) {
        std::vector<std::int64_t> key;
        for (const std::string& name : key_fields) key.push_back(field(point.shape, name));
        by_key[key][field(point.shape, axis)] = point.t_s;
    }
    std::vector<Series> out;
    for (const auto& column : by_key) {
        Series series{column.first, {}, {}};
        for (const auto& point : column.second) {
            series.sizes.push_back(point.first);
            series.times.push_back(point.second);
        }
        out.push_back(std::move(series));
    }
    return out;
}

std::vector<serving::GemmColumn> gemm_columns(const PointGroup& group) {
    std::vector<serving::GemmColumn> columns;
    for (Series& series : series_of(group, {"n", "k"}, "m")) {
        columns.push_back({series.key[0], series.key[1], series.sizes, series.times});
    }
    return columns;
}

/// Puts the group into the tables; the number of columns.
std::size_t add_columns(const PointGroup& group, OperatorTables& tables) {
    if (group.op == "gemm" || group.op == "lm_head") {
        auto& columns = group.op == "lm_head"  ? tables.lm_head_bf16
                        : group.dtype == "fp8" ? tables.gemm_fp8
                                               : tables.gemm_bf16;
        columns = gemm_columns(group);
        return columns.size();
    }
    if (group.op == "decode_attention") {
        for (Series& s : series_of(group, {"query_heads", "kv_heads", "batch"}, "context")) {
            tables.decode_attention.push_back({s.key[0], s.key[1], s.key[2], s.sizes, s.times});
        }
        tables.head_size = field(group.points.front().shape, "head_size");
        return tables.decode_attention.size();
    }
    if (group.op == "prefill_attention") {
        for (Series& s : series_of(group, {"query_heads", "kv_heads"}, "tokens")) {
            tables.prefill_attention.push_back({s.key[0], s.key[1], s.sizes, s.times});
        }
        return tables.prefill_attention.size();
    }
    const std::vector<Series> whole = series_of(group, {}, "batch");
    tables.batch_times[group.op] = {whole.front().sizes, whole.front().times};
    return 1;
}

/// floor + bytes / rate with relative residuals: (floor + bytes / ceiling + bytes x slower) / t =
/// 1, floor and slower >= 0, so that 1 / rate = 1 / ceiling + slower.
serving::MemoryBoundFit fit_memory_bound(const PointGroup& group, double read_bytes_per_s,
                                         std::vector<double>& residuals) {
    const OperatorKind* kind = find_operator(group.op);
    std::vector<std::vector<double>> rows;
    std::vector<double> right;
    for (const MeasuredPoint& point : group.points) {
        const double bytes = kind->work(point.dtype, point.shape).bytes;
        rows.push_back({1 / point.t_s, bytes / point.t_s});
        right.push_back(1 - bytes / read_bytes_per_s / point.t_s);
    }
    const std::vector<double> x = nnls(rows, right);
    const serving::MemoryBoundFit fit{x[0], 1 / (1 / read_bytes_per_s + x[1])};
    for (const MeasuredPoint& point : group.points) {
        const double bytes = kind->work(point.dtype, point.shape).bytes;
        residuals.push_back((fit.floor_s + bytes / fit.bytes_per_s) / point.t_s - 1);
    }
    return fit;
}

std::vector<double> interpolation_errors(const PointGroup& group, const OperatorTables& tables) {
    if (group.op == "decode_attention") return decode_interpolation_errors(tables);
    if (group.op == "prefill_attention") return prefill_interpolation_errors(tables);
    if (group.op == "lm_head") return gemm_interpolation_errors(tables, GemmTableKind::lm_head);
    if (group.op != "gemm") return {};
    return gemm_interpolation_errors(
        tables, group.dtype == "fp8" ? GemmTableKind::fp8 : GemmTableKind::bf16);
}

std::string kernels_of(const PointGroup& group) {
    std::map<std::string, std::size_t> counts;
    for (const MeasuredPoint& point : group.points) ++counts[point.kernel];
    if (counts.size() == 1) return counts.begin()->first;
    std::string text;
    for (const auto& entry : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", entry.first, entry.second);
    }
    return text;
}

double mean_spread(const PointGroup& group) {
    double sum = 0;
    for (const MeasuredPoint& point : group.points)
        sum += (point.p90_s - point.p10_s) / 2 / point.t_s;
    return sum / static_cast<double>(group.points.size());
}

double error_band_of(const std::vector<OperatorReport>& operators) {
    double band = kLeastErrorBand;
    for (const OperatorReport& report : operators) {
        if (report.fit || !report.errors) continue;
        // Rounded up, but not for what rounding left above a whole per cent.
        band =
            std::max(band, std::ceil((report.errors->median + report.spread) * 100 - 1e-9) / 100);
    }
    return std::min(band, 1.0);
}

std::string source_of(const Measurement& measurement) {
    const MeasuredStack& stack = measurement.stack;
    std::string text =
        fmt::format("measured by headroom calibrate on {}, {} sweep{}, {}", measurement.device.name,
                    measurement.environment.mode, measurement.complete ? "" : " (cut short)",
                    measurement.environment.started);
    const std::pair<const char*, const std::string*> versions[] = {{"driver", &stack.driver},
                                                                   {"CUDA", &stack.cuda},
                                                                   {"cuBLASLt", &stack.cublaslt},
                                                                   {"cuDNN", &stack.cudnn}};
    for (const auto& version : versions) {
        if (!version.second->empty())
            text += fmt::format(", {} {}", version.first, *version.second);
    }
    return text;
}

}  // namespace

ErrorSummary summarise_errors(std::vector<double> errors) {
    ErrorSummary out;
    out.count = errors.size();
    if (errors.empty()) return out;
    double sum = 0;
    for (double& error : errors) {
        error = std::fabs(error);
        sum += error;
    }
    std::sort(errors.begin(), errors.end());
    out.mean = sum / static_cast<double>(errors.size());
    const std::size_t upper = errors.size() / 2;
    out.median = errors.size() % 2 == 1 ? errors[upper] : (errors[upper - 1] + errors[upper]) / 2;
    out.worst = errors.back();
    return out;
}

FitResult fit_profile(const Measurement& measurement, const std::string& gpu) {
    FitResult out;
    out.warnings = measurement.warnings;
    Smoothed smoothed = smooth(fastest_kernels(measurement.points), measurement);
    out.warnings.insert(out.warnings.end(), smoothed.warnings.begin(), smoothed.warnings.end());
    const std::vector<PointGroup> groups = group_points(smoothed.points);

    scenarios::ProfileFile& profile = out.profile;
    profile.kind = "measured";
    profile.gpu = gpu;
    profile.source = source_of(measurement);
    profile.l2_bytes = measurement.device.l2_bytes;
    OperatorTables& tables = profile.tables.emplace();
    tables.ceilings = measurement.ceilings;
    for (const PointGroup& group : groups) {
        const OperatorKind* kind = find_operator(group.op);
        OperatorReport report;
        report.op = group.op;
        report.dtype = group.dtype;
        report.kernels = kernels_of(group);
        report.points = group.points.size();
        report.spread = mean_spread(group);
        if (kind->memory_bound()) {
            std::vector<double> residuals;
            report.fit = fit_memory_bound(group, measurement.ceilings.read_bytes_per_s, residuals);
            tables.*kind->fit = *report.fit;
            report.errors = summarise_errors(std::move(residuals));
        } else {
            report.columns = add_columns(group, tables);
        }
        out.operators.push_back(std::move(report));
    }
    HEADROOM_CHECK(!tables.gemm_bf16.empty() && !tables.decode_attention.empty() &&
                       !tables.prefill_attention.empty() && tables.sampling.bytes_per_s > 0,
                   "a measurement without an operator that a profile needs");
    // Only whole tables can be interpolated.
    for (std::size_t i = 0; i < groups.size(); ++i) {
        std::vector<double> errors = interpolation_errors(groups[i], tables);
        if (!errors.empty()) out.operators[i].errors = summarise_errors(std::move(errors));
    }
    profile.error_band = error_band_of(out.operators);
    return out;
}

GpuChoice gpu_of_device(const scenarios::Catalogue& catalogue, const std::string& device_name) {
    std::vector<std::string> names;
    for (const std::string& id : catalogue.gpu_names()) {
        const scenarios::GpuEntry* gpu = catalogue.find_gpu(id);
        if (gpu->name == device_name) return {id, {}};
        names.push_back(gpu->name);
    }
    return {{},
            fmt::format("the catalogue has no GPU of the name \"{}\"{}; --gpu says which it is",
                        device_name, scenarios::did_you_mean(nearest_name(device_name, names)))};
}

}  // namespace headroom::analysis
