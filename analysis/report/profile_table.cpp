#include "analysis/report/profile_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "analysis/calibration/compare_points.hpp"
#include "analysis/report/roofline.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;
using scenarios::ProfileFile;

/// How near the points of one op and dtype come to their ceiling.
struct OperatorShares {
    std::string op;
    std::string dtype;
    std::size_t columns = 0;
    std::vector<double> shares{};  ///< ascending; 0 where no ceiling is known

    [[nodiscard]] double median() const {
        const std::size_t n = shares.size();
        return (shares[(n - 1) / 2] + shares[n / 2]) / 2;
    }
};

std::vector<OperatorShares> shares_of(const std::vector<MeasuredPoint>& points,
                                      const serving::MeasuredCeilings& ceilings) {
    std::vector<OperatorShares> out;
    std::set<LaunchShape> columns;
    for (const MeasuredPoint& point : points) {
        const OperatorKind* kind = find_operator(point.op);
        if (kind == nullptr) continue;  // another network
        if (out.empty() || out.back().op != point.op || out.back().dtype != point.dtype) {
            out.push_back({point.op, point.dtype});
            columns.clear();
        }
        LaunchShape column = point.shape;
        column.erase(std::remove_if(column.begin(), column.end(),
                                    [&](const auto& entry) { return entry.first == kind->axis; }),
                     column.end());
        columns.insert(column);
        out.back().columns = columns.size();
        out.back().shares.push_back(share_of_ceiling(point, ceilings));
    }
    for (OperatorShares& entry : out) std::sort(entry.shares.begin(), entry.shares.end());
    return out;
}

std::string tenth_percent(double share) {
    return fmt::format("{:.1f}", 100 * share);
}

std::string head_text(const ProfileFile& profile, const std::string& what, const TextStyle& style) {
    std::string out = ink(profile.gpu, Ink::bold, style) + ": " + what + ", error band " +
                      percent_text(profile.error_band) + "\n";
    return out + wrap(profile.source, style.width, 0) + "\n";
}

std::string operators_text(const std::vector<OperatorShares>& all) {
    Rows rows = {{"Operator", "dtype", "points", "columns", "min %", "median %", "max %"}};
    for (const OperatorShares& entry : all) {
        const bool known = entry.shares.back() > 0;
        const auto percent = [&](double share) {
            return known ? tenth_percent(share) : std::string("-");
        };
        rows.push_back({entry.op, entry.dtype, std::to_string(entry.shares.size()),
                        std::to_string(entry.columns), percent(entry.shares.front()),
                        percent(entry.median()), percent(entry.shares.back())});
    }
    return columns(rows, 0);
}

std::string fits_text(const serving::OperatorTables& tables) {
    Rows rows = {{"Memory-bound", "floor", "rate", "% of read bandwidth"}};
    for (const OperatorKind& kind : operator_kinds()) {
        if (!kind.memory_bound()) continue;
        const serving::MemoryBoundFit& fit = tables.*kind.fit;
        rows.push_back({kind.name, duration_text(fit.floor_s), rate_text(fit.bytes_per_s) + "B/s",
                        tenth_percent(fit.bytes_per_s / tables.ceilings.read_bytes_per_s)});
    }
    return columns(rows, 0);
}

std::string networks_text(const serving::OperatorTables& tables) {
    std::string out;
    for (const auto& network : tables.batch_times) {
        const serving::BatchTimes& times = network.second;
        Rows rows = {{network.first + ": batch", "time", "images/s"}};
        for (std::size_t i = 0; i < times.batch.size(); ++i) {
            rows.push_back({std::to_string(times.batch[i]), duration_text(times.t_s[i]),
                            rate_text(static_cast<double>(times.batch[i]) / times.t_s[i])});
        }
        out += "\n" + columns(rows, 0);
    }
    return out;
}

std::string measured_text(const ProfileFile& profile, const TextStyle& style) {
    const serving::OperatorTables& tables = *profile.tables;
    const std::vector<MeasuredPoint> points = points_of(tables);
    std::string out = head_text(profile, "measured operators", style);
    out += fmt::format("Ceilings: read {}B/s, bf16 {}flop/s",
                       rate_text(tables.ceilings.read_bytes_per_s),
                       rate_text(tables.ceilings.bf16_flops));
    if (tables.ceilings.fp8_flops > 0) {
        out += fmt::format(", fp8 {}flop/s", rate_text(tables.ceilings.fp8_flops));
    }
    out += "\nPer cent are of the ceiling that a launch runs into.\n\n";
    out += operators_text(shares_of(points, tables.ceilings)) + "\n" + fits_text(tables);
    return out + render_roofline(points, tables.ceilings, style) + networks_text(tables);
}

