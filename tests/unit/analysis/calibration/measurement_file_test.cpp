// The benchmark's file and its command line, neither of which needs a GPU.
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/arguments.hpp"
#include "analysis/calibration/kernels/gpu_state.hpp"
#include "analysis/calibration/kernels/measurement_file.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"

namespace headroom::kernels {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using analysis::contains;
using analysis::error_of;

/// A folder of its own, removed at the end.
class MeasurementFolder {
  public:
    explicit MeasurementFolder(const std::string& name)
        : path_(fs::temp_directory_path() / ("headroom-measurement-" + name)) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~MeasurementFolder() { fs::remove_all(path_); }
    MeasurementFolder(const MeasurementFolder&) = delete;
    MeasurementFolder& operator=(const MeasurementFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }
    [[nodiscard]] std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
    }

  private:
    fs::path path_;
};

Json parsed_file(const std::string& path) {
    std::ifstream in(path);
    return Json::parse(in);
}

MeasurementHead some_head() {
    MeasurementHead head;
    head.device = {.name = "NVIDIA H100 80GB HBM3",
                   .compute_capability = 90,
                   .multiprocessors = 132,
                   .memory_bytes = 84943110144,
                   .l2_bytes = 52428800,
                   .power_limit_w = 700};
    head.stack = {.driver = "580.159.04",
                  .cuda = "13.0",
                  .cublaslt = "13.0.2",
                  .cudnn = "9.13.0",
                  .build = "sm_90a"};
    head.environment = {.mode = "full",
                        .started = "2026-11-21T10:00:00Z",
                        .sm_clock_mhz = 1980,
                        .memory_clock_mhz = 2619,
                        .temperature_c = 41,
                        .throttling = ""};
    return head;
}

PointRecord some_point() {
    return {.op = "gemm",
            .dtype = "bf16",
            .kernel = "cublaslt",
            .shape = {{"m", 16}, {"n", 4096}, {"k", 4096}},
            .median_s = 1.31e-5,
            .p10_s = 1.30e-5,
            .p90_s = 1.33e-5,
            .replays = 15,
            .tflops = 41,
            .gbs = 2580,
            .pct_ceiling = 86};
}

CheckRecord some_check() {
    return {.op = "gemm",
            .dtype = "bf16",
            .kernel = "cublaslt",
            .shape = {{"m", 33}, {"n", 1024}, {"k", 512}},
            .relative_l2 = 0.0021,
            .tolerance = 0.01};
}

std::string usage_error(const std::vector<std::string>& words) {
    return error_of([&] { static_cast<void>(parse_arguments(words)); });
}

}  // namespace

TEST_CASE("MeasurementFile: writes every member of the format under its name") {
    const MeasurementFolder folder("members");
    MeasurementFile file(folder.file("m.json"), some_head());
    file.set_ceilings(
        {.read_bytes_per_s = 3.0e12, .bf16_flop_per_s = 7.9e14, .fp8_flop_per_s = 1.5e15});
    file.add(some_check());
    file.add(some_point());
    file.add(PowerRecord{.op = "gemm", .dtype = "bf16", .watts = 640});
    file.add(DriftRecord{.at_s = 60, .median_s = 1.39e-3});
    file.finish();

    const Json expected = Json::parse(R"({
     "schema": 1, "kind": "measurement", "complete": true,
     "device": {"name": "NVIDIA H100 80GB HBM3", "cc": 90, "sms": 132, "memory": 84943110144,
                "l2": 52428800, "power_limit_w": 700.0},
     "stack": {"driver": "580.159.04", "cuda": "13.0", "cublaslt": "13.0.2", "cudnn": "9.13.0",
               "build": "sm_90a"},
     "environment": {"mode": "full", "started": "2026-11-21T10:00:00Z", "sm_clock_mhz": 1980.0,
                     "memory_clock_mhz": 2619.0, "temperature_c": 41.0, "throttling": ""},
     "ceilings": {"read_bytes_per_s": 3.0e12, "bf16_flop_per_s": 7.9e14, "fp8_flop_per_s": 1.5e15},
     "checks": [{"op": "gemm", "dtype": "bf16", "kernel": "cublaslt",
                 "shape": {"m": 33, "n": 1024, "k": 512},
                 "relative_l2": 0.0021, "tolerance": 0.01, "passed": true}],
     "points": [{"op": "gemm", "dtype": "bf16", "shape": {"m": 16, "n": 4096, "k": 4096},
                 "kernel": "cublaslt", "t_s": 1.31e-5, "p10_s": 1.30e-5, "p90_s": 1.33e-5, "n": 15,
                 "tflops": 41.0, "gbs": 2580.0, "pct_ceiling": 86.0}],
     "power": [{"op": "gemm", "dtype": "bf16", "watts": 640.0}],
     "drift": [{"at_s": 60.0, "t_s": 1.39e-3}]})");
    CHECK(parsed_file(folder.file("m.json")) == expected);
    CHECK(folder.entries() == 1);  // the temporary file is gone
}

