#include "sim/serving/latency/transformer.hpp"

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::serving {

namespace {

constexpr std::int64_t kActivationBytes = 2;  // activations, norms, embeddings: bf16
constexpr std::int64_t kLargestDegree = 64;

// NCCL buffers, the CUDA context and allocator slack. With the two terms of activation_reserve() it
// makes up the 1.24 GB that vLLM 0.19 leaves on an RTX 4090 (llama-3.1-8b, 2048 tokens, 256
// sequences).
constexpr std::int64_t kContextBytes = 600'000'000;
// A row of logits at the peak of the sampler: three float32 copies (logits, sorted, probabilities).
constexpr std::int64_t kLogitBytes = 12;

[[nodiscard]] std::int64_t divide_up(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

[[nodiscard]] std::int64_t kv_heads_per_rank(const TransformerShape& s, std::int64_t tp) {
    return tp >= s.kv_heads ? 1 : s.kv_heads / tp;
}

[[nodiscard]] std::int64_t dense_layers(const TransformerShape& s) {
    return s.moe ? s.moe->dense_layers : s.layers;
}

[[nodiscard]] std::int64_t ffn_inputs(const TransformerShape& s) {
    return s.gated_ffn ? 2 : 1;
}

[[nodiscard]] std::int64_t padded_vocabulary(const TransformerShape& s, std::int64_t tp) {
    return divide_up(s.vocabulary, tp);
}

/// Parameters of a rank, by whether fp8 quantises them.
struct Parameters {
    std::int64_t quantised = 0;
    std::int64_t plain = 0;
};

/// With `only_active`, of the routed experts only those that one token visits count.
[[nodiscard]] Parameters rank_parameters(const TransformerShape& s, std::int64_t tp,
                                         bool only_active) {
    Parameters total;
    for (const Gemm& g : token_gemms(s, tp)) {
        std::int64_t copies = 1;
        if (g.experts > 0) copies = only_active ? g.rows_per_token : g.experts;
        (g.quantised ? total.quantised : total.plain) += g.n * g.k * g.count * copies;
    }
    total.plain += padded_vocabulary(s, tp) * s.hidden * (s.tied_embeddings ? 1 : 2);
    total.plain += (2 * s.layers + 1) * s.hidden;  // norms
    return total;
}

void add_attention(const TransformerShape& s, std::int64_t tp, std::vector<Gemm>& out) {
    const std::int64_t heads = s.query_heads / tp;
    if (s.latent) {
        const LatentAttention& l = *s.latent;
        // The two down-projections run as one product; they are not split over ranks.
        out.push_back({l.query_rank + l.kv_rank + l.rope_size, s.hidden, s.layers});
        out.push_back({heads * (l.nope_size + l.rope_size), l.query_rank, s.layers});
        out.push_back({heads * (l.nope_size + l.value_size), l.kv_rank, s.layers});
        out.push_back({s.hidden, heads * l.value_size, s.layers});
        return;
    }
    const std::int64_t kv = kv_heads_per_rank(s, tp);
    out.push_back({(heads + 2 * kv) * s.head_size, s.hidden, s.layers});
    out.push_back({s.hidden, heads * s.head_size, s.layers});
}

void add_feed_forward(const TransformerShape& s, std::int64_t tp, std::vector<Gemm>& out) {
    const std::int64_t inputs = ffn_inputs(s);
    if (const std::int64_t dense = dense_layers(s); dense > 0) {
        out.push_back({inputs * s.ffn / tp, s.hidden, dense});
        out.push_back({s.hidden, s.ffn / tp, dense});
    }
    if (!s.moe) return;
    const MixtureOfExperts& m = *s.moe;
    const std::int64_t sparse = s.layers - m.dense_layers;
    out.push_back({m.experts, s.hidden, sparse, 1, 0, false});  // router
    out.push_back({inputs * m.expert_ffn / tp, s.hidden, sparse, m.active, m.experts});
    out.push_back({s.hidden, m.expert_ffn / tp, sparse, m.active, m.experts});
    if (m.shared_experts > 0) {
        const std::int64_t width = m.shared_experts * m.expert_ffn / tp;
        out.push_back({inputs * width, s.hidden, sparse});
        out.push_back({s.hidden, width, sparse});
    }
}

/// base^n by squaring: the same products in the same order everywhere.
[[nodiscard]] double power(double base, std::int64_t n) {
    double result = 1;
    for (; n > 0; n >>= 1) {
        if ((n & 1) != 0) result *= base;
        base *= base;
    }
    return result;
}

}  // namespace

bool splits_over(const TransformerShape& shape, std::int64_t tp) {
    if (tp < 1 || shape.query_heads % tp != 0) return false;
    if (!shape.latent && shape.kv_heads % tp != 0 && tp % shape.kv_heads != 0) return false;
    if (dense_layers(shape) > 0 && shape.ffn % tp != 0) return false;
    return !shape.moe || shape.moe->expert_ffn % tp == 0;
}

std::int64_t parameter_count(const TransformerShape& shape) {
    const Parameters p = rank_parameters(shape, 1, false);
    return p.quantised + p.plain;
}

std::int64_t active_parameter_count(const TransformerShape& shape) {
    const Parameters p = rank_parameters(shape, 1, true);
    return p.quantised + p.plain;
}

Bytes weight_bytes(const TransformerShape& shape, DType dtype) {
    return weight_bytes_per_rank(shape, dtype, 1);
}

Bytes weight_bytes_per_rank(const TransformerShape& shape, DType dtype, std::int64_t tp) {
    HEADROOM_CHECK(splits_over(shape, tp), "the model does not split over so many ranks");
    const Parameters p = rank_parameters(shape, tp, false);
    return Bytes{p.quantised * bytes_of(dtype) + p.plain * kActivationBytes};
}

Bytes kv_bytes_per_token(const TransformerShape& shape, DType kv_dtype, std::int64_t tp) {
    const std::int64_t values = shape.latent ? shape.latent->kv_rank + shape.latent->rope_size
                                             : 2 * kv_heads_per_rank(shape, tp) * shape.head_size;
    return Bytes{shape.layers * values * bytes_of(kv_dtype)};
}

Bytes activation_reserve(const TransformerShape& shape, const EngineShape& engine) {
    std::int64_t widest = 0;  // of one feed-forward: its inputs and its activated product
    if (dense_layers(shape) > 0) widest = (ffn_inputs(shape) + 1) * shape.ffn / engine.tp;
    if (shape.moe) {
        const std::int64_t routed =
            shape.moe->active *
            ((ffn_inputs(shape) + 1) * shape.moe->expert_ffn / engine.tp + shape.hidden);
        if (routed > widest) widest = routed;
    }
    const std::int64_t per_token = (4 * shape.hidden + widest) * kActivationBytes;
    return Bytes{kContextBytes + engine.max_num_batched_tokens * per_token +
                 engine.max_num_seqs * shape.vocabulary * kLogitBytes};
}

KvRoom kv_blocks(const TransformerShape& shape, const GpuSpec& gpu, const EngineShape& engine) {
    const auto room_of = [&](std::int64_t tp) {
        EngineShape on = engine;
        on.tp = tp;
        KvRoom room;
        const std::int64_t stages = engine.pipeline_stages;
        const Bytes rank = weight_bytes_per_rank(shape, engine.dtype, tp);
        room.weights = Bytes{(rank.count() + stages - 1) / stages};
        room.reserve = activation_reserve(shape, on);
        const Int128 requested =
            (static_cast<Int128>(gpu.memory.count()) * engine.gpu_memory_utilization_ppm +
             999'999) /
            1'000'000;
        const std::int64_t free =
            static_cast<std::int64_t>(requested) - room.weights.count() - room.reserve.count();
        const std::int64_t block =
            engine.block_size * kv_bytes_per_token(shape, engine.kv_dtype, tp).count();
        if (free > 0) room.blocks = free * stages / block - 1;
        if (room.blocks < 0) room.blocks = 0;
        return room;
    };
    KvRoom room = room_of(engine.tp);
    if (room.blocks > 0) {
        room.gpus_needed = engine.tp;
        return room;
    }
    for (std::int64_t tp = engine.tp + 1; tp <= kLargestDegree && room.gpus_needed == 0; ++tp) {
        if (splits_over(shape, tp) && room_of(tp).blocks > 0) room.gpus_needed = tp;
    }
    return room;
}

std::vector<Gemm> token_gemms(const TransformerShape& shape, std::int64_t tp) {
    std::vector<Gemm> out;
    add_attention(shape, tp, out);
    add_feed_forward(shape, tp, out);
    return out;
}

Gemm lm_head_gemm(const TransformerShape& shape, std::int64_t tp) {
    return {padded_vocabulary(shape, tp), shape.hidden, 1, 1, 0, false};
}

double touched_experts(std::int64_t experts, std::int64_t active, std::int64_t tokens) {
    const double all = static_cast<double>(experts);
    return all * (1.0 - power(1.0 - static_cast<double>(active) / all, tokens));
}

double touched_experts(const Gemm& gemm, std::int64_t tokens) {
    return touched_experts(gemm.experts, gemm.rows_per_token, tokens);
}

GemmWork gemm_work(const Gemm& gemm, std::int64_t tokens, DType dtype) {
    const double n = static_cast<double>(gemm.n);
    const double k = static_cast<double>(gemm.k);
    const double rows = static_cast<double>(tokens * gemm.rows_per_token);
    const double activation = static_cast<double>(kActivationBytes);
    const double value = gemm.quantised ? static_cast<double>(bytes_of(dtype)) : activation;
    const double matrices = gemm.experts > 0 ? touched_experts(gemm, tokens) : 1.0;
    return {2.0 * rows * n * k, matrices * n * k * value, rows * k * value + rows * n * activation};
}

std::vector<ElementwiseKernel> elementwise_kernels(const TransformerShape& shape,
                                                   const EngineShape& engine) {
    const std::int64_t tp = engine.tp;
    const std::int64_t a = kActivationBytes;
    const std::int64_t h = shape.hidden;
    std::vector<ElementwiseKernel> out;
    out.push_back({2 * h * a, 1, ElementwiseKind::norm});  // embedding
    // Norm + residual: two read, two written.
    out.push_back({4 * h * a, 2 * shape.layers + 1, ElementwiseKind::norm});

    // Rotary embedding and KV append: q, k, v read, q, k written, k and v written to the cache.
    const std::int64_t heads = shape.query_heads / tp;
    const std::int64_t cached =
        kv_bytes_per_token(shape, engine.kv_dtype, tp).count() / shape.layers;
    std::int64_t rotated = 0;
    if (shape.latent) {
        rotated =
            2 * heads * shape.latent->rope_size + shape.latent->kv_rank + shape.latent->rope_size;
    } else {
        rotated = (2 * heads + 3 * kv_heads_per_rank(shape, tp)) * shape.head_size;
    }
    out.push_back({rotated * a + cached, shape.layers, ElementwiseKind::rotary});

    const std::int64_t touched = ffn_inputs(shape) + 1;
    if (const std::int64_t dense = dense_layers(shape); dense > 0) {
        out.push_back({touched * (shape.ffn / tp) * a, dense, ElementwiseKind::activation});
    }
    if (shape.moe) {
        const MixtureOfExperts& m = *shape.moe;
        const std::int64_t sparse = shape.layers - m.dense_layers;
        const std::int64_t width = (m.active + m.shared_experts) * m.expert_ffn / tp;
        out.push_back({2 * m.experts * a, sparse, ElementwiseKind::routing});
        out.push_back({touched * width * a, sparse, ElementwiseKind::activation});
        // The sum over experts.
        out.push_back({(m.active + 1) * h * a, sparse, ElementwiseKind::routing});
    }
    return out;
}

double prefill_attention_flop(const TransformerShape& shape, std::int64_t tp) {
    const std::int64_t size =
        shape.latent ? shape.latent->nope_size + shape.latent->rope_size + shape.latent->value_size
                     : 2 * shape.head_size;
    return 2.0 * static_cast<double>(shape.layers * (shape.query_heads / tp) * size);
}

double decode_attention_flop(const TransformerShape& shape, std::int64_t tp) {
    if (!shape.latent) return prefill_attention_flop(shape, tp);
    const std::int64_t size = 2 * shape.latent->kv_rank + shape.latent->rope_size;
    return 2.0 * static_cast<double>(shape.layers * (shape.query_heads / tp) * size);
}

AttentionWork attention_work(const TransformerShape& shape, const EngineShape& engine) {
    AttentionWork work;
    work.layers = shape.layers;
    work.query_heads = shape.query_heads / engine.tp;
    work.kv_heads = kv_heads_per_rank(shape, engine.tp);
    work.head_size = shape.head_size;
    work.latent = shape.latent.has_value();
    work.kv_bytes_per_token =
        static_cast<double>(kv_bytes_per_token(shape, engine.kv_dtype, engine.tp).count());
    work.prefill_flop = prefill_attention_flop(shape, engine.tp);
    work.decode_flop = decode_attention_flop(shape, engine.tp);
    return work;
}

}  // namespace headroom::serving
