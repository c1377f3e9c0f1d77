/// make_profile: from the names in a scenario (model, GPU, degree, dtype) to what an engine needs:
/// its iteration times, its KV blocks, and a label that says where they come from.
///
/// The best kind there is: *measured* (the benchmark's tables of this GPU, for any model), else
/// *observed* (fitted to a serving engine's log of this very model, GPU, degree and dtypes), else
/// *estimated* from first principles; or the one that the request insists on.
///
///     ProfileResult r = make_profile(catalogue, {.model = "llama-3.1-8b", .gpu = "h100-sxm"});
///     if (!r.profile) report(r.error);       // one sentence, with the nearest valid name
///
/// Refused: an unknown model or GPU, a degree that does not divide the heads, fp8 on a GPU without
/// it (unless an engine was observed to do it), a model that does not fit (the error names the
/// degree at which it would), a max_model_len that the KV cache cannot hold, a kind that the
/// catalogue does not have, one of which the catalogue's file is broken: another kind in its place
/// would be silently another answer. O(max_num_batched_tokens + max_num_seqs).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/catalogue/catalogue.hpp"
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

enum class ProfileKind { best, measured, observed, estimated };
/// "best", "measured", ... in this order: the index is the kind.
[[nodiscard]] const std::vector<std::string>& profile_kind_names();

struct ProfileRequest {
    std::string model;
    std::string gpu;
    std::int64_t tp = 1;
    std::int64_t pipeline_stages = 1;  ///< of the memory; the times are of a whole iteration
    serving::DType dtype = serving::DType::bf16;
    serving::DType kv_dtype = serving::DType::bf16;
    ProfileKind kind = ProfileKind::best;
    std::optional<EngineLimits> limits{};         ///< nothing: default_limits
    std::optional<std::int64_t> max_model_len{};  ///< nothing: not checked against the KV cache
    std::optional<std::int64_t> kv_blocks{};      ///< given: the GPU's memory is not asked
    std::int64_t block_size = 16;
    std::int64_t gpu_memory_utilization_ppm = 900'000;
    /// Of a measured or estimated profile; an observed one has its own.
    Duration host_per_iteration = Duration::milliseconds(1);
    Duration host_per_sequence = Duration::microseconds(5);
};

struct Profile {
    std::shared_ptr<const serving::LatencyModel> latency;
    /// The same where it is a sum over operators; null when observed.
    std::shared_ptr<const serving::TransformerLatency> transformer;
    serving::ProfileInfo info;
    EngineLimits limits;
    serving::KvRoom room;
    std::int64_t kv_blocks = 0;
    Duration front_end;  ///< what the API server adds to a first token
    Bytes weights;       ///< of the whole model: what a cold start loads
};

/// Why the model does not run on so many GPUs, and on how many it would.
[[nodiscard]] std::string does_not_split(const ModelEntry& model, std::int64_t tp);

/// Either a profile or an error.
struct ProfileResult {
    std::optional<Profile> profile;
    std::string error;
};

[[nodiscard]] ProfileResult make_profile(const Catalogue& catalogue, const ProfileRequest& request);

/// The same for a network that serves items in batches: measured where a profile has its times,
/// else estimated.
struct BatchProfile {
    std::shared_ptr<const serving::BatchLatency> latency;
    serving::ProfileInfo info;
};
struct BatchProfileResult {
    std::optional<BatchProfile> profile;
    std::string error;
};
[[nodiscard]] BatchProfileResult make_batch_profile(const Catalogue& catalogue,
                                                    const std::string& network,
                                                    const std::string& gpu, ProfileKind kind);

}  // namespace headroom::scenarios
