// replications.json. Names are stable.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/replications_report.hpp"
#include "analysis/results/json_values.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

/// How the replications themselves are spread: of ten days, how bad are the worst? Null where they
/// are too few for an interval at that confidence.
Json quantile_json(const std::vector<double>& values, double q, double confidence) {
    const std::optional<QuantileInterval> interval = quantile_interval(values, q, confidence);
    if (!interval) return nullptr;
    return {{"value", interval->quantile}, {"low", interval->low}, {"high", interval->high}};
}

Json metric_json(const ReplicationsReport& report, std::size_t metric) {
    const std::string& name = report.study.metrics[metric];
    Json values = Json::array();
    std::size_t count = 0;
    for (const Replication& run : report.study.runs) {
        const std::optional<double>& value = run.values[metric];
        values.push_back(or_null(value));
        count += value ? 1 : 0;
    }
    Json out = {
        {"mean", nullptr}, {"low", nullptr}, {"high", nullptr}, {"half_width", nullptr},
        {"p50", nullptr},  {"p90", nullptr}, {"count", count},  {"values", std::move(values)}};
    if (is_saturated(report.study, name)) {
        out["mean"] = "saturated";
        return out;
    }
    const std::vector<double> all = report.study.values(name);
    if (all.empty()) return out;
    const Interval interval = mean_interval(all, report.confidence);
    out["mean"] = interval.mean;
    out["low"] = finite_or_null(interval.low());
    out["high"] = finite_or_null(interval.high());
    out["half_width"] = finite_or_null(interval.half_width);
    out["p50"] = quantile_json(all, 0.5, report.confidence);
    out["p90"] = quantile_json(all, 0.9, report.confidence);
    return out;
}

Json expectations_json(const ReplicationsReport& report) {
    Json out = Json::array();
    for (const HeldCount& count : count_held(report.scenario, report.study)) {
        out.push_back({{"condition", count.text}, {"held", count.held}, {"of", count.of}});
    }
    return out;
}

Json precision_json(const ReplicationsReport& report) {
    if (!report.verdict) return nullptr;
    return {{"relative", report.precision},
            {"metrics", report.precise_metrics},
            {"reached", report.verdict->reached},
            {"needed", or_null(report.verdict->needed)}};
}

}  // namespace

nlohmann::ordered_json replications_json(const ReplicationsReport& report) {
    Json out = {{"version", program_version()},
                {"scenario", report.scenario.name},
                {"scenario_hash", report.scenario.hash},
                {"count", report.study.runs.size()},
                {"confidence", report.confidence},
                {"precision", precision_json(report)},
                {"seeds", Json::array()},
                {"digests", Json::array()},
                {"saturated", Json::array()},
                {"expect", expectations_json(report)},
                {"metrics", Json::object()}};
    for (const Replication& run : report.study.runs) {
        out["seeds"].push_back(run.seed);
        out["digests"].push_back(run.digest);
        out["saturated"].push_back(run.saturated);
    }
    for (std::size_t i = 0; i < report.study.metrics.size(); ++i) {
        const bool measured = std::any_of(report.study.runs.begin(), report.study.runs.end(),
                                          [i](const Replication& run) { return run.values[i]; });
        if (!measured || report.study.metrics[i] == "seed") continue;
        out["metrics"][report.study.metrics[i]] = metric_json(report, i);
    }
    return out;
}

}  // namespace headroom::analysis