TEST_CASE("MeasurementFile: whether it could be saved is known beforehand") {
    const MeasurementFolder folder("writable");
    require_writable(folder.file("m.json"));
    CHECK(folder.entries() == 0);
    CHECK(contains(error_of([&] { require_writable(folder.file("none/m.json")); }),
                   "none/m.json.partial"));
}

TEST_CASE("MeasurementFile: is whole and not complete while it grows") {
    const MeasurementFolder folder("grows");
    MeasurementFile file(folder.file("m.json"), some_head());
    file.save_if_due(0);
    CHECK(parsed_file(folder.file("m.json")).at("points").empty());
    CHECK(parsed_file(folder.file("m.json")).at("complete") == false);

    file.add(some_point());
    file.save_if_due(MeasurementFile::kSavedEveryS - 0.1);
    CHECK(parsed_file(folder.file("m.json")).at("points").empty());
    file.save_if_due(MeasurementFile::kSavedEveryS);
    CHECK(parsed_file(folder.file("m.json")).at("points").size() == 1);
    CHECK(parsed_file(folder.file("m.json")).at("complete") == false);

    file.environment().throttling = "sw_power_cap";
    file.finish();
    CHECK(parsed_file(folder.file("m.json")).at("complete") == true);
    CHECK(parsed_file(folder.file("m.json")).at("environment").at("throttling") == "sw_power_cap");
}

TEST_CASE("MeasurementFile: times are written to six digits") {
    MeasurementFile file("unused.json", some_head());
    PointRecord point = some_point();
    point.median_s = 1.23456789e-5;
    file.add(point);
    const Json text = Json::parse(file.text());
    CHECK(text.at("points").at(0).at("t_s") == 1.23457e-5);
    CHECK(contains(file.text(), "1.23457e-05,"));
}

TEST_CASE("MeasurementFile: refuses what cannot be a measurement") {
    MeasurementFile file("unused.json", some_head());
    for (const double wrong : {0.0, -1e-6, std::numeric_limits<double>::infinity(), std::nan("")}) {
        PointRecord point = some_point();
        point.median_s = wrong;
        CHECK_THROWS_AS(file.add(point), std::invalid_argument);
    }
    PointRecord point = some_point();
    point.pct_ceiling = std::numeric_limits<double>::infinity();
    CHECK(contains(error_of([&] { file.add(point); }), "gemm m=16 n=4096 k=4096"));
    CHECK_THROWS_AS(file.add(DriftRecord{.at_s = 1, .median_s = 0}), std::invalid_argument);
    CHECK_THROWS_AS(file.add(PowerRecord{.op = "gemm", .dtype = "bf16", .watts = std::nan("")}),
                    std::invalid_argument);
    CHECK_THROWS_AS(file.set_ceilings(CeilingFacts{}), std::invalid_argument);
    CHECK(file.points().empty());
}

TEST_CASE("MeasurementFile: a device without fp8 products has a ceiling of 0 for them") {
    MeasurementFile file("unwritten.json", some_head());
    CeilingFacts ceilings{.read_bytes_per_s = 3.0e12, .bf16_flop_per_s = 7.9e14};
    file.set_ceilings(ceilings);
    CHECK(contains(file.text(), "\"fp8_flop_per_s\":0"));
    ceilings.fp8_flop_per_s = std::numeric_limits<double>::infinity();
    CHECK_THROWS_AS(file.set_ceilings(ceilings), std::invalid_argument);
}

