/// BatchLatency: the time of one forward pass of a network over a batch of items (images, short
/// texts), for servers that batch dynamically: t(b), never falling, linear between the points it
/// was made from and on with the last slope beyond them.
///
///     BatchLatency latency{tables.batch_times.at("resnet50")};            // measured
///     BatchLatency latency{estimated_batch_times(resnet50, h100)};         // first principles
///     Duration t = latency.at(32);
///
/// Immutable; at() is O(log points), whole picoseconds.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/serving/latency/operator_tables.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::serving {

/// A network by what one pass costs.
struct BatchNetwork {
    std::int64_t parameters = 0;
    double flop_per_item = 0;
    double activation_bytes_per_item = 0;  ///< written and read again, between the kernels
    std::int64_t kernels = 0;              ///< launched in a pass
};

/// bf16: kernels * 3 us + max(b flop / (0.40 P), (weights + b activations) / (0.80 BW)), at batches
/// 1, 2, 4, ... 1024. Convolutions and short sequences reach less of P than large matrix products.
[[nodiscard]] BatchTimes estimated_batch_times(const BatchNetwork& network, const GpuSpec& gpu);
/// Expected relative error of that.
inline constexpr double kBatchErrorBand = 0.40;

class BatchLatency {
  public:
    /// Batches ascending, times > 0; what falls is raised.
    explicit BatchLatency(const BatchTimes& times);
    [[nodiscard]] Duration at(std::int64_t batch) const;

  private:
    std::vector<std::int64_t> batch_;
    std::vector<Duration> time_;
};

}  // namespace headroom::serving
