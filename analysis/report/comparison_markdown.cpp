#include <fmt/format.h>

#include <algorithm>

#include "analysis/report/comparison_report.hpp"
#include "analysis/report/decisions.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

/// What would end a cell or begin markup is escaped; a line feed is a blank.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '*' || c == '_' || c == '`' || c == '<' || c == '\\') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

std::string row(const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const std::string& cell : cells) line += " " + escaped(cell) + " |";
    return line + "\n";
}

std::string metrics_table(const ComparisonReport& report, std::size_t index) {
    const Alternative& alternative = report.comparison.alternatives[index];
    const std::string& currency = report.scenarios[index + 1].currency;
    std::string out = row({"metric", report.comparison.base, alternative.name, "difference", "",
                           percent_text(report.comparison.confidence) + " interval", ""});
    out += "| --- | ---: | ---: | ---: | ---: | ---: | --- |\n";
    for (const ComparedMetric& metric : alternative.metrics) {
        if (nothing_happened(metric)) continue;
        out += row({metric.metric, side_text(metric, metric.a_saturated, metric.a, currency),
                    side_text(metric, metric.b_saturated, metric.b, currency),
                    metric.difference
                        ? difference_text(metric.metric, metric.difference->mean, currency)
                        : "-",
                    metric.relative ? relative_text(*metric.relative) : "-",
                    interval_text(metric, currency), change_text(metric.change)});
    }
    return out;
}

}  // namespace

std::string comparison_markdown(const ComparisonReport& report) {
    std::string out;
    for (std::size_t i = 0; i < report.comparison.alternatives.size(); ++i) {
        const Alternative& alternative = report.comparison.alternatives[i];
        out += fmt::format("**{}**: {}\n\n", escaped(alternative.name),
                           escaped(comparison_sentence(report, i)));
        out += metrics_table(report, i) + "\n";
        if (!alternative.first_difference) continue;
        const DecisionDifference& apart = *alternative.first_difference;
        control::Decision named;
        named.actor = apart.actor;
        named.subject = apart.subject;
        out += fmt::format("First decision that differs (replication 0): {}, {}\n\n",
                           clock_text(apart.time.to_seconds()), escaped(decision_actor(named)));
        out += fmt::format("- {}: {}\n- {}: {}\n\n", escaped(report.comparison.base),
                           escaped(decision_text(apart, apart.a)), escaped(alternative.name),
                           escaped(decision_text(apart, apart.b)));
    }
    return out + escaped(method_text(report)) + "\n";
}

}  // namespace headroom::analysis
