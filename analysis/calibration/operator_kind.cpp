#include "analysis/calibration/operator_kind.hpp"

namespace headroom::analysis {

namespace {

using scenarios::AttentionHeads;
using scenarios::LaunchWork;

AttentionHeads heads_of(const LaunchShape& shape) {
    return {field(shape, "query_heads"), field(shape, "kv_heads"), field(shape, "head_size")};
}

LaunchWork gemm_work(std::string_view dtype, const LaunchShape& shape) {
    return scenarios::gemm_launch(field(shape, "n"), field(shape, "k"), field(shape, "m"),
                                  dtype == "fp8");
}
LaunchWork decode_work(std::string_view, const LaunchShape& shape) {
    return scenarios::decode_attention_launch(heads_of(shape), field(shape, "batch"),
                                              field(shape, "context"));
}
LaunchWork prefill_work(std::string_view, const LaunchShape& shape) {
    return scenarios::prefill_attention_launch(heads_of(shape), field(shape, "tokens"));
}
LaunchWork norm_work(std::string_view, const LaunchShape& shape) {
    return scenarios::rmsnorm_residual_launch(field(shape, "tokens"), field(shape, "width"));
}
LaunchWork rotary_work(std::string_view, const LaunchShape& shape) {
    return scenarios::rope_kv_append_launch(heads_of(shape), field(shape, "tokens"));
}
LaunchWork activation_work(std::string_view, const LaunchShape& shape) {
    return scenarios::swiglu_launch(field(shape, "tokens"), field(shape, "width"));
}
LaunchWork sampling_work(std::string_view, const LaunchShape& shape) {
    return scenarios::argmax_launch(field(shape, "tokens"), field(shape, "width"));
}
LaunchWork unknown_work(std::string_view, const LaunchShape&) {
    return {};
}

std::vector<OperatorKind> make_kinds() {
    const std::vector<std::string> product = {"m", "n", "k"};
    const std::vector<std::string> rows = {"tokens", "width"};
    const std::vector<std::string> prompt = {"tokens", "query_heads", "kv_heads", "head_size"};
    std::vector<OperatorKind> kinds;
    kinds.push_back({.name = "gemm",
                     .fields = product,
                     .axis = "m",
                     .dtypes = {"bf16", "fp8"},
                     .needed = true,
                     .work = gemm_work});
    kinds.push_back(
        {.name = "lm_head", .fields = product, .axis = "m", .dtypes = {"bf16"}, .work = gemm_work});
    kinds.push_back({.name = "decode_attention",
                     .fields = {"batch", "context", "query_heads", "kv_heads", "head_size"},
                     .axis = "context",
                     .second_axis = "batch",
                     .dtypes = {"bf16"},
                     .needed = true,
                     .work = decode_work});
    kinds.push_back({.name = "prefill_attention",
                     .fields = prompt,
                     .axis = "tokens",
                     .dtypes = {"bf16"},
                     .needed = true,
                     .work = prefill_work});
    const auto memory_bound = [&](const char* name, const std::vector<std::string>& fields,
                                  serving::MemoryBoundFit serving::OperatorTables::*fit,
                                  LaunchWork (*work)(std::string_view, const LaunchShape&)) {
        kinds.push_back({.name = name,
                         .fields = fields,
                         .axis = "tokens",
                         .dtypes = {"bf16"},
                         .needed = true,
                         .fit = fit,
                         .work = work});
    };
    memory_bound("rmsnorm_residual", rows, &serving::OperatorTables::norm, norm_work);
    memory_bound("rope_kv_append", prompt, &serving::OperatorTables::rotary, rotary_work);
    memory_bound("swiglu", rows, &serving::OperatorTables::activation, activation_work);
    memory_bound("argmax", rows, &serving::OperatorTables::sampling, sampling_work);
    for (const char* network : {"resnet50", "vit_b16"}) {
        kinds.push_back({.name = network,
                         .fields = {"batch"},
                         .axis = "batch",
                         .dtypes = {"bf16"},
                         .work = unknown_work});
    }
    return kinds;
}

}  // namespace

std::int64_t field(const LaunchShape& shape, std::string_view name) {
    for (const auto& entry : shape) {
        if (entry.first == name) return entry.second;
    }
    return 0;
}

std::string to_text(const LaunchShape& shape) {
    std::string text;
    for (const auto& entry : shape) {
        text += (text.empty() ? "" : " ") + entry.first + "=" + std::to_string(entry.second);
    }
    return text;
}

const std::vector<OperatorKind>& operator_kinds() {
    static const std::vector<OperatorKind> kinds = make_kinds();
    return kinds;
}

const OperatorKind* find_operator(std::string_view name) {
    for (const OperatorKind& kind : operator_kinds()) {
        if (kind.name == name) return &kind;
    }
    return nullptr;
}

std::size_t rank_of(std::string_view name) {
    const auto& kinds = operator_kinds();
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        if (kinds[i].name == name) return i;
    }
    return kinds.size();
}

std::vector<std::string> operator_names() {
    std::vector<std::string> names;
    for (const OperatorKind& kind : operator_kinds()) names.push_back(kind.name);
    return names;
}

}  // namespace headroom::analysis
