#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/report/bound_table.hpp"
#include "analysis/results/json_values.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

Json load_json(const VersionBound& v) {
    return {{"requests_per_s", v.load.mean_rate},
            {"peak_requests_per_s", v.load.peak_rate},
            {"peak_at_s", v.load.peak_at_s},
            {"window_s", v.load.window_s},
            {"gap_cv", v.load.gap_cv},
            {"users", v.load.users}};
}

Json operation_json(const LlmOperation& operation) {
    return {{"sequences", operation.batch},
            {"requests_per_s", operation.requests_per_s},
            {"time_per_token_s", operation.iteration_s},
            {"kv_fraction", operation.kv_fraction},
            {"prefill_share", operation.prefill_share}};
}

Json engine_json(const VersionBound& v) {
    if (v.simple) {
        const SimpleFigures& f = *v.simple;
        return {{"formula", f.formula},
                {"exact", f.exact},
                {"servers", f.queue.servers},
                {"service_s", f.queue.service_s},
                {"service_cv", f.queue.service_cv},
                {"offered_erlangs", f.queue.offered()},
                {"mean_wait_s", finite_or_null(f.mean_wait_s)},
                {"wait_p99_s", finite_or_null(f.wait_p99_s)},
                {"response_p99_s", finite_or_null(f.response_p99_s)},
                {"blocked", f.blocked}};
    }
    if (v.llm) {
        const LlmFigures& f = *v.llm;
        return {{"mean_prompt_tokens", f.mean_prompt},
                {"mean_output_tokens", f.mean_output},
                {"refused", f.refused},
                {"limit", to_string(f.limit)},
                {"max_num_seqs", f.max_num_seqs},
                {"kv_sequences", f.kv_sequences},
                {"decode_tokens_per_s", f.decode_tokens_per_s},
                {"prefill_tokens_per_s", f.prefill_tokens_per_s},
                {"prompt_alone_s", f.lone_prefill_s},
                {"most", operation_json(f.most)},
                {"mean_rate", operation_json(f.now)},
                {"peak_rate", operation_json(f.peak)},
                {"within_tpot", f.within_tpot ? operation_json(*f.within_tpot) : Json(nullptr)}};
    }
    if (v.dynamic) {
        return {{"max_batch_size", v.dynamic->max_batch_size},
                {"instances", v.dynamic->instances},
                {"full_batch_s", v.dynamic->full_batch_s},
                {"single_s", v.dynamic->single_s}};
    }
    return nullptr;
}

Json comparisons_json(const std::vector<BoundComparison>& list) {
    Json out = Json::object();
    for (const BoundComparison& c : list) {
        out[c.key] = {{"formula", or_null(c.analytic)},
                      {"simulated", or_null(c.simulated)},
                      {"differs", c.differs},
                      {"reasons", c.reasons}};
    }
    return out;
}

Json version_json(const VersionBound& v) {
    Json at = Json::array();
    for (const AtReplicas& each : v.at) {
        at.push_back({{"replicas", each.replicas},
                      {"utilisation", finite_or_null(each.utilisation)},
                      {"peak_utilisation", finite_or_null(each.peak_utilisation)},
                      {"headroom", finite_or_null(each.headroom)}});
    }
    const char* kind = v.engine == EngineKind::llm       ? "llm"
                       : v.engine == EngineKind::dynamic ? "dynamic_batching"
                                                         : "simple";
    Json target = nullptr;
    if (v.target) {
        target = {{"limit_s", v.target->limit_s}, {"quantile", v.target->quantile}};
        if (!v.target->text.empty()) target["condition"] = v.target->text;
    }
    return {{"kind", kind},
            {"load", load_json(v)},
            {"replica_requests_per_s", finite_or_null(v.capacity_rps)},
            {"autoscaler", v.autoscaler.empty() ? Json(nullptr) : Json(v.autoscaler)},
            {"at", std::move(at)},
            {"gpus_per_replica", v.gpus_per_replica},
            {"replicas_for_mean", or_null(v.for_mean)},
            {"replicas_for_peak", or_null(v.for_peak)},
            {"target", std::move(target)},
            {"replicas_for_target", or_null(v.for_target)},
            {"engine", engine_json(v)}};
}

}  // namespace

Json bound_json(const BoundReport& report) {
    Json versions = Json::object();
    for (std::size_t i = 0; i < report.bound.versions.size(); ++i) {
        const VersionBound& v = report.bound.versions[i];
        Json entry = version_json(v);
        if (i < report.comparisons.size()) {
            entry["compared"] = comparisons_json(report.comparisons[i]);
        }
        versions[v.name] = std::move(entry);
    }
    return {{"version", program_version()},
            {"scenario", report.scenario.name},
            {"scenario_hash", report.scenario.hash},
            {"seed", report.scenario.spec.seed},
            {"load_s", report.bound.span_s},
            {"simulated", !report.comparisons.empty()},
            {"services", std::move(versions)},
            {"gpus",
             {{"in_pools", report.bound.gpus.held},
              {"at_most_replicas", report.bound.gpus.needed},
              {"for_peak", report.bound.gpus.for_peak}}}};
}

}  // namespace headroom::analysis
