#include "analysis/calibration/fit_profile.hpp"

#include "analysis/calibration/interpolation_error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/calibration/synthetic_measurement.hpp"
#include "tests/unit/scenarios/shipped_catalogue.hpp"

namespace headroom::analysis {
namespace {

using nlohmann::json;

FitResult fitted(const json& file) {
    const ReadBack read = read_back(file);
    for (const std::string& problem : read.problems) UNSCOPED_INFO(problem);
    REQUIRE(read.measurement);
    return fit_profile(*read.measurement, "h100-sxm");
}

const OperatorReport& report_of(const FitResult& result, const std::string& op,
                                const std::string& dtype = "bf16") {
    for (const OperatorReport& report : result.operators) {
        if (report.op == op && report.dtype == dtype) return report;
    }
    throw std::out_of_range(op);
}

}  // namespace

TEST_CASE("FitProfile: every measured point is in the profile as it was measured") {
    const FitResult result = fitted(synthetic_measurement());
    const serving::OperatorTables law = serving::tests::synthetic_tables();
    const serving::OperatorTables& tables = *result.profile.tables;
    const std::vector<MeasuredPoint> expected = points_of(law);
    const std::vector<MeasuredPoint> fitted = points_of(tables);
    REQUIRE(fitted.size() == expected.size());
    for (std::size_t i = 0; i < fitted.size(); ++i) {
        CHECK(fitted[i].shape == expected[i].shape);
        CHECK(fitted[i].t_s == expected[i].t_s);
    }
    CHECK(tables.gemm_fp8.size() == 25);
    CHECK(tables.head_size == 128);
    CHECK(tables.ceilings.read_bytes_per_s == 3.0e12);
    CHECK(result.warnings.empty());
    CHECK(result.profile.gpu == "h100-sxm");
    CHECK(result.profile.kind == "measured");
    CHECK(result.profile.l2_bytes == 52428800);
    CHECK(result.profile.source ==
          "measured by headroom calibrate on NVIDIA H100 80GB HBM3, full sweep, "
          "2026-11-21T10:00:00Z, driver 580.159.04, CUDA 13.0, cuBLASLt 13.0.2, cuDNN 9.13.0");
}

TEST_CASE("FitProfile: memory-bound operators get back the law's floor and rate") {
    const FitResult result = fitted(synthetic_measurement());
    const serving::OperatorTables& tables = *result.profile.tables;
    for (const auto* memory_bound :
         {&tables.norm, &tables.rotary, &tables.activation, &tables.sampling}) {
        CHECK(memory_bound->floor_s == Approx(kMemoryFloor).epsilon(1e-6));
        CHECK(memory_bound->bytes_per_s == Approx(kMemoryRate).epsilon(1e-6));
    }
    const OperatorReport& report = report_of(result, "swiglu");
    REQUIRE(report.errors);
    CHECK(report.errors->count == 5);
    CHECK(report.errors->worst < 1e-6);
}

TEST_CASE("FitProfile: a rate above the read bandwidth is held to it, a floor below 0 to 0") {
    json file = synthetic_measurement();
    // Small launches so slow that a line through the points would be too steep at the end.
    for (const std::int64_t tokens : {1024, 8192}) {
        json& point = find_point(file, "swiglu", {{"tokens", tokens}});
        const double bytes = 6.0 * 4096.0 * static_cast<double>(tokens);
        set_time(point, bytes / 3.05e12);
    }
    const FitResult steep = fitted(file);
    CHECK(steep.profile.tables->activation.bytes_per_s == Approx(3.0e12));
    CHECK(report_of(steep, "swiglu").errors->worst > 0.01);
    for (json& point : file["points"]) {
        if (point["op"] != "swiglu") continue;
        const double tokens = point["shape"]["tokens"];
        const double bytes = 6.0 * 4096.0 * tokens;
        set_time(point, bytes / 1e12 * (tokens < 100 ? 0.9 : 1.0));  // no launch cost at all
    }
    CHECK(fitted(file).profile.tables->activation.floor_s == 0);
}

TEST_CASE("FitProfile: the profile takes the faster of own and cudnn at every prompt") {
    json file = synthetic_measurement();
    json added = json::array();
    for (const json& point : file["points"]) {
        if (point["op"] != "prefill_attention") continue;
        json other = point;
        other["kernel"] = "cudnn";
        const bool long_prompt = point["shape"]["tokens"] >= 4096;
        set_time(other, point["t_s"].get<double>() * (long_prompt ? 0.7 : 1.1));
        added.push_back(other);
    }
    for (const json& point : added) file["points"].push_back(point);
    const FitResult result = fitted(file);
    const serving::OperatorTables law = serving::tests::synthetic_tables();
    const auto& columns = result.profile.tables->prefill_attention;
    REQUIRE(columns.size() == 8);
    for (const serving::PrefillAttentionColumn& column : columns) {
        for (const serving::PrefillAttentionColumn& own : law.prefill_attention) {
            if (own.query_heads != column.query_heads || own.kv_heads != column.kv_heads) continue;
            for (std::size_t i = 0; i < own.t_s.size(); ++i) {
                const double factor = own.tokens[i] >= 4096 ? 0.7 : 1.0;
                CHECK(column.t_s[i] == Approx(factor * own.t_s[i]));
            }
        }
    }
    CHECK(report_of(result, "prefill_attention").kernels == "cudnn 32, own 40");
    CHECK(report_of(result, "gemm").kernels == "cublaslt");
}

TEST_CASE("FitProfile: times that fall are smoothed, with a warning, and the profile is readable") {
    json file = synthetic_measurement();
    json& point = find_point(file, "gemm", {{"m", 512}, {"n", 8192}, {"k", 8192}});
    set_time(
        point,
        1.5 *
            find_point(file, "gemm", {{"m", 1024}, {"n", 8192}, {"k", 8192}})["t_s"].get<double>());
    const FitResult result = fitted(file);
    REQUIRE(result.warnings.size() == 1);
    CHECK(result.warnings[0].find("from m 512 to 1024") != std::string::npos);
    const scenarios::TemporaryFolder folder;
    folder.write("p.json", scenarios::profile_text(result.profile));
    scenarios::Diagnostics problems;
    const auto read = scenarios::read_profile(folder.path("p.json"), problems);
    for (const scenarios::Diagnostic& problem : problems) UNSCOPED_INFO(problem.text());
    REQUIRE(read);
    CHECK(to_json(*read) == to_json(result.profile));
}

TEST_CASE("FitProfile: whole networks become batch times") {
    json file = synthetic_measurement();
    for (const std::int64_t batch : {8, 1, 64}) {
        file["points"].push_back(point_json("resnet50", "bf16", "cudnn", {{"batch", batch}},
                                            1e-4 * static_cast<double>(batch)));
    }
    const FitResult result = fitted(file);
    const serving::BatchTimes& times = result.profile.tables->batch_times.at("resnet50");
    CHECK(times.batch == std::vector<std::int64_t>{1, 8, 64});
    CHECK(times.t_s == std::vector<double>{1e-4 * 1, 1e-4 * 8, 1e-4 * 64});
    CHECK_FALSE(report_of(result, "resnet50").errors);
}

TEST_CASE("FitProfile: the error band grows with what interpolation cannot know, and with spread") {
    json file = synthetic_measurement();
    const FitResult smooth_law = fitted(file);
    CHECK(smooth_law.profile.error_band == kLeastErrorBand);
    CHECK(report_of(smooth_law, "gemm").spread == Approx(0.015));
    CHECK(report_of(smooth_law, "gemm").errors->mean > 0);
    // A chessboard of n and k: no column foretells its neighbour.
    for (json& point : file["points"]) {
        if (point["op"] != "gemm" || point["dtype"] != "bf16") continue;
        const auto is_odd_power = [](std::int64_t size) { return size == 2048 || size == 8192; };
        const bool odd_n = is_odd_power(point["shape"]["n"]);
        const bool odd_k = is_odd_power(point["shape"]["k"]);
        if (odd_n != odd_k) set_time(point, 1.4 * point["t_s"].get<double>());
    }
    const FitResult stepped = fitted(file);
    const OperatorReport& gemm = report_of(stepped, "gemm");
    CHECK(gemm.errors->median > 0.2);
    CHECK(stepped.profile.error_band >= gemm.errors->median + gemm.spread);
    CHECK(stepped.profile.error_band < gemm.errors->median + gemm.spread + 0.01);
}

TEST_CASE("InterpolationError: every inner point and column is left out once") {
    const serving::OperatorTables law = serving::tests::synthetic_tables();
    // 25 columns with 18 inner of 20 points; 5 n with 3 inner k; 3 inner n with 5 k.
    CHECK(gemm_interpolation_errors(law, GemmTableKind::bf16).size() ==
          25 * 18 + 15 * 20 + 15 * 20);
    CHECK(gemm_interpolation_errors(law, GemmTableKind::lm_head).empty());
    CHECK(prefill_interpolation_errors(law).size() == 8 * 7);
    CHECK(decode_interpolation_errors(law).size() > 8 * 8);
    // A point that stands 20 % above its neighbours is missed by that.
    serving::OperatorTables bumped = law;
    for (double& t : bumped.prefill_attention[0].t_s) t = 1e-3;
    bumped.prefill_attention[0].t_s[4] = 1.2e-3;
    const auto worst = summarise_errors(prefill_interpolation_errors(bumped));
    CHECK(worst.worst > 0.15);
}

TEST_CASE("FitProfile: errors are summarised by their sizes") {
    const ErrorSummary none = summarise_errors({});
    CHECK(none.count == 0);
    const ErrorSummary some = summarise_errors({0.1, -0.3, 0.2, 0.0});
    CHECK(some.mean == Approx(0.15));
    CHECK(some.median == Approx(0.15));
    CHECK(some.worst == Approx(0.3));
}

TEST_CASE("FitProfile: the device's name finds the GPU of the catalogue") {
    CHECK(gpu_of_device(scenarios::shipped(), "NVIDIA H100 80GB HBM3").id == "h100-sxm");
    CHECK(gpu_of_device(scenarios::shipped(), "NVIDIA H200").id == "h200-sxm");
    // As nvidia-smi prints them, not as the datasheet does.
    CHECK(gpu_of_device(scenarios::shipped(), "Tesla T4").id == "t4");
    CHECK(gpu_of_device(scenarios::shipped(), "NVIDIA A100 80GB PCIe").id == "a100-pcie-80");
    CHECK(gpu_of_device(scenarios::shipped(), "NVIDIA B300 SXM6 AC").id == "b300-sxm");
    const GpuChoice near = gpu_of_device(scenarios::shipped(), "NVIDIA H100 PCI");
    CHECK(near.id.empty());
    CHECK(near.error ==
          "the catalogue has no GPU of the name \"NVIDIA H100 PCI\" (did you mean \"NVIDIA H100 "
          "PCIe\"?); --gpu says which it is");
}

}  // namespace headroom::analysis
