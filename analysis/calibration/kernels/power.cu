#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>

#include "analysis/calibration/kernels/opened_device.hpp"
#include "analysis/calibration/kernels/progress.hpp"
#include "analysis/calibration/kernels/stop.hpp"
#include "analysis/calibration/kernels/sweep.hpp"
#include "analysis/calibration/kernels/timing.hpp"

namespace headroom::kernels {

namespace {

constexpr double kHoldS = 10;
constexpr double kQuickHoldS = 3;
constexpr double kGraphS = 20e-3;
constexpr double kSampleEveryS = 0.1;
constexpr double kUncounted = 0.2;   // of the hold: until power and clocks have settled
constexpr double kUncountedS = 1.5;  // at least: NVML's reading is the mean of a second
constexpr std::uint64_t kSeed = 77;

/// The shape with the most work that fits: operations for a product, bytes for attention.
Shape largest_shape(const Run& run, const Op& op) {
    Shape largest;
    double most = 0;
    for (const Shape& shape : op.shapes(run.mode)) {
        const Work work = op.work(shape);
        const double size = op.name() == "gemm" ? work.flop : work.bytes;
        if (size > most && op.bytes_on_device(run.context, shape) <= usable_bytes()) {
            most = size;
            largest = shape;
        }
    }
    return largest;
}

/// Watts while the case runs without a pause; 0 when no sample was taken.
double held_watts(const Run& run, Case& prepared, double hold_s) {
    const std::unique_ptr<LaunchGraph> graph = graph_of(run.context, prepared, kGraphS);
    const double begin_s = now_s();
    double sampled_s = begin_s + std::max(kUncounted * hold_s, kUncountedS);
    std::vector<double> watts;
    Event ends[2];
    graph->replay();
    ends[0].record(run.context.stream);
    for (std::size_t i = 1; now_s() < begin_s + hold_s && stop_signal() == 0; ++i) {
        // One replay is always queued behind the one that is waited for.
        graph->replay();
        ends[i % 2].record(run.context.stream);
        ends[(i + 1) % 2].wait();
        if (now_s() < sampled_s) continue;
        sampled_s = now_s() + kSampleEveryS;
        if (const auto sample = run.state.power_w()) watts.push_back(*sample);
    }
    HEADROOM_CUDA(cudaStreamSynchronize(run.context.stream));
    if (watts.empty()) return 0;
    return std::accumulate(watts.begin(), watts.end(), 0.0) / static_cast<double>(watts.size());
}

}  // namespace

void hold_power(const Run& run, MeasurementFile& file) {
    if (!run.state.power_w()) {
        std::fputs("power is not measured: NVML does not say it\n", stderr);
        return;
    }
    const double hold_s = run.mode == Mode::quick ? kQuickHoldS : kHoldS;
    for (const auto& op : run.ops) {
        if (op->name() != "gemm" && op->name() != "decode_attention") continue;
        if (stop_signal() != 0) return;
        const Shape shape = largest_shape(run, *op);
        if (shape.empty()) continue;
        const std::string what = op->name() + " " + op->dtype() + " " + to_text(shape);
        std::fprintf(stderr, "power: %s for %.0f s\n", what.c_str(), hold_s);
        try {
            const std::unique_ptr<Case> prepared = op->prepare(run.context, shape, kSeed);
            const double watts = held_watts(run, *prepared, hold_s);
            if (stop_signal() != 0 || watts <= 0) continue;
            file.add(PowerRecord{.op = op->name(), .dtype = op->dtype(), .watts = watts});
            file.save();
        } catch (const DeviceError& error) {
            if (!still_usable()) throw;
            std::fprintf(stderr, "power of %s: %s\n", what.c_str(), error.what());
        }
    }
}

}  // namespace headroom::kernels
