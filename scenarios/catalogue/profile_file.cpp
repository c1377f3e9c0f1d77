#include "scenarios/catalogue/profile_file.hpp"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "scenarios/catalogue/fields.hpp"
#include "scenarios/catalogue/launch_work.hpp"
#include "scenarios/located_json.hpp"

namespace headroom::scenarios {

namespace {

using serving::DType;
using serving::OperatorTables;

constexpr std::int64_t kSchema = 1;
constexpr std::int64_t kLargestHeadSize = 1000;
constexpr std::int64_t kMostRanks = 1024;
// An hour for an iteration or a front end, a second for a token or a sequence: more is a wrong
// unit.
constexpr double kLongestIterationS = 3600;
constexpr double kLongestTokenS = 1;
constexpr double kShortestIterationS = 1e-12;

/// What the columns of one measured file are judged by.
struct Judge {
    serving::MeasuredCeilings ceilings;
    double l2_bytes = kDefaultL2Bytes;
    bool good = false;  ///< the ceilings were there
};

/// Sizes and times of one column: as many, ascending, never falling, none faster than possible.
void read_series(Fields& fields, const char* size, std::vector<std::int64_t>& sizes,
                 std::vector<double>& times, const Judge& judge,
                 const std::function<LaunchWork(std::int64_t)>& work_of) {
    sizes = fields.integers(size, 1);
    times = fields.rates("t_s");
    if (!fields.good()) return;
    if (sizes.size() != times.size()) {
        fields.complain("t_s", fmt::format("expected as many times as {}, {}, found {}", size,
                                           sizes.size(), times.size()));
        return;
    }
    for (std::size_t i = 1; i < sizes.size(); ++i) {
        if (sizes[i] <= sizes[i - 1]) {
            fields.complain(size, fmt::format("expected ascending numbers, found {} after {}",
                                              sizes[i], sizes[i - 1]));
        } else if (times[i] < times[i - 1]) {
            fields.complain(
                "t_s", fmt::format("expected times that do not fall as {} grows, found "
                                   "{} at {} {} after {} at {}",
                                   size, times[i], size, sizes[i], times[i - 1], sizes[i - 1]));
        }
    }
    if (!judge.good || !work_of || !fields.good()) return;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const LaunchWork work = work_of(sizes[i]);
        if (!is_impossible(work, times[i], judge.ceilings, judge.l2_bytes)) continue;
        fields.complain("t_s",
                        fmt::format("expected no time below {:.3g}, what the ceilings allow within "
                                    "5 %, found {} at {} {}",
                                    roofline_s(work, judge.ceilings), times[i], size, sizes[i]));
    }
}

/// Complains about a second column with the same key.
template <class Key>
void keep_distinct(Fields& fields, std::set<Key>& seen, const Key& key) {
    if (!seen.insert(key).second) fields.complain("", "expected each column once");
}

void read_gemm(Fields& group, const char* dtype, bool fp8, const Judge& judge,
               std::vector<serving::GemmColumn>& columns) {
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    group.each(dtype, [&](Fields& fields) {
        serving::GemmColumn column;
        column.n = fields.integer("n", 1);
        column.k = fields.integer("k", 1);
        read_series(fields, "m", column.m, column.t_s, judge,
                    [&](std::int64_t m) { return gemm_launch(column.n, column.k, m, fp8); });
        if (fields.good()) keep_distinct(fields, seen, {column.n, column.k});
        columns.push_back(std::move(column));
    });
}

void need_columns(Fields& fields, const char* name, bool found) {
    if (fields.good() && !found) fields.complain(name, "expected at least one column");
}

void read_gemms(Fields& top, const Judge& judge, OperatorTables& tables) {
    top.nested("gemm", [&](Fields& group) {
        read_gemm(group, "bf16", false, judge, tables.gemm_bf16);
        need_columns(group, "bf16", !tables.gemm_bf16.empty());
        if (!group.has_optional("fp8")) return;
        read_gemm(group, "fp8", true, judge, tables.gemm_fp8);
        if (judge.good && !tables.gemm_fp8.empty() && judge.ceilings.fp8_flops <= 0) {
            group.complain("fp8", "expected a ceiling fp8_flop_per_s beside fp8 products");
        }
    });
    if (!top.has_optional("lm_head")) return;
    top.nested("lm_head",
               [&](Fields& group) { read_gemm(group, "bf16", false, judge, tables.lm_head_bf16); });
}

[[nodiscard]] AttentionHeads read_heads(Fields& fields, std::int64_t head_size) {
    AttentionHeads heads{1, 1, head_size};
    heads.query_heads = fields.integer("query_heads", 1);
    heads.kv_heads = fields.integer("kv_heads", 1);
    if (fields.good() && heads.query_heads % heads.kv_heads != 0) {
        fields.complain("kv_heads", "expected a divisor of query_heads");
    }
    return heads;
}

void read_attention(Fields& top, const Judge& judge, OperatorTables& tables) {
    std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> batches;
    top.each("decode_attention", [&](Fields& fields) {
        const AttentionHeads heads = read_heads(fields, tables.head_size);
        serving::DecodeAttentionColumn column;
        column.query_heads = heads.query_heads;
        column.kv_heads = heads.kv_heads;
        column.batch = fields.integer("batch", 1);
        read_series(fields, "context", column.context, column.t_s, judge,
                    [&](std::int64_t context) {
                        return decode_attention_launch(heads, column.batch, context);
                    });
        if (fields.good()) {
            keep_distinct(fields, batches, {column.query_heads, column.kv_heads, column.batch});
        }
        tables.decode_attention.push_back(std::move(column));
    });
    need_columns(top, "decode_attention", !tables.decode_attention.empty());
    std::set<std::pair<std::int64_t, std::int64_t>> prompts;
    top.each("prefill_attention", [&](Fields& fields) {
        const AttentionHeads heads = read_heads(fields, tables.head_size);
        serving::PrefillAttentionColumn column;
        column.query_heads = heads.query_heads;
        column.kv_heads = heads.kv_heads;
        read_series(fields, "tokens", column.tokens, column.t_s, judge,
                    [&](std::int64_t tokens) { return prefill_attention_launch(heads, tokens); });
        if (fields.good()) keep_distinct(fields, prompts, {column.query_heads, column.kv_heads});
        tables.prefill_attention.push_back(std::move(column));
    });
    need_columns(top, "prefill_attention", !tables.prefill_attention.empty());
}

void read_elementwise(Fields& top, const Judge& judge, OperatorTables& tables) {
    const std::pair<const char*, serving::MemoryBoundFit*> kinds[] = {
        {"rmsnorm_residual", &tables.norm},
        {"rope_kv_append", &tables.rotary},
        {"swiglu", &tables.activation},
        {"argmax", &tables.sampling}};
    top.nested("elementwise", [&](Fields& group) {
        for (const auto& kind : kinds) {
            serving::MemoryBoundFit& fit = *kind.second;
            group.nested(kind.first, [&](Fields& fields) {
                fit.floor_s = fields.amount("floor_s");
                fit.bytes_per_s = fields.rate("bytes_per_s");
                const double ceiling = (1 + kCeilingTolerance) * judge.ceilings.read_bytes_per_s;
                if (fields.good() && judge.good && fit.bytes_per_s > ceiling) {
                    fields.complain("bytes_per_s",
                                    fmt::format("expected at most the read bandwidth and 5 %, "
                                                "{:.4g}, found {:.4g}",
                                                ceiling, fit.bytes_per_s));
                }
            });
        }
    });
}

void read_batch_times(Fields& top, const nlohmann::json& file, OperatorTables& tables) {
    if (!top.has_optional("batch_times")) return;
    top.nested("batch_times", [&](Fields& group) {
        for (const auto& entry : file.at("batch_times").items()) {
            group.nested(entry.key().c_str(), [&](Fields& fields) {
                serving::BatchTimes& times = tables.batch_times[entry.key()];
                read_series(fields, "batch", times.batch, times.t_s, {}, nullptr);
            });
        }
    });
}

void read_measured(Fields& top, const nlohmann::json& file, ProfileFile& profile) {
    OperatorTables& tables = profile.tables.emplace();
    Judge judge;
    top.nested("ceilings", [&](Fields& fields) {
        judge.ceilings.read_bytes_per_s = fields.rate("read_bytes_per_s");
        judge.ceilings.bf16_flops = fields.rate("bf16_flop_per_s");
        judge.ceilings.fp8_flops = fields.amount("fp8_flop_per_s");
        judge.good = fields.good();
    });
    tables.ceilings = judge.ceilings;
    if (top.has_optional("l2_bytes")) {
        profile.l2_bytes = top.integer("l2_bytes", 1);
        judge.l2_bytes = static_cast<double>(*profile.l2_bytes);
    }
    if (top.has_optional("head_size")) {
        tables.head_size = top.integer("head_size", 1, kLargestHeadSize);
    }
    read_gemms(top, judge, tables);
    read_attention(top, judge, tables);
    read_elementwise(top, judge, tables);
    read_batch_times(top, file, tables);
}

[[nodiscard]] Duration read_seconds(Fields& fields, const char* name, double low, double high) {
    const std::string expectation = fmt::format("seconds from {} to {}", low, high);
    const double seconds = fields.number(name, low, expectation.c_str());
    if (seconds > high) {
        fields.complain(name, fmt::format("expected {}, found {}", expectation, seconds));
        return {};
    }
    return Duration::from_seconds(seconds);
}

[[nodiscard]] DType read_dtype(Fields& fields, const char* name) {
    return fields.one_of(name, {"bf16", "fp8"}) == "fp8" ? DType::fp8 : DType::bf16;
}

void read_observed(Fields& top, ProfileFile& profile) {
    ObservedProfile& observed = profile.observed.emplace();
    observed.model = top.text("model");
    observed.tensor_parallel = top.integer("tensor_parallel", 1, kMostRanks);
    observed.dtype = read_dtype(top, "dtype");
    observed.kv_cache_dtype = read_dtype(top, "kv_cache_dtype");
    top.nested("linear", [&](Fields& fields) {
        serving::LinearCoefficients& c = observed.linear;
        c.per_iteration = read_seconds(fields, "c0_s", kShortestIterationS, kLongestIterationS);
        c.per_prefill_token = read_seconds(fields, "c1_s", 0, kLongestTokenS);
        c.per_decode_sequence = read_seconds(fields, "c2_s", 0, kLongestTokenS);
        c.per_context_token = read_seconds(fields, "c3_s", 0, kLongestTokenS);
        c.per_prefill_attention = read_seconds(fields, "c4_s", 0, kLongestTokenS);
        if (fields.has_optional("c5_s")) {
            c.per_touched_expert = read_seconds(fields, "c5_s", 0, kLongestTokenS);
        }
    });
    observed.front_end = read_seconds(top, "front_end_s", 0, kLongestIterationS);
    if (!top.has_optional("fit")) return;
    const nlohmann::json* fit = top.take("fit");
    if (!fit->is_object()) return top.complain("fit", "expected an object");
    observed.fit = std::make_shared<const nlohmann::json>(*fit);
}

std::optional<ProfileFile> read_document(const std::string& path,
                                         const std::optional<LocatedJson>& document,
                                         Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.size();
    if (!document) return std::nullopt;
    Fields top(*document, "", document->value(), diagnostics);
    if (!top.good()) return std::nullopt;
    ProfileFile profile;
    profile.path = path;
    top.integer("schema", kSchema, kSchema);
    profile.kind = top.one_of("kind", {"measured", "observed"});
    // Of another kind of file every further field would be unknown or missing.
    if (profile.kind.empty()) return std::nullopt;
    profile.gpu = top.text("gpu");
    profile.source = top.text("source");
    profile.error_band = top.rate("error_band");
    if (profile.error_band > 1) {
        top.complain("error_band", "expected a share of at most 1: 0.1 says 10 %");
    }
    if (profile.kind == "measured") {
        read_measured(top, document->value(), profile);
    } else {
        read_observed(top, profile);
    }
    top.close();
    if (diagnostics.size() != before) return std::nullopt;
    return profile;
}

}  // namespace

std::optional<ProfileFile> read_profile(const std::string& path, Diagnostics& diagnostics) {
    return read_document(path, read_json_file(path, diagnostics), diagnostics);
}

std::optional<ProfileFile> parse_profile(std::string_view text, const std::string& path,
                                         Diagnostics& diagnostics) {
    return read_document(path, parse_json(text, path, diagnostics), diagnostics);
}

}  // namespace headroom::scenarios
