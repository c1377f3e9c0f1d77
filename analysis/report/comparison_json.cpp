// A comparison for programs. Names are stable: what `headroom compare -o json` prints.

#include <nlohmann/json.hpp>

#include "analysis/report/comparison_report.hpp"
#include "analysis/results/decisions_jsonl.hpp"
#include "analysis/results/json_values.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

Json side(const std::optional<double>& mean, bool saturated) {
    return saturated ? Json("saturated") : or_null(mean);
}

/// Of one replication nothing is known to be significant or not.
Json metric_json(const ComparedMetric& metric, int replications) {
    const bool judged = replications > 1;
    const auto of_difference = [&](double (*what)(const Interval&)) {
        return metric.difference ? or_null(what(*metric.difference)) : Json(nullptr);
    };
    return {{"a", side(metric.a, metric.a_saturated)},
            {"b", side(metric.b, metric.b_saturated)},
            {"difference", of_difference([](const Interval& x) { return x.mean; })},
            {"low", of_difference([](const Interval& x) { return x.low(); })},
            {"high", of_difference([](const Interval& x) { return x.high(); })},
            {"relative", or_null(metric.relative)},
            {"significant", judged ? Json(metric.significant) : Json(nullptr)},
            {"change", !judged                         ? Json(nullptr)
                       : metric.change == Change::none ? Json("none")
                                                       : Json(change_text(metric.change))},
            {"unpaired_factor", or_null(metric.unpaired_factor)}};
}

Json decision_or_null(const std::optional<control::Decision>& decision) {
    return decision ? decision_json(*decision) : Json(nullptr);
}

Json difference_json(const std::optional<DecisionDifference>& apart) {
    if (!apart) return nullptr;
    return {{"time_s", apart->time.to_seconds()},
            {"actor", apart->actor},
            {"subject", apart->subject},
            {"a", decision_or_null(apart->a)},
            {"b", decision_or_null(apart->b)}};
}

Json input_json(const ComparedInput& input) {
    Json out = {{"name", input.name}, {"file", input.file}};
    if (!input.patch.empty()) out["what_if"] = input.patch;
    out["scenario_hash"] = input.hash;
    out["currency"] = input.currency;
    out["digests"] = Json::array();
    int saturated = 0;
    for (const Replication& run : input.study.runs) {
        out["digests"].push_back(run.digest);
        saturated += run.saturated ? 1 : 0;
    }
    out["saturated_replications"] = saturated;
    return out;
}

Json precision_json(const std::optional<PrecisionVerdict>& verdict) {
    if (!verdict) return nullptr;
    return {{"reached", verdict->reached}, {"needed", or_null(verdict->needed)}};
}

}  // namespace

nlohmann::ordered_json comparison_json(const ComparisonReport& report) {
    const Comparison& comparison = report.comparison;
    Json out = {{"version", program_version()},
                {"confidence", comparison.confidence},
                {"correction", "holm"},
                {"replications", comparison.replications},
                {"seeds", Json::array()},
                {"precision", precision_json(report.precision)},
                {"base", input_json(report.scenarios.front())},
                {"alternatives", Json::array()}};
    for (const Replication& run : report.scenarios.front().study.runs) {
        out["seeds"].push_back(run.seed);
    }
    for (std::size_t i = 0; i < comparison.alternatives.size(); ++i) {
        const Alternative& alternative = comparison.alternatives[i];
        Json entry = input_json(report.scenarios[i + 1]);
        entry["answer"] = comparison_sentence(report, i);
        entry["metrics"] = Json::object();
        for (const ComparedMetric& metric : alternative.metrics) {
            entry["metrics"][metric.metric] = metric_json(metric, comparison.replications);
        }
        entry["first_difference"] = difference_json(alternative.first_difference);
        out["alternatives"].push_back(std::move(entry));
    }
    return out;
}

}  // namespace headroom::analysis
