/// make_estimated: from the names in a scenario (model, GPU, degree, dtype) to what an engine
/// needs: its iteration times from first principles, its KV blocks, and a label that says
/// "estimated".
///
///     EstimateResult r = make_estimated(catalogue, {.model = "llama-3.1-8b", .gpu = "h100-sxm"});
///     if (!r.profile) report(r.error);       // one sentence, with the nearest valid name
///
/// Refused: an unknown model or GPU, a degree that does not divide the heads, fp8 on a GPU without
/// it, a model that does not fit (the error names the degree at which it would), a max_model_len
/// that the KV cache cannot hold. O(max_num_batched_tokens).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "scenarios/catalogue/catalogue.hpp"
#include "sim/serving/latency/estimated_operators.hpp"
#include "sim/serving/latency/transformer_latency.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::scenarios {

struct EngineLimits {
    std::int64_t max_num_batched_tokens = 0;
    std::int64_t max_num_seqs = 0;
};

/// What vLLM's API server takes when nothing is said: 8192 tokens and 1024 sequences on GPUs of at
/// least 70 GiB other than the A100, else 2048 and 256 (vllm 0.19, engine/arg_utils.py
/// get_batch_defaults).
[[nodiscard]] EngineLimits default_limits(const GpuEntry& gpu);

struct EstimateRequest {
    std::string model;
    std::string gpu;
    std::int64_t tp = 1;
    serving::DType dtype = serving::DType::bf16;
    serving::DType kv_dtype = serving::DType::bf16;
    std::optional<EngineLimits> limits{};         ///< nothing: default_limits
    std::optional<std::int64_t> max_model_len{};  ///< nothing: not checked against the KV cache
    std::int64_t block_size = 16;
    std::int64_t gpu_memory_utilization_ppm = 900'000;
    Duration host_per_iteration = Duration::milliseconds(1);
    Duration host_per_sequence = Duration::microseconds(5);
};

struct EstimatedProfile {
    std::shared_ptr<const serving::TransformerLatency> latency;
    serving::ProfileInfo info;
    EngineLimits limits;
    std::int64_t kv_blocks = 0;
    Duration front_end;  ///< what the API server adds to a first token
    Bytes weights;       ///< of the whole model: what a cold start loads
    Bytes weights_per_gpu;
};

/// Either a profile or an error.
struct EstimateResult {
    std::optional<EstimatedProfile> profile;
    std::string error;
};

[[nodiscard]] EstimateResult make_estimated(const Catalogue& catalogue,
                                            const EstimateRequest& request);

}  // namespace headroom::scenarios
