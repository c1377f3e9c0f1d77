#include "analysis/calibration/compare_points.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

using serving::OperatorTables;

MeasuredPoint make_point(const char* op, const char* dtype, LaunchShape shape, double t_s) {
    return {op, dtype, {}, std::move(shape), t_s, 0, 0};
}

void add_gemms(const char* op, const char* dtype, const std::vector<serving::GemmColumn>& columns,
               std::vector<MeasuredPoint>& out) {
    for (const serving::GemmColumn& column : columns) {
        for (std::size_t i = 0; i < column.m.size(); ++i) {
            out.push_back(make_point(
                op, dtype, {{"m", column.m[i]}, {"n", column.n}, {"k", column.k}}, column.t_s[i]));
        }
    }
}

/// The fits of `set` at the shapes where `other` has points, or at kComparedBytes.
void add_fits(PointSet& set, const PointSet& other) {
    if (!set.tables) return;
    for (const OperatorKind& kind : operator_kinds()) {
        if (!kind.memory_bound()) continue;
        const serving::MemoryBoundFit& fit = (*set.tables).*kind.fit;
        const auto add = [&](const LaunchShape& shape, double bytes) {
            set.points.push_back(make_point(kind.name.c_str(), kind.dtypes.front().c_str(), shape,
                                            fit.floor_s + bytes / fit.bytes_per_s));
        };
        if (other.tables) {
            for (const std::int64_t bytes : kComparedBytes) {
                add({{"bytes", bytes}}, static_cast<double>(bytes));
            }
            continue;
        }
        for (const MeasuredPoint& point : other.points) {
            if (point.op == kind.name) add(point.shape, kind.work(point.dtype, point.shape).bytes);
        }
    }
}

struct Launch {
    std::string op;
    std::string dtype;
    LaunchShape shape;
    bool operator<(const Launch& other) const {
        return std::tie(op, dtype, shape) < std::tie(other.op, other.dtype, other.shape);
    }
};
using ByLaunch = std::map<Launch, double>;

/// Every point of the set, its fits evaluated for a comparison with `other`.
ByLaunch by_launch(const PointSet& set, const PointSet& other) {
    PointSet with_fits = set;
    add_fits(with_fits, other);
    ByLaunch out;
    for (const MeasuredPoint& point : fastest_kernels(std::move(with_fits.points))) {
        out.emplace(Launch{point.op, point.dtype, point.shape}, point.t_s);
    }
    return out;
}

void summarise(OperatorDifference& difference) {
    std::vector<double> signed_differences;
    std::vector<double> sizes;
    for (const PointDifference& point : difference.common) {
        signed_differences.push_back(point.relative());
        sizes.push_back(std::fabs(point.relative()));
    }
    if (sizes.empty()) return;
    std::sort(signed_differences.begin(), signed_differences.end());
    std::sort(sizes.begin(), sizes.end());
    const std::size_t n = sizes.size();
    difference.median = (signed_differences[(n - 1) / 2] + signed_differences[n / 2]) / 2;
    // The least size that nine tenths do not exceed.
    difference.p90 = sizes[(9 * n + 9) / 10 - 1];
    std::stable_sort(difference.common.begin(), difference.common.end(),
                     [](const PointDifference& a, const PointDifference& b) {
                         return std::fabs(a.relative()) > std::fabs(b.relative());
                     });
}

}  // namespace

std::vector<MeasuredPoint> points_of(const OperatorTables& tables) {
    std::vector<MeasuredPoint> out;
    add_gemms("gemm", "bf16", tables.gemm_bf16, out);
    add_gemms("gemm", "fp8", tables.gemm_fp8, out);
    add_gemms("lm_head", "bf16", tables.lm_head_bf16, out);
    for (const serving::DecodeAttentionColumn& column : tables.decode_attention) {
        for (std::size_t i = 0; i < column.context.size(); ++i) {
            out.push_back(make_point("decode_attention", "bf16",
                                     {{"batch", column.batch},
                                      {"context", column.context[i]},
                                      {"query_heads", column.query_heads},
                                      {"kv_heads", column.kv_heads},
                                      {"head_size", tables.head_size}},
                                     column.t_s[i]));
        }
    }
    for (const serving::PrefillAttentionColumn& column : tables.prefill_attention) {
        for (std::size_t i = 0; i < column.tokens.size(); ++i) {
            out.push_back(make_point("prefill_attention", "bf16",
                                     {{"tokens", column.tokens[i]},
                                      {"query_heads", column.query_heads},
                                      {"kv_heads", column.kv_heads},
                                      {"head_size", tables.head_size}},
                                     column.t_s[i]));
        }
    }
    for (const auto& network : tables.batch_times) {
        const serving::BatchTimes& times = network.second;
        for (std::size_t i = 0; i < times.batch.size(); ++i) {
            out.push_back(make_point(network.first.c_str(), "bf16", {{"batch", times.batch[i]}},
                                     times.t_s[i]));
        }
    }
    return fastest_kernels(std::move(out));
}

PointSet points_of(const Measurement& measurement) {
    return {measurement.path, fastest_kernels(measurement.points)};
}

PointSet points_of(const scenarios::ProfileFile& profile) {
    HEADROOM_CHECK(profile.tables.has_value(), "only a measured profile has points");
    return {profile.path, points_of(*profile.tables), profile.tables};
}

std::vector<OperatorDifference> compare_points(const PointSet& first, const PointSet& second) {
    const ByLaunch a = by_launch(first, second);
    const ByLaunch b = by_launch(second, first);
    std::vector<OperatorDifference> out;
    const auto entry_of = [&](const Launch& launch) -> OperatorDifference& {
        for (OperatorDifference& entry : out) {
            if (entry.op == launch.op && entry.dtype == launch.dtype) return entry;
        }
        out.push_back({launch.op, launch.dtype});
        return out.back();
    };
    for (const auto& point : a) {
        OperatorDifference& entry = entry_of(point.first);
        const auto twin = b.find(point.first);
        if (twin == b.end()) {
            ++entry.only_first;
        } else {
            entry.common.push_back({point.first.shape, point.second, twin->second});
        }
    }
    for (const auto& point : b) {
        if (a.count(point.first) == 0) ++entry_of(point.first).only_second;
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const OperatorDifference& x, const OperatorDifference& y) {
                         return rank_of(x.op) < rank_of(y.op);
                     });
    for (OperatorDifference& entry : out) summarise(entry);
    return out;
}

}  // namespace headroom::analysis
