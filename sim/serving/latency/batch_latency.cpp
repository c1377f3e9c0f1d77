#include "sim/serving/latency/batch_latency.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"

namespace headroom::serving {

namespace {

constexpr double kKernelFloorS = 3e-6;
constexpr double kFlopEfficiency = 0.40;
constexpr double kMemoryEfficiency = 0.80;
constexpr double kParameterBytes = 2;
constexpr std::int64_t kLargestBatch = 1024;

}  // namespace

BatchTimes estimated_batch_times(const BatchNetwork& network, const GpuSpec& gpu) {
    BatchTimes times;
    const double floor = static_cast<double>(network.kernels) * kKernelFloorS;
    const double weights = static_cast<double>(network.parameters) * kParameterBytes;
    for (std::int64_t batch = 1; batch <= kLargestBatch; batch *= 2) {
        const double b = static_cast<double>(batch);
        const double compute = b * network.flop_per_item / (kFlopEfficiency * gpu.bf16_flops);
        const double memory = (weights + b * network.activation_bytes_per_item) /
                              (kMemoryEfficiency * gpu.memory_bytes_per_s);
        times.batch.push_back(batch);
        times.t_s.push_back(floor + (compute < memory ? memory : compute));
    }
    return times;
}

BatchLatency::BatchLatency(const BatchTimes& times) : batch_(times.batch) {
    HEADROOM_CHECK(!times.batch.empty() && times.batch.size() == times.t_s.size(),
                   "a network's times by batch");
    Duration least = Duration::picoseconds(1);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
        HEADROOM_CHECK(batch_[i] > (i == 0 ? 0 : batch_[i - 1]), "batches ascend");
        least = std::max(least, Duration::picoseconds(std::llround(times.t_s[i] * 1e12)));
        time_.push_back(least);
    }
}

Duration BatchLatency::at(std::int64_t batch) const {
    HEADROOM_CHECK(batch >= 1, "a batch holds an item");
    if (batch <= batch_.front() || batch_.size() == 1) return time_.front();
    // The piece that ends at or after the batch, the last one beyond.
    const auto end = std::lower_bound(batch_.begin() + 1, batch_.end() - 1, batch);
    const auto high = static_cast<std::size_t>(end - batch_.begin());
    const Int128 rise = (time_[high] - time_[high - 1]).ps();
    const Int128 above = rise * (batch - batch_[high - 1]) / (batch_[high] - batch_[high - 1]);
    return time_[high - 1] + Duration::picoseconds(static_cast<std::int64_t>(above));
}

}  // namespace headroom::serving
