// The words that the table and the Markdown of a comparison share.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/report/comparison_report.hpp"
#include "analysis/report/decisions.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

bool is_told(const ComparedMetric& metric) {
    return metric.difference || metric.a_saturated || metric.b_saturated;
}

/// Whether the sides are apart; what is saturated has no difference, but says enough.
bool tells_apart(const ComparedMetric& metric) {
    return is_told(metric) && !(metric.difference && metric.difference->mean == 0);
}

/// The latency that people ask about first.
const ComparedMetric* main_latency(const Alternative& alternative) {
    for (const char* name : {"latency.ttft_s.p99", "latency.e2e_s.p99", "latency.e2e_s.mean"}) {
        const ComparedMetric* metric = find_metric(alternative, name);
        if (metric != nullptr && is_told(*metric)) return metric;
    }
    return nullptr;
}

/// The metric that the sentence is about: that latency, else the first that differs for sure, else
/// the first that differs at all.
const ComparedMetric* main_metric(const Alternative& alternative) {
    const ComparedMetric* latency = main_latency(alternative);
    if (latency != nullptr && tells_apart(*latency)) return latency;
    const auto first = [&alternative](auto&& wanted) -> const ComparedMetric* {
        const auto found =
            std::find_if(alternative.metrics.begin(), alternative.metrics.end(), wanted);
        return found == alternative.metrics.end() ? nullptr : &*found;
    };
    if (const auto* sure = first([](const ComparedMetric& metric) {
            return metric.significant && tells_apart(metric);
        })) {
        return sure;
    }
    if (const auto* apart = first(tells_apart)) return apart;
    if (latency != nullptr && !nothing_happened(*latency)) return latency;
    return first(
        [](const ComparedMetric& metric) { return is_told(metric) && !nothing_happened(metric); });
}

bool all_equal(const Alternative& alternative) {
    return std::all_of(
        alternative.metrics.begin(), alternative.metrics.end(), [](const ComparedMetric& metric) {
            return metric.difference && metric.difference->mean == 0 &&
                   (metric.difference->half_width == 0 || metric.difference->count < 2);
        });
}

std::string metric_sentence(const ComparedMetric& metric, const Comparison& comparison,
                            const std::string& currency) {
    std::string text = metric_label(metric.metric) + " " +
                       side_text(metric, metric.a_saturated, metric.a, currency) + " -> " +
                       side_text(metric, metric.b_saturated, metric.b, currency);
    if (!metric.difference) return text;
    const Interval& difference = *metric.difference;
    text += " (" + difference_text(metric.metric, difference.mean, currency);
    if (std::isfinite(difference.half_width)) {
        text += fmt::format(", {} between {} and {}", percent_text(comparison.confidence),
                            difference_text(metric.metric, difference.low(), currency),
                            difference_text(metric.metric, difference.high(), currency));
    }
    return text + (metric.significant || comparison.replications < 2 ? ")" : ", not significant)");
}

/// "cost +3 %", "the same cost".
std::string relative_sentence(const ComparedMetric& metric, int replications) {
    const std::string label = metric_label(metric.metric);
    if (!metric.difference) return {};
    if (metric.difference->mean == 0) return "the same " + label;
    if (!metric.relative) return {};
    return label + " " + relative_text(*metric.relative) +
           (metric.significant || replications < 2 ? "" : " (not significant)");
}

}  // namespace

std::string side_text(const ComparedMetric& metric, bool saturated,
                      const std::optional<double>& mean, const std::string& currency) {
    if (saturated) return "saturated";
    return mean ? metric_text(metric.metric, *mean, currency) : "-";
}

std::string interval_text(const ComparedMetric& metric, const std::string& currency) {
    if (!metric.difference || !std::isfinite(metric.difference->half_width)) return "-";
    return range_text(metric.metric, metric.difference->low(), metric.difference->high(), currency);
}

std::string change_text(Change change) {
    switch (change) {
        case Change::better:
            return "better";
        case Change::worse:
            return "worse";
        case Change::changed:
            return "changed";
        case Change::none:
            break;
    }
    return "-";
}

bool nothing_happened(const ComparedMetric& metric) {
    return metric.a && metric.b && *metric.a == 0 && *metric.b == 0;
}

std::string comparison_sentence(const ComparisonReport& report, std::size_t index) {
    const Comparison& comparison = report.comparison;
    const Alternative& alternative = comparison.alternatives[index];
    const std::string& currency = report.scenarios[index + 1].currency;
    if (std::none_of(alternative.metrics.begin(), alternative.metrics.end(), is_told)) {
        return "nothing that both measured";
    }
    const ComparedMetric* main = main_metric(alternative);
    if (main == nullptr || all_equal(alternative)) {
        return fmt::format("no difference, in any of {} over {}",
                           plural(static_cast<std::int64_t>(alternative.metrics.size()), "metric"),
                           plural(comparison.replications, "replication"));
    }
    std::string text = metric_sentence(*main, comparison, currency);
    const ComparedMetric* latency = main_latency(alternative);
    if (latency != nullptr && latency != main && !nothing_happened(*latency)) {
        text += ", the same " + metric_label(latency->metric);
    }
    const ComparedMetric* slo = find_metric(alternative, "slo.attainment");
    if (slo != nullptr && slo != main && slo->significant) {
        text += ", " + metric_label(slo->metric) + " " + side_text(*slo, false, slo->a, currency) +
                " -> " + side_text(*slo, false, slo->b, currency);
    }
    const ComparedMetric* cost = find_metric(alternative, "cost.total");
    if (cost != nullptr && cost != main && cost->a && *cost->a > 0) {
        const std::string more = relative_sentence(*cost, comparison.replications);
        if (!more.empty()) text += ", " + more;
    }
    if (comparison.replications < 2)
        text += "; one replication cannot say how much of it is chance";
    return text;
}

std::string method_text(const ComparisonReport& report) {
    const Comparison& comparison = report.comparison;
    const std::vector<Replication>& runs = report.scenarios.front().study.runs;
    std::string text =
        fmt::format("{} ({} {}{}), paired", plural(comparison.replications, "replication"),
                    runs.size() == 1 ? "seed" : "seeds", runs.front().seed,
                    runs.size() == 1 ? "" : fmt::format(" to {}", runs.back().seed));
    if (comparison.replications < 2) {
        return text +
               "; no interval and no verdict: those take at least 2 replications (--replications).";
    }
    text += fmt::format("; {} intervals by Student's t.", percent_text(comparison.confidence));
    return text +
           " better, worse, changed: significant among all metrics compared, by Holm's procedure.";
}

std::string decision_text(const DecisionDifference& apart,
                          const std::optional<control::Decision>& decision) {
    if (!decision) return "nothing more";
    std::string text;
    if (decision->time > apart.time) text = "at " + clock_text(decision->time.to_seconds());
    const auto add = [&text](const std::string& part) {
        if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
    };
    if (decision->actor != apart.actor) add(decision_actor(*decision));
    add(decision_change(*decision));
    add(decision->reason);
    add(decision->inputs);
    return text;
}

}  // namespace headroom::analysis
