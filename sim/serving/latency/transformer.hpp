/// The shape of a decoder-only transformer and of the GPU it runs on, and what follows from the two
/// without any timing: bytes of weights, bytes of KV cache a token, usable KV blocks, and the list
/// of kernels one iteration launches on one tensor-parallel rank.
///
///     Bytes w = weight_bytes(llama_8b, DType::bf16);            // 16.06 GB
///     KvRoom room = kv_blocks(llama_8b, h100, {.tp = 1});       // room.blocks or .gpus_needed
///
/// Conventions: bytes and flop are of one rank unless a name says otherwise; rates are bytes/s and
/// flop/s, dense (no sparsity). fp8 quantises the weights of the layers; embeddings, LM head, norms
/// and router stay in bf16, as in public fp8 checkpoints. A KV head is never split: with tp >
/// kv_heads each rank keeps one (vLLM replicates it). Latent attention keeps its compressed KV on
/// every rank. Every function is pure; O(1), kv_blocks O(valid tensor-parallel degrees). Sources:
/// Vaswani et al. 2017; GQA: Ainslie et al. 2023; latent attention and shared experts: DeepSeek-V3
/// technical report 2024; memory: vLLM v1 gpu_worker.py determine_available_memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/units.hpp"

namespace headroom::serving {

enum class DType { bf16, fp8 };

[[nodiscard]] constexpr std::int64_t bytes_of(DType dtype) {
    return dtype == DType::bf16 ? 2 : 1;
}
[[nodiscard]] constexpr const char* name_of(DType dtype) {
    return dtype == DType::bf16 ? "bf16" : "fp8";
}

/// Feed-forward layers of which a token visits `active` of `experts`, plus all shared ones.
struct MixtureOfExperts {
    std::int64_t experts = 0;
    std::int64_t active = 0;
    std::int64_t expert_ffn = 0;
    std::int64_t shared_experts = 0;  ///< of width expert_ffn, visited by every token
    std::int64_t dense_layers = 0;  ///< leading layers with an ordinary feed-forward of width `ffn`
};

/// Multi-head latent attention: KV is cached as one vector of kv_rank + rope_size values a layer.
struct LatentAttention {
    std::int64_t query_rank = 0;
    std::int64_t kv_rank = 0;
    std::int64_t nope_size = 0;  ///< per head, without position
    std::int64_t rope_size = 0;  ///< per head, rotary
    std::int64_t value_size = 0;
};

struct TransformerShape {
    std::int64_t layers = 0;
    std::int64_t hidden = 0;
    std::int64_t ffn = 0;
    std::int64_t query_heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_size = 0;
    std::int64_t vocabulary = 0;
    bool gated_ffn = true;         ///< gate and up projections (SwiGLU) instead of one
    bool tied_embeddings = false;  ///< the LM head is the embedding
    std::optional<MixtureOfExperts> moe{};
    std::optional<LatentAttention> latent{};
};

enum class LinkKind { pcie, nvlink, infinity_fabric, neuron_link };

struct GpuSpec {
    Bytes memory;  ///< as a process sees it, after the driver's share
    double memory_bytes_per_s = 0;
    double bf16_flops = 0;        ///< fp16 where the GPU has no bf16
    double fp8_flops = 0;         ///< 0: the GPU has none
    double link_bytes_per_s = 0;  ///< between GPUs of a node, one direction
    LinkKind link = LinkKind::pcie;
    std::int64_t compute_capability = 0;  ///< NVIDIA's, times 10 (90: Hopper); 0: another vendor
    double idle_watts = 0;
    double peak_watts = 0;
};

/// May the model be split over `tp` GPUs? Heads and feed-forward must divide; KV heads divide or
/// are replicated a whole number of times.
[[nodiscard]] bool splits_over(const TransformerShape& shape, std::int64_t tp);

/// Parameters, all of them and those that compute one token (mixture of experts).
[[nodiscard]] std::int64_t parameter_count(const TransformerShape& shape);
[[nodiscard]] std::int64_t active_parameter_count(const TransformerShape& shape);

/// Of the whole model, and of one rank of `tp` (with what is replicated).
[[nodiscard]] Bytes weight_bytes(const TransformerShape& shape, DType dtype);
[[nodiscard]] Bytes weight_bytes_per_rank(const TransformerShape& shape, DType dtype,
                                          std::int64_t tp);

/// KV cache of one token on one rank, all layers.
[[nodiscard]] Bytes kv_bytes_per_token(const TransformerShape& shape, DType kv_dtype,
                                       std::int64_t tp);

/// How an engine is set up on `tp` GPUs.
struct EngineShape {
    std::int64_t tp = 1;
    DType dtype = DType::bf16;
    DType kv_dtype = DType::bf16;
    std::int64_t max_num_batched_tokens = 8192;
    std::int64_t max_num_seqs = 1024;
    std::int64_t block_size = 16;
    std::int64_t gpu_memory_utilization_ppm = 900'000;
    std::int64_t pipeline_stages = 1;  ///< each holds an equal part of the layers
};

/// Bytes of a rank that are neither weights nor KV: the peak of a forward pass over
/// max_num_batched_tokens with max_num_seqs rows of logits, and the CUDA context.
[[nodiscard]] Bytes activation_reserve(const TransformerShape& shape, const EngineShape& engine);

/// blocks >= 1, or 0 when the model does not fit: then gpus_needed is the least valid
/// tensor-parallel degree up to 64 at which it does, 0 if there is none.
struct KvRoom {
    std::int64_t blocks = 0;  ///< usable: vLLM v1 keeps one (the null block) for itself
    Bytes weights;            ///< of one rank
    Bytes reserve;            ///< activation_reserve
    std::int64_t gpus_needed = 0;
};
[[nodiscard]] KvRoom kv_blocks(const TransformerShape& shape, const GpuSpec& gpu,
                               const EngineShape& engine);

/// A matrix product of an iteration: `rows_per_token` rows a token times a k x n matrix, `count`
/// times (once a layer that has it). With experts > 0 it is a grouped product: of `experts`
/// matrices those are read that at least one token of the batch was routed to.
struct Gemm {
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::int64_t count = 0;
    std::int64_t rows_per_token = 1;
    std::int64_t experts = 0;
    bool quantised = true;  ///< in the weight dtype; false: bf16 always
};
/// The products over the batch's tokens on one rank (all but the LM head), in the order of
/// execution.
[[nodiscard]] std::vector<Gemm> token_gemms(const TransformerShape& shape, std::int64_t tp);
/// The product over the sampled tokens.
[[nodiscard]] Gemm lm_head_gemm(const TransformerShape& shape, std::int64_t tp);

/// How many of E experts T tokens touch, each of which visits a, when the router is even:
/// E (1 - (1 - a/E)^T).
[[nodiscard]] double touched_experts(std::int64_t experts, std::int64_t active,
                                     std::int64_t tokens);

/// Flop and bytes of one launch over `tokens` tokens (count ignored): of a mixture of experts the
/// weights of those that the tokens touch.
struct GemmWork {
    double flop = 0;
    double weight_bytes = 0;
    double activation_bytes = 0;  ///< input read, output written
};
[[nodiscard]] GemmWork gemm_work(const Gemm& gemm, std::int64_t tokens, DType dtype);
/// Those experts.
[[nodiscard]] double touched_experts(const Gemm& gemm, std::int64_t tokens);

enum class ElementwiseKind { norm, rotary, activation, routing, sampling };

/// A memory-bound kernel: bytes moved a token, launched `count` times an iteration.
struct ElementwiseKernel {
    std::int64_t bytes_per_token = 0;
    std::int64_t count = 0;
    ElementwiseKind kind = ElementwiseKind::norm;
};
[[nodiscard]] std::vector<ElementwiseKernel> elementwise_kernels(const TransformerShape& shape,
                                                                 const EngineShape& engine);

/// Attention flop of one rank, all layers, for one pair of a query token and a token it attends to:
/// in a prefill, and in a decode step (latent attention decodes in the compressed space).
[[nodiscard]] double prefill_attention_flop(const TransformerShape& shape, std::int64_t tp);
[[nodiscard]] double decode_attention_flop(const TransformerShape& shape, std::int64_t tp);

/// The attention of one rank, all layers together.
struct AttentionWork {
    std::int64_t layers = 0;
    std::int64_t query_heads = 0;  ///< of this rank
    std::int64_t kv_heads = 0;     ///< of this rank; with latent attention every query has its own
    std::int64_t head_size = 0;
    bool latent = false;
    double kv_bytes_per_token = 0;
    double prefill_flop = 0;  ///< for one pair of a query token and a token it attends to
    double decode_flop = 0;   ///< likewise
};
[[nodiscard]] AttentionWork attention_work(const TransformerShape& shape,
                                           const EngineShape& engine);

}  // namespace headroom::serving
