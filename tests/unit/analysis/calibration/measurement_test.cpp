#include "analysis/calibration/measurement.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/analysis/calibration/synthetic_measurement.hpp"
#include "tests/unit/analysis/error_of.hpp"

namespace headroom::analysis {
namespace {

using nlohmann::json;

/// Reading the synthetic measurement after a change says exactly this.
template <class Change>
void check_only_problem(const Change& change, const std::string& pointer, const std::string& part) {
    json file = synthetic_measurement();
    change(file);
    const ReadBack read = read_back(file);
    INFO(pointer << " " << part);
    CHECK_FALSE(read.measurement);
    REQUIRE(read.problems.size() == 1);
    INFO(read.problems[0]);
    CHECK(read.problems[0].rfind("m.json:", 0) == 0);
    CHECK(contains(read.problems[0], ": " + pointer));
    CHECK(contains(read.problems[0], part));
}

const LaunchShape kSquare = {{"m", 2048}, {"n", 4096}, {"k", 4096}};

double time_of(const std::vector<MeasuredPoint>& points, const std::string& op,
               const LaunchShape& sizes) {
    for (const MeasuredPoint& point : points) {
        bool same = point.op == op && point.dtype == "bf16";
        for (const auto& entry : sizes) {
            same = same && field(point.shape, entry.first) == entry.second;
        }
        if (same) return point.t_s;
    }
    return 0;
}

Smoothed smoothed_points(const json& file) {
    const ReadBack read = read_back(file);
    for (const std::string& problem : read.problems) UNSCOPED_INFO(problem);
    REQUIRE(read.measurement);
    return smooth(fastest_kernels(read.measurement->points), *read.measurement);
}

}  // namespace

TEST_CASE("Measurement: what the benchmark writes is read") {
    const json file = synthetic_measurement();
    const ReadBack read = read_back(file);
    for (const std::string& problem : read.problems) UNSCOPED_INFO(problem);
    REQUIRE(read.measurement);
    const Measurement& m = *read.measurement;
    CHECK(m.complete);
    CHECK(m.device.name == "NVIDIA H100 80GB HBM3");
    CHECK(m.device.l2_bytes == 52428800);
    CHECK(m.stack.cudnn == "9.13.0");
    CHECK(m.environment.mode == "full");
    CHECK(m.ceilings.bf16_flops == 7.9e14);
    CHECK(m.points.size() == file["points"].size());
    CHECK(m.largest_drift == Approx(0.01 / 1.39));
    CHECK(m.warnings.empty());
}

TEST_CASE("Measurement: another schema or kind is refused") {
    check_only_problem([](json& file) { file["schema"] = 2; }, "/schema", "found 2");
    check_only_problem([](json& file) { file["kind"] = "measured"; }, "/kind",
                       "expected one of measurement, found \"measured\"");
    check_only_problem([](json& file) { file.erase("device"); }, "", "expected a field \"device\"");
    check_only_problem([](json& file) { file["pints"] = 1; }, "/pints", "did you mean \"points\"?");
}

TEST_CASE("Measurement: a failed check is refused, and so is none at all") {
    check_only_problem([](json& file) { file["checks"][0]["passed"] = false; }, "/checks/0",
                       "expected a passed check");
    check_only_problem([](json& file) { file["checks"][1]["relative_l2"] = 0.02; }, "/checks/1",
                       "a relative error of 0.02 of gemm fp8");
    check_only_problem([](json& file) { file["checks"] = json::array(); }, "/checks",
                       "at least one check");
}

TEST_CASE("Measurement: points without a finite time above 0 are refused") {
    const json bad[] = {0, -1e-6, nullptr, "1e-6"};
    for (const json& value : bad) {
        check_only_problem([&](json& file) { file["points"][7]["t_s"] = value; }, "/points/7/t_s",
                           "expected a finite number above 0, found " + value.dump());
    }
    check_only_problem([](json& file) { file["points"][7]["gbs"] = -1; }, "/points/7/gbs",
                       "at least 0");
    check_only_problem([](json& file) { file["points"][7]["p10_s"] = 1; }, "/points/7/t_s",
                       "a median from p10_s to p90_s");
    const ReadBack read = read_measurement_text(R"({"schema": 1, "points": [{"t_s": NaN}]})");
    REQUIRE(read.problems.size() == 1);
    CHECK(contains(read.problems[0], "m.json:1:"));
    CHECK(contains(read.problems[0], "'NaN'"));
}

TEST_CASE("Measurement: a truncated file is refused with the line where it ends") {
    const std::string text = synthetic_measurement().dump(1);
    const ReadBack read = read_measurement_text(text.substr(0, text.size() / 2));
    CHECK_FALSE(read.measurement);
    REQUIRE(read.problems.size() == 1);
    CHECK(contains(read.problems[0], "the end of the file"));
}

TEST_CASE("Measurement: points that the ceilings forbid are refused, but not from the L2 cache") {
    const LaunchShape large = {{"m", 1}, {"n", 16384}, {"k", 16384}};  // 537 MB
    check_only_problem([&](json& file) { set_time(find_point(file, "gemm", large), 1.6e-4); },
                       "/points/", "expected no time below 0.000179");
    json file = synthetic_measurement();
    set_time(find_point(file, "gemm", large), 1.75e-4);  // 2 % too fast: the clocks of two runs
    const LaunchShape small = {{"m", 1}, {"n", 1024}, {"k", 1024}};
    set_time(find_point(file, "gemm", small), 1e-8);  // 2 MB lie in the L2 cache
    CHECK(read_back(file).problems.empty());
    check_only_problem(
        [](json& f) {
            set_time(find_point(f, "swiglu", {{"tokens", 8192}}), 5e-5);
        },
        "/points/", "expected no time below");
    check_only_problem(
        [](json& f) {
            set_time(find_point(f, "prefill_attention", {{"tokens", 32768}, {"query_heads", 64}}),
                     1e-3);
        },
        "/points/", "expected no time below");
}

TEST_CASE("Measurement: a point may stand once a kernel") {
    check_only_problem([](json& file) { file["points"].push_back(file["points"][3]); }, "/points/",
                       "expected each point once");
    json file = synthetic_measurement();
    json other = find_point(file, "prefill_attention", {{"tokens", 1024}});
    other["kernel"] = "cudnn";
    file["points"].push_back(other);
    CHECK(read_back(file).problems.empty());
}

TEST_CASE("Measurement: unknown operators, dtypes and shapes are refused with the nearest name") {
    check_only_problem([](json& file) { file["points"][0]["op"] = "gem"; }, "/points/0/op",
                       "did you mean \"gemm\"?");
    check_only_problem([](json& file) { file["points"][0]["dtype"] = "fp16"; }, "/points/0/dtype",
                       "expected one of bf16, fp8");
    check_only_problem([](json& file) { file["points"][0]["shape"].erase("m"); }, "/points/0/shape",
                       "expected a field \"m\"");
    check_only_problem([](json& file) { file["points"][0]["shape"]["m"] = 0; }, "/points/0/shape/m",
                       "expected a whole number from 1");
    check_only_problem(
        [](json& file) { find_point(file, "prefill_attention", {})["shape"]["head_size"] = 64; },
        "/points/", "one head size");
}

TEST_CASE("Measurement: a profile needs every operator, a comparison does not") {
    for (const OperatorKind& kind : operator_kinds()) {
        json file = synthetic_measurement();
        json kept = json::array();
        for (const json& point : file["points"]) {
            if (point["op"] != kind.name || point["dtype"] != "bf16") kept.push_back(point);
        }
        file["points"] = kept;
        const ReadBack read = read_back(file);
        CAPTURE(kind.name);
        CHECK(read.problems.size() == (kind.needed ? 1 : 0));
        if (kind.needed) CHECK(contains(read.problems[0], "expected points of " + kind.name));
        CHECK(read_back(file, {.need_all_operators = false}).measurement);
    }
}

TEST_CASE("Measurement: a run that was cut short is read only when asked for") {
    check_only_problem([](json& file) { file["complete"] = false; }, "/complete",
                       "--allow-incomplete");
    json file = synthetic_measurement();
    file["complete"] = false;
    const ReadBack read = read_back(file, {.allow_incomplete = true});
    REQUIRE(read.measurement);
    CHECK_FALSE(read.measurement->complete);
}

TEST_CASE("Measurement: all mistakes are told at once") {
    json file = synthetic_measurement();
    file["schema"] = 9;
    file["device"]["l2"] = 0;
    file["checks"][2]["passed"] = false;
    file["points"][0]["t_s"] = -1;
    file["points"][9]["op"] = "gemmm";
    file["drift"][0]["t_s"] = 0;
    CHECK(read_back(file).problems.size() == 6);
}

TEST_CASE("Measurement: throttling, drift and missing checks are warnings") {
    json file = synthetic_measurement();
    file["environment"]["throttling"] = "thermal";
    file["drift"].push_back({{"at_s", 120.0}, {"t_s", 1.5e-3}});
    file["checks"].erase(0);  // gemm bf16
    const ReadBack read = read_back(file);
    REQUIRE(read.measurement);
    REQUIRE(read.measurement->warnings.size() == 3);
    CHECK(contains(read.measurement->warnings[0], "gemm bf16 was timed but not checked"));
    CHECK(contains(read.measurement->warnings[1], "thermal"));
    CHECK(contains(read.measurement->warnings[2], "7.9 %"));
}

TEST_CASE("Measurement: of several kernels the fastest counts, of equal ones the first by name") {
    json file = synthetic_measurement();
    json other = find_point(file, "prefill_attention", {{"tokens", 1024}});
    const double own = other["t_s"];
    other["kernel"] = "cudnn";
    file["points"].push_back(other);
    json faster = find_point(file, "prefill_attention", {{"tokens", 2048}});
    faster["kernel"] = "cudnn";
    set_time(faster, 0.9 * faster["t_s"].get<double>());
    file["points"].push_back(faster);
    const ReadBack read = read_back(file);
    REQUIRE(read.measurement);
    const std::vector<MeasuredPoint> points = fastest_kernels(read.measurement->points);
    CHECK(points.size() == file["points"].size() - 2);
    std::size_t by_cudnn = 0;
    for (const MeasuredPoint& point : points) by_cudnn += point.kernel == "cudnn" ? 1 : 0;
    CHECK(by_cudnn == 2);
    CHECK(time_of(points, "prefill_attention", {{"tokens", 1024}, {"query_heads", 4}}) == own);
}

TEST_CASE("Smooth: what does not fall comes back bit for bit, without a warning") {
    const json file = synthetic_measurement();
    const Smoothed result = smoothed_points(file);
    CHECK(result.warnings.empty());
    const std::vector<MeasuredPoint> before = fastest_kernels(read_back(file).measurement->points);
    REQUIRE(result.points.size() == before.size());
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(result.points[i].t_s == before[i].t_s);
}

TEST_CASE("Smooth: a fall is shared out in per cent, and told when it is steep") {
    json file = synthetic_measurement();
    json& high = find_point(file, "gemm", kSquare);
    const double usual = high["t_s"];
    const LaunchShape next = {{"m", 3072}, {"n", 4096}, {"k", 4096}};
    const double after = find_point(file, "gemm", next)["t_s"];
    set_time(high, 1.2 * after);
    Smoothed result = smoothed_points(file);
    const double pooled = std::sqrt(1.2) * after;
    CHECK(time_of(result.points, "gemm", kSquare) == Approx(pooled));
    CHECK(time_of(result.points, "gemm", next) == time_of(result.points, "gemm", kSquare));
    REQUIRE(result.warnings.size() == 1);
    CHECK(result.warnings[0] ==
          "gemm bf16 m=3072 n=4096 k=4096: the time falls by 16.7 % from m 2048 to 3072; smoothed");
    // A fall by less is smoothed without a word.
    set_time(find_point(file, "gemm", kSquare), 1.03 * after);
    result = smoothed_points(file);
    CHECK(result.warnings.empty());
    CHECK(time_of(result.points, "gemm", kSquare) == time_of(result.points, "gemm", next));
    CHECK(time_of(result.points, "gemm", kSquare) > usual);
}

TEST_CASE("Smooth: decode attention falls neither along the context nor along the batch") {
    json file = synthetic_measurement();
    const LaunchShape at = {{"query_heads", 32}, {"kv_heads", 8}, {"batch", 8}, {"context", 2048}};
    json& point = find_point(file, "decode_attention", at);
    set_time(point, 3 * point["t_s"].get<double>());  // slower than twice the batch
    const Smoothed result = smoothed_points(file);
    CHECK(result.warnings.size() == 1);
    CHECK(contains(result.warnings[0], "from batch 8 to 16"));
    std::map<std::pair<std::int64_t, std::int64_t>, double> times;
    for (const MeasuredPoint& p : result.points) {
        if (p.op != "decode_attention" || field(p.shape, "query_heads") != 32) continue;
        times[{field(p.shape, "batch"), field(p.shape, "context")}] = p.t_s;
    }
    for (const auto& [place, t] : times) {
        const auto longer = times.find({place.first, 4 * place.second});
        const auto larger = times.find({2 * place.first, place.second});
        if (longer != times.end()) CHECK(t <= longer->second);
        if (larger != times.end()) CHECK(t <= larger->second);
    }
}

}  // namespace headroom::analysis
