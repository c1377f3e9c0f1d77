#include "sim/serving/latency/measured_operators.hpp"

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/serving/latency/tabulated_attention.hpp"

namespace headroom::serving {

namespace {

constexpr double kBf16Bytes = 2;

[[nodiscard]] double larger(double a, double b) {
    return a < b ? b : a;
}

[[nodiscard]] double number(std::int64_t n) {
    return static_cast<double>(n);
}

/// KV bytes of a token in one layer, as the benchmark keeps them.
[[nodiscard]] double measured_kv_bytes(std::int64_t kv_heads, std::int64_t head_size) {
    return 2.0 * number(kv_heads * head_size) * kBf16Bytes;
}

}  // namespace

MeasuredOperators::MeasuredOperators(const OperatorTables& tables, const GpuSpec& gpu)
    : estimate_(gpu),
      ceilings_(tables.ceilings),
      norm_(tables.norm),
      rotary_(tables.rotary),
      activation_(tables.activation),
      sampling_(tables.sampling),
      head_size_(tables.head_size) {
    HEADROOM_CHECK(ceilings_.read_bytes_per_s > 0 && ceilings_.bf16_flops > 0 &&
                       !tables.gemm_bf16.empty() && !tables.decode_attention.empty() &&
                       !tables.prefill_attention.empty(),
                   "a profile without ceilings, products or attention");
    gemm_bf16_ = gemm_table(tables.gemm_bf16, DType::bf16);
    if (!tables.gemm_fp8.empty()) gemm_fp8_ = gemm_table(tables.gemm_fp8, DType::fp8);
    if (!tables.lm_head_bf16.empty()) lm_head_ = gemm_table(tables.lm_head_bf16, DType::bf16);

    std::vector<LogTable<4>::Point> decode;
    for (const DecodeAttentionColumn& column : tables.decode_attention) {
        for (std::size_t i = 0; i < column.context.size(); ++i) {
            const double context = number(column.context[i]);
            const double bytes =
                number(column.batch) * context * measured_kv_bytes(column.kv_heads, head_size_);
            decode.push_back({{number(column.query_heads) / number(column.kv_heads),
                               number(column.kv_heads), number(column.batch), context},
                              det_log(bytes / ceilings_.read_bytes_per_s / column.t_s[i])});
            contexts_.push_back(column.context[i]);
            if (least_context_ == 0 || context < least_context_) least_context_ = context;
        }
    }
    decode_ = LogTable<4>(std::move(decode));

    std::vector<LogTable<3>::Point> prefill;
    for (const PrefillAttentionColumn& column : tables.prefill_attention) {
        for (std::size_t i = 0; i < column.tokens.size(); ++i) {
            const double tokens = number(column.tokens[i]);
            const double flop = 2.0 * number(column.query_heads * head_size_) * tokens * tokens;
            prefill.push_back({{number(column.query_heads), number(column.kv_heads), tokens},
                               det_log(flop / ceilings_.bf16_flops / column.t_s[i])});
            prompts_.push_back(column.tokens[i]);
            if (least_prompt_ == 0 || tokens < least_prompt_) least_prompt_ = tokens;
        }
    }
    prefill_ = LogTable<3>(std::move(prefill));
}

MeasuredOperators::GemmTable MeasuredOperators::gemm_table(const std::vector<GemmColumn>& columns,
                                                           DType dtype) {
    std::vector<GemmTable::Point> points;
    for (const GemmColumn& column : columns) {
        for (std::size_t i = 0; i < column.m.size(); ++i) {
            const GemmWork work = gemm_work({column.n, column.k, 1}, column.m[i], dtype);
            const double t = column.t_s[i];
            points.push_back({{number(column.n), number(column.k), number(column.m[i])},
                              det_log(gemm_roofline(work, dtype == DType::fp8) / t)});
            if (shortest_gemm_s_ == 0 || t < shortest_gemm_s_) shortest_gemm_s_ = t;
        }
    }
    return GemmTable(std::move(points));
}

double MeasuredOperators::gemm_roofline(const GemmWork& work, bool fp8) const {
    const double rate = fp8 ? ceilings_.fp8_flops : ceilings_.bf16_flops;
    return larger(work.flop / rate,
                  (work.weight_bytes + work.activation_bytes) / ceilings_.read_bytes_per_s);
}

double MeasuredOperators::gemm(const Gemm& gemm, std::int64_t tokens, DType dtype) const {
    const bool fp8 = gemm.quantised && dtype == DType::fp8;
    HEADROOM_CHECK(!fp8 || has_fp8(), "the profile has no fp8 products");
    const GemmTable& table = fp8 ? gemm_fp8_ : gemm_bf16_;
    const double matrices = gemm.experts > 0 ? touched_experts(gemm, tokens) : 1.0;
    const double rows = number(tokens * gemm.rows_per_token) / matrices;
    const double log_efficiency =
        table.at({number(gemm.n) * matrices, number(gemm.k), larger(rows, 1.0)});
    return larger(shortest_gemm_s_,
                  gemm_roofline(gemm_work(gemm, tokens, dtype), fp8) * det_exp(-log_efficiency));
}

double MeasuredOperators::lm_head(const Gemm& gemm, std::int64_t rows) const {
    if (lm_head_.empty()) return this->gemm(gemm, rows, DType::bf16);
    const double log_efficiency = lm_head_.at({number(gemm.n), number(gemm.k), number(rows)});
    return larger(shortest_gemm_s_, gemm_roofline(gemm_work(gemm, rows, DType::bf16), false) *
                                        det_exp(-log_efficiency));
}

double MeasuredOperators::elementwise(ElementwiseKind kind, double bytes) const {
    const auto time_of = [bytes](const MemoryBoundFit& fit) {
        return fit.floor_s + bytes / fit.bytes_per_s;
    };
    switch (kind) {
        case ElementwiseKind::norm:
            return time_of(norm_);
        case ElementwiseKind::rotary:
            return time_of(rotary_);
        case ElementwiseKind::activation:
        case ElementwiseKind::routing:
            return time_of(activation_);
        case ElementwiseKind::sampling:
            return time_of(sampling_);
    }
    return 0;
}

double MeasuredOperators::all_reduce(double bytes, std::int64_t ranks) const {
    return estimate_.all_reduce(bytes, ranks);
}

double MeasuredOperators::all_gather(double bytes, std::int64_t ranks) const {
    return estimate_.all_gather(bytes, ranks);
}

double MeasuredOperators::decode_attention(std::int64_t query_heads, std::int64_t kv_heads,
                                           double kv_bytes_per_token, std::int64_t batch,
                                           double context) const {
    // A smaller KV type reads as many bytes as the measured one with less context, and its launch
    // is no shorter.
    const double measured = measured_kv_bytes(kv_heads, head_size_);
    const double attended = larger(context * kv_bytes_per_token / measured, least_context_);
    const double log_efficiency = decode_.at(
        {number(query_heads) / number(kv_heads), number(kv_heads), number(batch), attended});
    return number(batch) * attended * measured / ceilings_.read_bytes_per_s *
           det_exp(-log_efficiency);
}

double MeasuredOperators::prefill_attention(std::int64_t query_heads, std::int64_t kv_heads,
                                            double tokens) const {
    const double attended = larger(tokens, least_prompt_);
    const double log_efficiency = prefill_.at({number(query_heads), number(kv_heads), attended});
    const double flop = 2.0 * number(query_heads * head_size_) * attended * attended;
    return flop / ceilings_.bf16_flops * det_exp(-log_efficiency);
}

std::unique_ptr<const AttentionTimes> MeasuredOperators::attention(
    const AttentionWork& work, const EngineShape& engine) const {
    if (work.latent || work.head_size != head_size_) return estimate_.attention(work, engine);
    const double layers = number(work.layers);
    const double kv_bytes = work.kv_bytes_per_token / layers;
    AttentionSeconds seconds;
    seconds.decode_s = [&, layers, kv_bytes](std::int64_t batch, double context) {
        return layers * decode_attention(work.query_heads, work.kv_heads, kv_bytes, batch, context);
    };
    seconds.prefill_s = [&, layers](double tokens) {
        return layers * prefill_attention(work.query_heads, work.kv_heads, tokens);
    };
    return std::make_unique<const TabulatedAttention>(seconds, engine.max_num_seqs, contexts_,
                                                      prompts_);
}

}  // namespace headroom::serving
