/// A measurement whose every point follows a known law, as the benchmark would have written it, for
/// the tests to spoil.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "analysis/calibration/compare_points.hpp"
#include "analysis/calibration/measurement.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::analysis {

inline nlohmann::json point_json(const std::string& op, const std::string& dtype,
                                 const std::string& kernel, const LaunchShape& shape, double t_s) {
    nlohmann::json sizes = nlohmann::json::object();
    for (const auto& entry : shape) sizes[entry.first] = entry.second;
    return {{"op", op},      {"dtype", dtype},      {"shape", sizes},      {"kernel", kernel},
            {"t_s", t_s},    {"p10_s", 0.99 * t_s}, {"p90_s", 1.02 * t_s}, {"n", 15},
            {"tflops", 1.0}, {"gbs", 1.0},          {"pct_ceiling", 50.0}};
}

inline constexpr double kMemoryFloor = 2.5e-6;
inline constexpr double kMemoryRate = 2.55e12;

/// The points of synthetic_tables() and of memory-bound operators that take kMemoryFloor +
/// bytes / kMemoryRate.
inline nlohmann::json synthetic_measurement() {
    nlohmann::json file = {
        {"schema", 1},
        {"kind", "measurement"},
        {"complete", true},
        {"device",
         {{"name", "NVIDIA H100 80GB HBM3"},
          {"cc", 90},
          {"sms", 132},
          {"memory", 84943110144},
          {"l2", 52428800},
          {"power_limit_w", 700}}},
        {"stack",
         {{"driver", "580.159.04"},
          {"cuda", "13.0"},
          {"cublaslt", "13.0.2"},
          {"cudnn", "9.13.0"},
          {"build", "sm_90a"}}},
        {"environment",
         {{"mode", "full"},
          {"started", "2026-11-21T10:00:00Z"},
          {"sm_clock_mhz", 1980},
          {"memory_clock_mhz", 2619},
          {"temperature_c", 41},
          {"throttling", ""}}},
        {"ceilings",
         {{"read_bytes_per_s", 3.0e12}, {"bf16_flop_per_s", 7.9e14}, {"fp8_flop_per_s", 1.5e15}}},
        {"checks", nlohmann::json::array()},
        {"points", nlohmann::json::array()},
        {"power", {{{"op", "gemm"}, {"dtype", "bf16"}, {"watts", 640.0}}}},
        {"drift", {{{"at_s", 0.0}, {"t_s", 1.39e-3}}, {{"at_s", 60.0}, {"t_s", 1.40e-3}}}}};
    nlohmann::json& points = file["points"];
    for (const MeasuredPoint& point : points_of(serving::tests::synthetic_tables())) {
        const std::string kernel = point.op == "gemm" ? "cublaslt" : "own";
        points.push_back(point_json(point.op, point.dtype, kernel, point.shape, point.t_s));
    }
    for (const OperatorKind& kind : operator_kinds()) {
        if (!kind.memory_bound()) continue;
        for (const std::int64_t tokens : {1, 16, 128, 1024, 8192}) {
            LaunchShape shape = {{"tokens", tokens}};
            for (const std::string& name : kind.fields) {
                if (name == "width") shape.emplace_back(name, 4096);
                if (name == "query_heads") shape.emplace_back(name, 32);
                if (name == "kv_heads") shape.emplace_back(name, 8);
                if (name == "head_size") shape.emplace_back(name, 128);
            }
            const double bytes = kind.work("bf16", shape).bytes;
            points.push_back(
                point_json(kind.name, "bf16", "own", shape, kMemoryFloor + bytes / kMemoryRate));
        }
    }
    for (const OperatorKind& kind : operator_kinds()) {
        for (const std::string& dtype : kind.dtypes) {
            file["checks"].push_back({{"op", kind.name},
                                      {"dtype", dtype},
                                      {"kernel", "own"},
                                      {"shape", {{"tokens", 33}}},
                                      {"relative_l2", 0.002},
                                      {"tolerance", 0.01},
                                      {"passed", true}});
        }
    }
    return file;
}

/// The first point of this op and dtype with these sizes among its own.
inline nlohmann::json& find_point(nlohmann::json& file, const std::string& op,
                                  const LaunchShape& sizes, const std::string& dtype = "bf16") {
    for (nlohmann::json& point : file["points"]) {
        bool same = point["op"] == op && point["dtype"] == dtype;
        for (const auto& entry : sizes) same = same && point["shape"][entry.first] == entry.second;
        if (same) return point;
    }
    throw std::out_of_range(op);
}

/// Another time, with its quantiles.
inline void set_time(nlohmann::json& point, double t_s) {
    point["t_s"] = t_s;
    point["p10_s"] = 0.99 * t_s;
    point["p90_s"] = 1.02 * t_s;
}

struct ReadBack {
    std::optional<Measurement> measurement;
    std::vector<std::string> problems;
};
inline ReadBack read_measurement_text(const std::string& text,
                                      const ReadMeasurementOptions& options = {}) {
    const scenarios::TemporaryFolder folder;
    folder.write("m.json", text);
    scenarios::Diagnostics problems;
    ReadBack out;
    out.measurement = read_measurement(folder.path("m.json"), options, problems);
    for (const scenarios::Diagnostic& problem : problems) {
        out.problems.push_back(problem.text().substr(folder.path("").size()));
    }
    return out;
}
inline ReadBack read_back(const nlohmann::json& file, const ReadMeasurementOptions& options = {}) {
    return read_measurement_text(file.dump(1), options);
}

}  // namespace headroom::analysis
