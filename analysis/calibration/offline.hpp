/// predict_offline: how fast one instance works off a pile of equal requests: all there at t = 0,
/// run through the engine to the end. What public throughput tables state.
///
///     const auto r = predict_offline(latency, {.prompt = 1000, .output = 1000}, kv_blocks);
///     r->output_tokens_per_s                   // all output tokens over the makespan
///
/// The engine is vllm-v1 with the limits in OfflineLoad. O(steps) of the macro-stepped engine: some
/// milliseconds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "scenarios/catalogue/catalogue.hpp"
#include "sim/serving/latency/latency_model.hpp"

namespace headroom::analysis {

struct OfflineLoad {
    std::int64_t prompt = 1000;
    std::int64_t output = 1000;
    std::int64_t requests = 0;  ///< 0: offline_requests(output)
    std::int64_t max_num_batched_tokens = 8192;
    std::int64_t max_num_seqs = 2048;
    std::int64_t block_size = 16;
};

/// 3,000 for outputs up to 2,048 tokens, 1,000 beyond.
[[nodiscard]] std::int64_t offline_requests(std::int64_t output);

/// KV blocks of an engine that takes what it gets, as throughput benchmarks are set up: 0.95 of
/// (0.98 memory - weights - 2.5 GB) on each GPU. 0: the model does not fit.
[[nodiscard]] std::int64_t offline_kv_blocks(const scenarios::ModelEntry& model,
                                             const scenarios::GpuEntry& gpu,
                                             const serving::EngineShape& engine);

struct OfflineResult {
    std::int64_t requests = 0;
    double makespan_s = 0;
    double output_tokens_per_s = 0;
    double requests_per_s = 0;
    double mean_sequences = 0;  ///< in the engine at once, by Little's law over the makespan
    std::int64_t preemptions = 0;
};

/// A request must fit into the KV cache (a programmer error otherwise). Nothing when the load takes
/// longer than a simulation may, Time::horizon_limit().
[[nodiscard]] std::optional<OfflineResult> predict_offline(
    const std::shared_ptr<const serving::LatencyModel>& latency, const OfflineLoad& load,
    std::int64_t kv_blocks);

}  // namespace headroom::analysis