TEST_CASE("MeasurementFile: a place that cannot be written is an error with its name") {
    MeasurementFile file("/nowhere/at/all/m.json", some_head());
    CHECK(contains(error_of([&] { file.save(); }), "/nowhere/at/all/m.json"));

    const MeasurementFolder folder("taken");
    fs::create_directories(folder.file("m.json") + "/inside");  // no file can replace it
    MeasurementFile taken(folder.file("m.json"), some_head());
    CHECK(contains(error_of([&] { taken.save(); }), "m.json"));
    CHECK(folder.entries() == 1);
}

TEST_CASE("MeasurementFile: a check passes below its tolerance, and NaN never does") {
    CheckRecord check = some_check();
    CHECK(check.passed());
    check.relative_l2 = 0.01;
    CHECK_FALSE(check.passed());
    check.relative_l2 = std::nan("");
    CHECK_FALSE(check.passed());
}

TEST_CASE("KernelArguments: options are taken in both spellings") {
    const Arguments given = parse_arguments(
        {"--quick", "--only", "gemm,swiglu", "--only=argmax", "--device=1", "--out", "h100.json"});
    CHECK(given.quick);
    CHECK_FALSE(given.check_only);
    CHECK(given.only == std::vector<std::string>{"gemm", "swiglu", "argmax"});
    CHECK(given.device == 1);
    CHECK(given.out == "h100.json");
    CHECK(parse_arguments({"--list"}).list);
    CHECK(parse_arguments({"--check-only"}).check_only);
    CHECK(parse_arguments({"-h"}).help);
    CHECK(contains(help_text(), "--check-only"));
}

TEST_CASE("KernelArguments: a word of --only means an op, or one dtype or kernel of it") {
    CHECK(selects("gemm", "gemm", "fp8", "cublaslt"));
    CHECK(selects("gemm:fp8", "gemm", "fp8", "cublaslt"));
    CHECK_FALSE(selects("gemm:bf16", "gemm", "fp8", "cublaslt"));
    CHECK(selects("prefill_attention:own", "prefill_attention", "bf16", "own"));
    CHECK_FALSE(selects("prefill_attention:own", "prefill_attention", "bf16", "cudnn"));
    CHECK(selects("prefill_attention:bf16:own", "prefill_attention", "bf16", "own"));
    CHECK_FALSE(selects("prefill_attention:own:bf16", "prefill_attention", "bf16", "own"));
    CHECK_FALSE(selects("gemm:", "gemm", "fp8", "cublaslt"));
    CHECK_FALSE(selects("fp8", "gemm", "fp8", "cublaslt"));
    const Arguments given = parse_arguments({"--only=gemm:bf16,argmax", "--list"});
    CHECK(given.only == std::vector<std::string>{"gemm:bf16", "argmax"});
}

TEST_CASE("KernelArguments: every mistake is named, with what was expected") {
    CHECK(contains(usage_error({}), "--out FILE is missing"));
    CHECK(contains(usage_error({"--out"}), "--out needs the name of a file"));
    CHECK(contains(usage_error({"--only", "--quick", "--out", "a"}), "--only needs names of ops"));
    const std::string two = usage_error({"--device", "one", "--fast", "--quick=yes"});
    CHECK(contains(two, "--device: expected the number of a GPU"));
    CHECK(contains(two, "unknown argument \"--fast\""));
    CHECK(contains(two, "--quick takes no value"));
    CHECK(contains(usage_error({"--device", "-1", "--list"}), "not \"-1\""));
}

TEST_CASE("GpuState: throttling is named by its reasons, and idleness is none") {
    CHECK(throttle_text(0).empty());
    CHECK(throttle_text(0x1).empty());  // idle
    CHECK(throttle_text(0x4) == "sw_power_cap");
    CHECK(throttle_text(0x44) == "sw_power_cap, hw_thermal_slowdown");
}

TEST_CASE("GpuState: without a device that NVML knows everything is unknown") {
    const GpuState state("ffff:ff:1f.0");
    CHECK_FALSE(state.known());
    CHECK(state.driver().empty());
    CHECK_FALSE(state.power_w().has_value());
    CHECK_FALSE(state.sm_clock_mhz().has_value());
    CHECK(state.throttle_reasons() == 0);
}

}  // namespace headroom::kernels