std::string errors_text(const nlohmann::json& fit) {
    std::string out;
    for (const char* name : {"requests", "held_out", "simulations"}) {
        if (!fit.contains(name) || !fit[name].is_number()) continue;
        out += fmt::format("{}{} {}", out.empty() ? "Fit: " : ", ", name, fit[name].dump());
    }
    if (!out.empty()) out += "\n";
    const auto errors = fit.find("held_out_error");
    if (errors == fit.end() || !errors->is_object()) return out;
    Rows rows = {{"Error on held-out requests", "mean %", "p50 %", "p99 %", "per request %"}};
    for (const auto& metric : errors->items()) {
        std::vector<std::string> row = {metric.key()};
        for (const char* name : {"mean", "p50", "p99", "per_request"}) {
            const nlohmann::json& values = metric.value();
            const bool known =
                values.is_object() && values.contains(name) && values[name].is_number();
            row.push_back(known ? tenth_percent(values[name].get<double>()) : "-");
        }
        rows.push_back(std::move(row));
    }
    return out + "\n" + columns(rows, 0);
}

std::string observed_text(const ProfileFile& profile, const TextStyle& style) {
    const scenarios::ObservedProfile& observed = *profile.observed;
    std::string out =
        head_text(profile,
                  fmt::format("{}, tensor parallel {}, {} with {} KV cache, observed",
                              observed.model, observed.tensor_parallel, name_of(observed.dtype),
                              name_of(observed.kv_cache_dtype)),
                  style);
    const serving::LinearCoefficients& c = observed.linear;
    std::vector<std::vector<std::string>> rows{{"Iteration time", ""}};
    const auto add = [&](const char* name, Duration value) {
        rows.push_back({name, duration_text(value.to_seconds())});
    };
    add("c0, each iteration", c.per_iteration);
    add("c1, a prefill token", c.per_prefill_token);
    add("c2, a decoding sequence", c.per_decode_sequence);
    add("c3, a token of context", c.per_context_token);
    add("c4, a pair of prefill attention", c.per_prefill_attention);
    if (c.per_touched_expert > Duration::zero()) {
        add("c5, an expert that is touched", c.per_touched_expert);
    }
    add("front end, a request", observed.front_end);
    out += "\n" + columns(rows, 0);
    return observed.fit ? out + "\n" + errors_text(*observed.fit) : out;
}

}  // namespace

std::string render_profile(const ProfileFile& profile, const TextStyle& style) {
    return profile.observed ? observed_text(profile, style) : measured_text(profile, style);
}

Json profile_report(const ProfileFile& profile) {
    if (profile.observed) return to_json(profile);
    const serving::OperatorTables& tables = *profile.tables;
    const std::vector<MeasuredPoint> points = points_of(tables);
    const Json file = to_json(profile);
    Json out;
    for (const char* name : {"kind", "gpu", "error_band", "source", "ceilings"}) {
        out[name] = file[name];
    }
    out["operators"] = Json::array();
    for (const OperatorShares& entry : shares_of(points, tables.ceilings)) {
        Json row = {{"op", entry.op},
                    {"dtype", entry.dtype},
                    {"points", entry.shares.size()},
                    {"columns", entry.columns}};
        if (entry.shares.back() > 0) {
            row["share_of_ceiling"] = {{"min", entry.shares.front()},
                                       {"median", entry.median()},
                                       {"max", entry.shares.back()}};
        }
        out["operators"].push_back(std::move(row));
    }
    out["elementwise"] = file["elementwise"];
    out["points"] = Json::array();
    for (const MeasuredPoint& point : points) {
        Json shape = Json::object();
        for (const auto& entry : point.shape) shape[entry.first] = entry.second;
        Json row = {{"op", point.op}, {"dtype", point.dtype}, {"shape", shape}, {"t_s", point.t_s}};
        const double share = share_of_ceiling(point, tables.ceilings);
        if (share > 0) row["share_of_ceiling"] = share;
        out["points"].push_back(std::move(row));
    }
    return out;
}

}  // namespace headroom::analysis
