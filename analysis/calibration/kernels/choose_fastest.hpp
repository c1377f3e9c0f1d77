/// Picks the fastest of several ways to do the same on the device: what an inference engine does
/// when it loads a model. For CUDA translation units.
///
///     std::optional<std::size_t> best = choose_fastest(stream, plans.size(), [&](std::size_t i) {
///         return execute(plans[i]) == CUDNN_STATUS_SUCCESS;
///     });
///
/// `attempt(i)` starts way i on the stream and says whether it could; it is called 1 + kTimedRuns
/// times. Ways that fail are left out; nothing when all do. A tie goes to the earlier.
/// DeviceError: the device itself failed.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <limits>
#include <optional>

#include "analysis/calibration/kernels/device.hpp"

namespace headroom::kernels {

class DeviceTimer {
  public:
    DeviceTimer() {
        HEADROOM_CUDA(cudaEventCreate(&start_));
        const cudaError_t status = cudaEventCreate(&stop_);
        if (status != cudaSuccess) static_cast<void>(cudaEventDestroy(start_));
        require(status, "cudaEventCreate(&stop_)");
    }
    DeviceTimer(const DeviceTimer&) = delete;
    DeviceTimer& operator=(const DeviceTimer&) = delete;
    ~DeviceTimer() {
        static_cast<void>(cudaEventDestroy(start_));
        static_cast<void>(cudaEventDestroy(stop_));
    }

    void start(cudaStream_t stream) const { HEADROOM_CUDA(cudaEventRecord(start_, stream)); }
    /// Milliseconds on the device since start(); waits.
    [[nodiscard]] float stop(cudaStream_t stream) const {
        HEADROOM_CUDA(cudaEventRecord(stop_, stream));
        HEADROOM_CUDA(cudaEventSynchronize(stop_));
        float elapsed_ms = 0;
        HEADROOM_CUDA(cudaEventElapsedTime(&elapsed_ms, start_, stop_));
        return elapsed_ms;
    }

  private:
    cudaEvent_t start_ = nullptr;
    cudaEvent_t stop_ = nullptr;
};

inline constexpr int kTimedRuns = 5;

template <class Attempt>
[[nodiscard]] std::optional<std::size_t> choose_fastest(cudaStream_t stream, std::size_t count,
                                                        const Attempt& attempt) {
    const DeviceTimer timer;
    std::optional<std::size_t> best;
    float best_ms = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < count; ++i) {
        if (!attempt(i)) continue;  // also the warm-up: kernels are loaded at their first launch
        bool started = true;
        timer.start(stream);
        for (int run = 0; run < kTimedRuns; ++run) started = attempt(i) && started;
        const float elapsed_ms = timer.stop(stream);
        if (!started || elapsed_ms >= best_ms) continue;
        best_ms = elapsed_ms;
        best = i;
    }
    return best;
}

}  // namespace headroom::kernels
