#include "analysis/calibration/kernels/sweep.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "analysis/calibration/kernels/ceilings.hpp"
#include "analysis/calibration/kernels/gemm_ops.hpp"
#include "analysis/calibration/kernels/opened_device.hpp"
#include "analysis/calibration/kernels/progress.hpp"
#include "analysis/calibration/kernels/quantile.hpp"
#include "analysis/calibration/kernels/stop.hpp"
#include "analysis/calibration/kernels/timing.hpp"

namespace headroom::kernels {

namespace {

constexpr double kAnchorEveryS = 60;
constexpr int kAnchorReplays = 15;
constexpr std::uint64_t kCheckSeed = 1000;
constexpr std::uint64_t kPointSeed = 1000000;

std::string label(const Op& op, const Shape& shape) {
    return op.name() + " " + op.dtype() + " " + op.kernel() + " " + to_text(shape);
}

/// After an op failed: true when the device goes on working, so that only this shape is lost.
void require_usable(const std::string& what, const std::exception& error) {
    if (!still_usable()) {
        throw DeviceError(what + ": " + error.what() + "; the device does not answer any more");
    }
}

/// The same product each minute: what the device's speed did over the run. What NVML says under its
/// load goes into the environment.
class Anchor {
  public:
    Anchor(const Run& run, MeasurementFile& file)
        : run_(run),
          file_(file),
          prepared_(make_gemm(GemmType::bf16)->prepare(run.context, anchor_shape(), kPointSeed)),
          graph_(graph_of(run.context, *prepared_, 2e-3)) {}

    void measure_if_due() {
        const double at_s = now_s();
        if (measured_ && at_s - measured_at_s_ < kAnchorEveryS) return;
        const std::vector<double> seconds = time_replays(run_.context, *graph_, kAnchorReplays);
        file_.add(DriftRecord{.at_s = at_s, .median_s = quantile(seconds, 0.5)});
        if (!measured_) read_state();
        measured_ = true;
        measured_at_s_ = at_s;
    }

    void note_throttling() {
        reasons_ |= run_.state.throttle_reasons();
        file_.environment().throttling = throttle_text(reasons_);
    }

  private:
    void read_state() {
        // Queued, so that NVML is asked while the device works on them.
        for (int i = 0; i < 4 * kAnchorReplays; ++i) graph_->replay();
        EnvironmentFacts& environment = file_.environment();
        environment.sm_clock_mhz = run_.state.sm_clock_mhz().value_or(0);
        environment.memory_clock_mhz = run_.state.memory_clock_mhz().value_or(0);
        environment.temperature_c = run_.state.temperature_c().value_or(0);
        note_throttling();
        HEADROOM_CUDA(cudaStreamSynchronize(run_.context.stream));
    }

    const Run& run_;
    MeasurementFile& file_;
    std::unique_ptr<Case> prepared_;
    std::unique_ptr<LaunchGraph> graph_;
    std::uint64_t reasons_ = 0;
    bool measured_ = false;
    double measured_at_s_ = 0;
};

PointRecord measured_point(const Run& run, const Op& op, const Shape& shape,
                           const CeilingFacts& ceilings, std::uint64_t seed) {
    const std::unique_ptr<Case> prepared = op.prepare(run.context, shape, seed);
    const Timing timing = time_case(run.context, *prepared);
    const Work work = op.work(shape);
    return {.op = op.name(),
            .dtype = op.dtype(),
            .kernel = op.kernel(),
            .shape = shape,
            .median_s = timing.median_s,
            .p10_s = timing.p10_s,
            .p90_s = timing.p90_s,
            .replays = timing.replays,
            .tflops = work.flop / timing.median_s * 1e-12,
            .gbs = work.bytes / timing.median_s * 1e-9,
            .pct_ceiling = percent_of_ceiling(work, op.ceiling(shape), timing.median_s, ceilings)};
}

}  // namespace

std::size_t CheckResults::passed() const {
    return static_cast<std::size_t>(std::count_if(
        records.begin(), records.end(), [](const CheckRecord& record) { return record.passed(); }));
}

CheckResults run_checks(const Run& run) {
    std::size_t total = 0;
    for (const auto& op : run.ops) total += op->check_shapes().size();
    Progress progress("checks", total);
    CheckResults results;
    std::size_t done = 0;
    const auto fail = [&](const std::string& failure) {
        progress.note("failed: " + failure);  // at once: a later check may hang
        results.failures.push_back(failure);
    };
    for (const auto& op : run.ops) {
        progress.note("checking " + op->name() + " " + op->dtype() + " " + op->kernel());
        const std::size_t failed_before = results.failures.size();
        for (const Shape& shape : op->check_shapes()) {
            if (stop_signal() != 0) return results;
            const std::string what = label(*op, shape);
            progress.at(done++, what);
            CheckRecord record{.op = op->name(),
                               .dtype = op->dtype(),
                               .kernel = op->kernel(),
                               .shape = shape,
                               .tolerance = op->tolerance()};
            try {
                record.relative_l2 = op->check(run.context, shape, kCheckSeed * done);
            } catch (const std::exception& error) {
                fail(what + ": " + error.what());
                if (still_usable()) continue;
                fail("the device does not answer any more: the ops after " + op->name() +
                     " were not checked");
                return results;
            }
            if (!record.passed()) {
                fail(what + ": relative L2 " + std::to_string(record.relative_l2) + ", allowed " +
                     std::to_string(record.tolerance));
            }
            results.records.push_back(std::move(record));
        }
        if (results.failures.size() == failed_before) {
            results.good_ops.push_back(op->name() + ":" + op->dtype() + ":" + op->kernel());
        }
    }
    return results;
}

std::vector<std::string> sweep(const Run& run, const CeilingFacts& ceilings,
                               MeasurementFile& file) {
    std::size_t total = 0;
    for (const auto& op : run.ops) total += op->shapes(run.mode).size();
    Progress progress("points", total);
    Anchor anchor(run, file);
    std::vector<std::string> left_out;
    std::size_t done = 0;
    for (const auto& op : run.ops) {
        for (const Shape& shape : op->shapes(run.mode)) {
            if (stop_signal() != 0) {
                file.save();
                return left_out;
            }
            const std::string what = label(*op, shape);
            progress.at(done++, what);
            anchor.measure_if_due();
            if (op->bytes_on_device(run.context, shape) > usable_bytes()) {
                left_out.push_back(what + ": does not fit into the free memory");
                continue;
            }
            try {
                file.add(measured_point(run, *op, shape, ceilings, kPointSeed + done));
            } catch (const std::exception& error) {
                require_usable(what, error);
                left_out.push_back(what + ": " + error.what());
                continue;
            }
            anchor.note_throttling();
            file.save_if_due(now_s());
        }
    }
    file.save();
    return left_out;
}

}  // namespace headroom::kernels
