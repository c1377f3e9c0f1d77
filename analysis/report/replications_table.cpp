#include <fmt/format.h>

#include <cmath>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/replications_report.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

std::vector<std::string> metric_row(const ReplicationsReport& report, const std::string& metric) {
    const std::string& currency = report.scenario.currency;
    const std::string label = "  " + metric_label(metric);
    if (is_saturated(report.study, metric)) return {label, "saturated", "", ""};
    const std::vector<double> values = report.study.values(metric);
    if (values.empty()) return {};
    const Interval interval = mean_interval(values, report.confidence);
    if (interval.mean == 0 && interval.half_width == 0) return {};
    std::vector<std::string> row = {label, metric_text(metric, interval.mean, currency), "", ""};
    if (!std::isfinite(interval.half_width)) return row;
    row[2] = "+- " + (interval.half_width == 0
                          ? "0"
                          : difference_text(metric, interval.half_width, currency).substr(1));
    const double relative = relative_half_width(interval);
    if (std::isfinite(relative) && relative > 0) row[3] = percent_text(relative);
    return row;
}

std::string precision_text(const ReplicationsReport& report) {
    if (!report.verdict) return {};
    const std::string metric = metric_label(report.precise_metrics[report.verdict->worst]);
    const std::string goal = percent_text(report.precision);
    if (is_saturated(report.study, report.precise_metrics[report.verdict->worst])) {
        return fmt::format("precision not judged: the {} is saturated", metric);
    }
    if (report.study.values(report.precise_metrics[report.verdict->worst]).empty()) {
        return fmt::format("precision not judged: the {} has no data in some", metric);
    }
    if (report.verdict->reached) return fmt::format("precise to {} of the {}", goal, metric);
    const std::string needed =
        report.verdict->needed
            ? fmt::format("which takes about {}",
                          count_text(static_cast<std::int64_t>(*report.verdict->needed)))
            : "whose mean is 0";
    return fmt::format("not precise to {} of the {}, {}", goal, metric, needed);
}

}  // namespace

std::vector<HeldCount> count_held(const scenarios::Scenario& scenario, const Replicated& study) {
    std::vector<HeldCount> counts;
    if (study.runs.empty()) return counts;
    for (std::size_t i = 0; i < scenario.expectations.size(); ++i) {
        HeldCount count;
        count.text = scenario.expectations[i].text;
        count.of = static_cast<int>(study.runs.size());
        for (std::size_t run = 0; run < study.runs.size(); ++run) {
            if (study.runs[run].expectations[i].held) {
                ++count.held;
            } else if (count.held == static_cast<int>(run)) {
                count.first_failed = run;
            }
        }
        counts.push_back(std::move(count));
    }
    return counts;
}

std::string render_replications(const ReplicationsReport& report, const TextStyle& style) {
    const std::vector<Replication>& runs = report.study.runs;
    std::string head = fmt::format(
        " {}, {} {}; {} intervals of the mean", runs.size(), runs.size() == 1 ? "seed" : "seeds",
        runs.size() == 1 ? fmt::format("{}", runs.front().seed)
                         : fmt::format("{} to {}", runs.front().seed, runs.back().seed),
        percent_text(report.confidence));
    const std::string precision = precision_text(report);
    if (!precision.empty()) head += "; " + precision;
    const std::string title = "Replications";
    const std::string wrapped = wrap(title + head, style.width, 2);
    std::string out = ink(title, Ink::bold, style) + wrapped.substr(title.size()) + "\n";
    std::vector<std::vector<std::string>> rows;
    for (const std::string& metric : report.metrics) {
        std::vector<std::string> row = metric_row(report, metric);
        if (!row.empty()) rows.push_back(std::move(row));
    }
    if (!rows.empty()) out += columns(rows, 0);
    for (const HeldCount& count : count_held(report.scenario, report.study)) {
        const bool all = count.held == count.of;
        const std::string line = fmt::format("  {}  {}: held in {} of {}", all ? "pass" : "FAIL",
                                             count.text, count.held, count.of);
        out += ink(wrap(line, style.width, 8), all ? Ink::plain : Ink::red, style) + "\n";
    }
    return out;
}

std::string batch_means_text(std::string_view metric, const std::optional<BatchMeans>& means,
                             double confidence) {
    const std::string label = metric_label(metric);
    if (!means) {
        return label +
               ": the run is too short to say how sure its mean is (its latencies go "
               "together over too long a time)";
    }
    const Interval& interval = means->interval;
    return fmt::format(
        "{} {} +- {} ({}, {} batches of {})", label, metric_text(metric, interval.mean, ""),
        metric_text(metric, interval.half_width, ""), percent_text(confidence), interval.count,
        plural(static_cast<std::int64_t>(means->batch_size), "request"));
}

}  // namespace headroom::analysis
