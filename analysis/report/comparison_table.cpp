#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/report/comparison_report.hpp"
#include "analysis/report/decisions.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

constexpr std::size_t kNameColumns = 14;

/// A name that heads a column: its end is cut off where it is long.
std::string heading(const std::string& name) {
    if (columns_of(name) <= kNameColumns) return name;
    std::string cut = name;
    while (columns_of(cut) > kNameColumns - 2) cut.pop_back();
    return cut + "..";
}

class ComparisonTable {
  public:
    ComparisonTable(const ComparisonReport& report, const TextStyle& style)
        : report_(report), style_(style) {}

    std::string render() {
        for (std::size_t i = 0; i < report_.comparison.alternatives.size(); ++i) {
            if (i > 0) out_ += "\n";
            alternative(i);
        }
        out_ += "\n" + ink(wrap(method_text(report_), style_.width, 0), Ink::dim, style_) + "\n";
        return std::move(out_);
    }

  private:
    void alternative(std::size_t index) {
        const Alternative& alternative = report_.comparison.alternatives[index];
        const std::string text =
            wrap(alternative.name + ": " + comparison_sentence(report_, index), style_.width, 2);
        out_ += ink(text.substr(0, alternative.name.size()), Ink::bold, style_) +
                text.substr(alternative.name.size()) + "\n\n";
        metrics(index);
        pairing(alternative);
        decisions(index);
    }

    void metrics(std::size_t index) {
        const Alternative& alternative = report_.comparison.alternatives[index];
        const std::string& currency = report_.scenarios[index + 1].currency;
        std::vector<std::vector<std::string>> rows = {
            {"Metric", heading(report_.comparison.base), heading(alternative.name), "difference",
             percent_text(report_.comparison.confidence) + " interval", ""}};
        std::vector<Change> changes;
        for (const ComparedMetric& metric : alternative.metrics) {
            if (nothing_happened(metric)) continue;
            std::string difference = "-";
            if (metric.difference) {
                difference = difference_text(metric.metric, metric.difference->mean, currency);
            }
            rows.push_back({metric.metric,
                            side_text(metric, metric.a_saturated, metric.a, currency),
                            side_text(metric, metric.b_saturated, metric.b, currency), difference,
                            interval_text(metric, currency), change_text(metric.change)});
            changes.push_back(metric.change);
        }
        print(columns(rows, 0), changes);
    }

    /// The verdict at the end of a row in its colour.
    void print(const std::string& text, const std::vector<Change>& changes) {
        std::size_t row = 0;
        for (std::size_t at = 0; at < text.size(); ++row) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            std::string line = text.substr(at, end - at);
            at = end + 1;
            if (row == 0) {
                out_ += ink(line.substr(0, line.find_last_not_of(' ') + 1), Ink::bold, style_);
            } else {
                const Change change = changes[row - 1];
                const std::string verdict = change_text(change);
                const Ink colour = change == Change::worse    ? Ink::red
                                   : change == Change::better ? Ink::green
                                                              : Ink::plain;
                out_ += line.substr(0, line.size() - verdict.size()) + ink(verdict, colour, style_);
            }
            out_ += "\n";
        }
    }

    /// What the same draws on both sides were worth for the latency that the sentence tells.
    void pairing(const Alternative& alternative) {
        if (report_.comparison.replications < 2) return;
        for (const char* name : {"latency.ttft_s.p99", "latency.e2e_s.p99", "latency.e2e_s.mean"}) {
            const ComparedMetric* metric = find_metric(alternative, name);
            if (metric == nullptr || !metric->unpaired_factor) continue;
            const double factor = *metric->unpaired_factor;
            const double needed = std::ceil(factor * report_.comparison.replications);
            out_ += "\n" +
                    wrap(fmt::format("Pairing: with draws of its own, each side would have needed "
                                     "about {} replications for the interval of the {} ({} times "
                                     "as many).",
                                     count_text(static_cast<std::int64_t>(needed)),
                                     metric_label(metric->metric), significant(factor)),
                         style_.width, 0) +
                    "\n";
            return;
        }
    }

    void decisions(std::size_t index) {
        const Alternative& alternative = report_.comparison.alternatives[index];
        const auto& apart = alternative.first_difference;
        if (!apart) {
            const bool any = !report_.scenarios[0].study.runs.front().decisions.empty();
            if (any) out_ += "\nBoth take the same decisions throughout replication 0.\n";
            return;
        }
        control::Decision named;
        named.actor = apart->actor;
        named.subject = apart->subject;
        out_ += "\n" +
                wrap(fmt::format("First decision that differs (replication 0): {}, {}",
                                 clock_text(apart->time.to_seconds()), decision_actor(named)),
                     style_.width, 2) +
                "\n";
        const std::string& base = report_.comparison.base;
        const std::size_t width = std::max(columns_of(base), columns_of(alternative.name));
        const auto side = [&](const std::string& name,
                              const std::optional<control::Decision>& decision) {
            out_ += wrap("  " + pad_right(name, width) + "  " + decision_text(*apart, decision),
                         style_.width, std::min<std::size_t>(width + 4, 30)) +
                    "\n";
        };
        side(base, apart->a);
        side(alternative.name, apart->b);
    }

    const ComparisonReport& report_;
    const TextStyle& style_;
    std::string out_;
};

}  // namespace

std::string render_comparison(const ComparisonReport& report, const TextStyle& style) {
    return ComparisonTable(report, style).render();
}

}  // namespace headroom::analysis
