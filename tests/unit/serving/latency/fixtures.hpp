/// Models, a GPU and iterations that the tests of latency models share.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "sim/serving/latency/estimated_operators.hpp"
#include "sim/serving/latency/operator_tables.hpp"
#include "sim/serving/latency/transformer_latency.hpp"

namespace headroom::serving::tests {

inline const TransformerShape kLlama8b{32, 4096, 14336, 32, 8, 128, 128256};
inline const TransformerShape kLlama70b{80, 8192, 28672, 64, 8, 128, 128256};

inline TransformerShape qwen3_30b_a3b() {
    TransformerShape shape{48, 2048, 0, 32, 4, 128, 151936};
    shape.moe = MixtureOfExperts{128, 8, 768, 0, 0};
    return shape;
}

inline TransformerShape deepseek_v3() {
    TransformerShape shape{61, 7168, 18432, 128, 128, 128, 129280};
    shape.moe = MixtureOfExperts{256, 8, 2048, 1, 3};
    shape.latent = LatentAttention{1536, 512, 128, 64, 128};
    return shape;
}

inline GpuSpec h100() {
    GpuSpec gpu;
    gpu.memory = mebibytes(80'998);
    gpu.memory_bytes_per_s = 3.35e12;
    gpu.bf16_flops = 989e12;
    gpu.fp8_flops = 1978e12;
    gpu.link_bytes_per_s = 450e9;
    gpu.link = LinkKind::nvlink;
    gpu.compute_capability = 90;
    return gpu;
}

inline TransformerOptions options(std::int64_t tp, DType dtype = DType::bf16) {
    TransformerOptions o;
    o.engine.tp = tp;
    o.engine.dtype = dtype;
    o.engine.max_num_batched_tokens = 2048;
    o.engine.max_num_seqs = 256;
    return o;
}

inline IterationShape decode(std::int64_t sequences, std::int64_t context_each) {
    IterationShape shape;
    shape.decode_sequences = sequences;
    shape.context_tokens = sequences * context_each;
    shape.sampled_tokens = sequences;
    return shape;
}

inline IterationShape prefill(std::int64_t tokens, std::int64_t before) {
    IterationShape shape;
    shape.prefill_tokens = tokens;
    shape.prefill_attention_doubled = tokens * (2 * before + tokens);
    shape.prefill_chunks = 1;
    shape.sampled_tokens = 1;
    return shape;
}

inline Duration time_of(const LatencyModel& model, const IterationShape& shape) {
    return model.iteration_cost(shape).at(shape.context_tokens);
}

inline double microseconds(Duration d) {
    return d.to_seconds() * 1e6;
}

/// The estimate of a model on a GPU.
inline TransformerLatency estimate(const TransformerShape& shape, const GpuSpec& gpu,
                                   const TransformerOptions& options) {
    return {shape, std::make_shared<EstimatedOperators>(gpu), options};
}

/// A benchmark's tables whose every point follows a known law on a GPU with the given ceilings:
/// launch + work / (share of the ceiling).
struct SyntheticLaw {
    double launch_s = 4e-6;
    double gemm_share = 0.7;
    double memory_share = 0.85;
    double prefill_share = 0.55;
};
inline double gemm_law(const SyntheticLaw& law, const MeasuredCeilings& ceilings,
                       const GemmWork& work, bool fp8) {
    const double rate = fp8 ? ceilings.fp8_flops : ceilings.bf16_flops;
    return law.launch_s + std::max(work.flop / (law.gemm_share * rate),
                                   (work.weight_bytes + work.activation_bytes) /
                                       (law.memory_share * ceilings.read_bytes_per_s));
}
inline OperatorTables synthetic_tables(const SyntheticLaw& law = {}) {
    OperatorTables tables;
    tables.ceilings = {3.0e12, 7.9e14, 1.5e15};
    const std::vector<std::int64_t> rows = {1,   2,   4,   8,   16,  32,   48,   64,   80,   96,
                                            128, 160, 192, 256, 512, 1024, 2048, 3072, 4096, 8192};
    const std::vector<std::int64_t> sides = {1024, 2048, 4096, 8192, 16384};
    for (const std::int64_t n : sides) {
        for (const std::int64_t k : sides) {
            for (const bool fp8 : {false, true}) {
                GemmColumn column{n, k, rows, {}};
                for (const std::int64_t m : rows) {
                    const GemmWork work = gemm_work({n, k, 1}, m, fp8 ? DType::fp8 : DType::bf16);
                    column.t_s.push_back(gemm_law(law, tables.ceilings, work, fp8));
                }
                (fp8 ? tables.gemm_fp8 : tables.gemm_bf16).push_back(column);
            }
        }
    }
    const std::pair<std::int64_t, std::int64_t> heads[] = {{8, 8},  {32, 8}, {8, 2},  {4, 1},
                                                           {64, 8}, {8, 1},  {16, 2}, {128, 8}};
    for (const auto& [query_heads, kv_heads] : heads) {
        for (std::int64_t batch = 1; batch <= 512; batch *= 2) {
            DecodeAttentionColumn column{query_heads, kv_heads, batch, {}, {}};
            for (std::int64_t context = 128; context <= 32768 && batch * context <= 1 << 21;
                 context *= 4) {
                const double bytes = 512.0 * static_cast<double>(kv_heads * batch * context);
                column.context.push_back(context);
                column.t_s.push_back(law.launch_s +
                                     bytes / (law.memory_share * tables.ceilings.read_bytes_per_s));
            }
            tables.decode_attention.push_back(column);
        }
        PrefillAttentionColumn column{query_heads, kv_heads, {}, {}};
        for (std::int64_t tokens = 128; tokens <= 32768; tokens *= 2) {
            const double t = static_cast<double>(tokens);
            const double flop = 2.0 * static_cast<double>(query_heads * 128) * t * t;
            column.tokens.push_back(tokens);
            column.t_s.push_back(law.launch_s +
                                 flop / (law.prefill_share * tables.ceilings.bf16_flops));
        }
        tables.prefill_attention.push_back(column);
    }
    const MemoryBoundFit fit{2.5e-6, law.memory_share * tables.ceilings.read_bytes_per_s};
    tables.norm = tables.rotary = tables.activation = tables.sampling = fit;
    return tables;
}

}  // namespace headroom::serving::tests
