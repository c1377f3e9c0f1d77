/// MeasurementFile: the benchmark's JSON (format: analysis/calibration/README.md), written as it
/// grows, so that a kill keeps what is there. No CUDA here.
///
///     MeasurementFile file("h100.json", {.device = ..., .stack = ..., .environment = ...});
///     file.add(PointRecord{.op = "gemm", .dtype = "bf16", .kernel = "cublaslt", ...});
///     file.save_if_due(now_s);                  // at most every 3 s
///     file.finish();                            // complete: true
///
/// The file is replaced whole (a temporary file beside it, then rename): a reader finds the old or
/// the new content, never half of one. Saving costs O(all records). Times are seconds, `now_s` any
/// clock that does not go back. std::runtime_error: the file cannot be written.
/// std::invalid_argument: a record holds a number that is not finite, or a time that is not above
/// 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

struct DeviceFacts {
    std::string name;
    int compute_capability = 0;  ///< 90: 9.0
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t l2_bytes = 0;
    double power_limit_w = 0;  ///< 0: NVML does not say
};

struct StackFacts {
    std::string driver;
    std::string cuda;
    std::string cublaslt;
    std::string cudnn;  ///< empty: not linked
    std::string build;
};

struct EnvironmentFacts {
    std::string mode;         ///< "quick" or "full"
    std::string started;      ///< "2026-11-21T10:00:00Z"
    double sm_clock_mhz = 0;  ///< these three under load, 0: NVML does not say
    double memory_clock_mhz = 0;
    double temperature_c = 0;
    std::string throttling;  ///< every reason seen during the run, ", " between them
};

struct CeilingFacts {
    double read_bytes_per_s = 0;
    double bf16_flop_per_s = 0;
    double fp8_flop_per_s = 0;  ///< 0: there are no fp8 products
};

struct CheckRecord {
    std::string op;
    std::string dtype;
    std::string kernel;
    Shape shape;
    double relative_l2 = 0;
    double tolerance = 0;
    [[nodiscard]] bool passed() const { return relative_l2 < tolerance; }  // NaN never passes
};

struct PointRecord {
    std::string op;
    std::string dtype;
    std::string kernel;
    Shape shape;
    double median_s = 0;
    double p10_s = 0;
    double p90_s = 0;
    int replays = 0;
    double tflops = 0;
    double gbs = 0;
    double pct_ceiling = 0;
};

struct PowerRecord {
    std::string op;
    std::string dtype;
    double watts = 0;
};

struct DriftRecord {
    double at_s = 0;
    double median_s = 0;
};

/// Everything but the points, in the order of the file.
struct MeasurementHead {
    DeviceFacts device;
    StackFacts stack;
    EnvironmentFacts environment;
};

/// Throws, with the reason, when a measurement could not be saved at `path`; found by trying.
void require_writable(const std::string& path);

class MeasurementFile {
  public:
    static constexpr double kSavedEveryS = 3;

    MeasurementFile(std::string path, MeasurementHead head);

    [[nodiscard]] EnvironmentFacts& environment() { return head_.environment; }
    void set_ceilings(const CeilingFacts& ceilings);
    void add(const CheckRecord& check);
    void add(const PointRecord& point);
    void add(const PowerRecord& power);
    void add(const DriftRecord& drift);

    void save_if_due(double now_s);  ///< first at once, then every kSavedEveryS
    void save();
    void finish();  ///< the run came to its end: `complete`, and saved

    [[nodiscard]] std::string text() const;  ///< what save() writes
    [[nodiscard]] const std::vector<PointRecord>& points() const { return points_; }

  private:
    std::string path_;
    MeasurementHead head_;
    CeilingFacts ceilings_;
    std::vector<CheckRecord> checks_;
    std::vector<PointRecord> points_;
    std::vector<PowerRecord> power_;
    std::vector<DriftRecord> drift_;
    bool complete_ = false;
    bool saved_ = false;
    double saved_at_s_ = 0;
};

/// "m=16 n=4096 k=4096"
[[nodiscard]] std::string to_text(const Shape& shape);

}  // namespace headroom::kernels
