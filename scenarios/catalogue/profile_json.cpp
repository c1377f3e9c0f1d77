// A profile as JSON: to_json and profile_text of profile_file.hpp.

#include <nlohmann/json.hpp>

#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::scenarios {

namespace {

using Json = nlohmann::ordered_json;
using serving::OperatorTables;

constexpr std::size_t kColumns = 100;

[[nodiscard]] Json gemm_json(const std::vector<serving::GemmColumn>& columns) {
    Json list = Json::array();
    for (const serving::GemmColumn& column : columns) {
        list.push_back({{"n", column.n}, {"k", column.k}, {"m", column.m}, {"t_s", column.t_s}});
    }
    return list;
}

[[nodiscard]] Json fit_json(const serving::MemoryBoundFit& fit) {
    return {{"floor_s", fit.floor_s}, {"bytes_per_s", fit.bytes_per_s}};
}

void add_measured(const OperatorTables& tables, Json& out) {
    out["ceilings"] = {{"read_bytes_per_s", tables.ceilings.read_bytes_per_s},
                       {"bf16_flop_per_s", tables.ceilings.bf16_flops},
                       {"fp8_flop_per_s", tables.ceilings.fp8_flops}};
    if (tables.head_size != OperatorTables{}.head_size) out["head_size"] = tables.head_size;
    out["gemm"] = {{"bf16", gemm_json(tables.gemm_bf16)}};
    if (!tables.gemm_fp8.empty()) out["gemm"]["fp8"] = gemm_json(tables.gemm_fp8);
    if (!tables.lm_head_bf16.empty()) out["lm_head"] = {{"bf16", gemm_json(tables.lm_head_bf16)}};
    Json& decode = out["decode_attention"] = Json::array();
    for (const serving::DecodeAttentionColumn& column : tables.decode_attention) {
        decode.push_back({{"query_heads", column.query_heads},
                          {"kv_heads", column.kv_heads},
                          {"batch", column.batch},
                          {"context", column.context},
                          {"t_s", column.t_s}});
    }
    Json& prefill = out["prefill_attention"] = Json::array();
    for (const serving::PrefillAttentionColumn& column : tables.prefill_attention) {
        prefill.push_back({{"query_heads", column.query_heads},
                           {"kv_heads", column.kv_heads},
                           {"tokens", column.tokens},
                           {"t_s", column.t_s}});
    }
    out["elementwise"] = {{"rmsnorm_residual", fit_json(tables.norm)},
                          {"rope_kv_append", fit_json(tables.rotary)},
                          {"swiglu", fit_json(tables.activation)},
                          {"argmax", fit_json(tables.sampling)}};
    for (const auto& [network, times] : tables.batch_times) {
        out["batch_times"][network] = {{"batch", times.batch}, {"t_s", times.t_s}};
    }
}

void add_observed(const ObservedProfile& observed, Json& out) {
    const serving::LinearCoefficients& c = observed.linear;
    out["linear"] = {{"c0_s", c.per_iteration.to_seconds()},
                     {"c1_s", c.per_prefill_token.to_seconds()},
                     {"c2_s", c.per_decode_sequence.to_seconds()},
                     {"c3_s", c.per_context_token.to_seconds()},
                     {"c4_s", c.per_prefill_attention.to_seconds()}};
    if (c.per_touched_expert > Duration::zero()) {
        out["linear"]["c5_s"] = c.per_touched_expert.to_seconds();
    }
    out["front_end_s"] = observed.front_end.to_seconds();
    if (observed.fit) out["fit"] = Json::parse(observed.fit->dump());
}

[[nodiscard]] bool has_structure(const Json& value) {
    for (const Json& item : value) {
        if (item.is_structured()) return true;
    }
    return false;
}

/// On one line when it fits or when a list of numbers ends the nesting; else an item a line.
void append(const Json& value, std::size_t indent, bool is_item, std::string& out) {
    const std::string line = value.dump();
    const bool column = is_item && value.is_object();
    if (!value.is_structured() || column || !has_structure(value) ||
        indent + line.size() <= kColumns) {
        out += line;
        return;
    }
    const std::string blanks(indent + 1, ' ');
    out += value.is_array() ? "[" : "{";
    const char* separator = "\n";
    for (const auto& item : value.items()) {
        out += separator + blanks;
        if (value.is_object()) out += Json(item.key()).dump() + ": ";
        append(item.value(), indent + 1, value.is_array(), out);
        separator = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + (value.is_array() ? "]" : "}");
}

}  // namespace

Json to_json(const ProfileFile& profile) {
    Json out = {{"schema", 1}, {"kind", profile.kind}};
    if (profile.observed) out["model"] = profile.observed->model;
    out["gpu"] = profile.gpu;
    if (profile.observed) {
        out["tensor_parallel"] = profile.observed->tensor_parallel;
        out["dtype"] = name_of(profile.observed->dtype);
        out["kv_cache_dtype"] = name_of(profile.observed->kv_cache_dtype);
    }
    out["error_band"] = profile.error_band;
    out["source"] = profile.source;
    if (profile.l2_bytes) out["l2_bytes"] = *profile.l2_bytes;
    if (profile.tables) add_measured(*profile.tables, out);
    if (profile.observed) add_observed(*profile.observed, out);
    return out;
}

std::string profile_text(const ProfileFile& profile) {
    std::string out;
    append(to_json(profile), 0, false, out);
    return out + "\n";
}

}  // namespace headroom::scenarios
