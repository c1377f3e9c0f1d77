#include "analysis/report/max_rate_table.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

using scenarios::Expectation;

constexpr std::size_t kRateLabelWidth = 14;

/// Four digits, or as many as tell the scales that were run apart.
int digits_of(const MaxRate& answer) {
    constexpr int kMostDigits = 6;  // of a scale
    const auto alike = [&](int digits) {
        for (std::size_t i = 1; i < answer.points.size(); ++i) {
            const double below = answer.points[i - 1].scale;
            const double above = answer.points[i].scale;
            if (fmt::format("{:.{}g}", below, digits) == fmt::format("{:.{}g}", above, digits)) {
                return true;
            }
        }
        return false;
    };
    int digits = 4;
    while (digits < kMostDigits && alike(digits)) ++digits;
    return digits;
}

bool is_upper(const Expectation& expectation) {
    return expectation.comparison == scenarios::Comparison::less ||
           expectation.comparison == scenarios::Comparison::less_equal;
}

class MaxRateText {
  public:
    MaxRateText(const MaxRateReport& report, const TextStyle& style)
        : in_(report), style_(style), digits_(digits_of(report.answer)) {}

    std::string render() {
        const std::string about =
            in_.scenario.description.empty() ? "" : "  " + in_.scenario.description;
        const std::string wrapped = wrap(in_.scenario.name + about, style_.width, 0);
        out_ += ink(in_.scenario.name, Ink::bold, style_) +
                wrapped.substr(in_.scenario.name.size()) + "\n";
        out_ += ink(fmt::format("today {}; {} at each scale, {} confidence, to {}", load_text(1),
                                plural(in_.replications, "replication"),
                                percent_text(in_.confidence), percent_text(in_.precision)),
                    Ink::dim, style_) +
                "\n\n";
        answer(in_.answer);
        pessimistic();
        points();
        return std::move(out_);
    }

  private:
    [[nodiscard]] std::string times(double scale) const {
        return fmt::format("{:.{}g}", scale, digits_);
    }
    /// "64 requests/s", "160 users", or both.
    [[nodiscard]] std::string load_text(double scale) const {
        std::string text;
        if (in_.requests_per_s > 0) text = rate_text(in_.requests_per_s * scale) + " requests/s";
        if (in_.users > 0) {
            if (!text.empty()) text += " and ";
            text += plural(std::llround(std::max(1.0, in_.users * scale)), "user");
        }
        return text.empty() ? "no traffic" : text;
    }
    void entry(const std::string& label, const std::string& text, Ink colour = Ink::bold) {
        const std::string wrapped =
            wrap(pad_right(label, kRateLabelWidth) + text, style_.width, kRateLabelWidth);
        out_ += ink(wrapped.substr(0, label.size()), colour, style_) +
                wrapped.substr(label.size()) + "\n";
    }
    [[nodiscard]] std::string scale_text(double scale) const {
        return times(scale) + " times today's traffic: " + load_text(scale);
    }

    [[nodiscard]] std::string value_text(const Expectation& expectation, double x) const {
        return metric_text(expectation.metric, x, in_.scenario.currency);
    }
    /// With more digits where it would read like the bound that it misses.
    [[nodiscard]] std::string limit_text(const Expectation& expectation, double x) const {
        std::string text = value_text(expectation, x);
        if (x == expectation.bound || text != value_text(expectation, expectation.bound)) {
            return text;
        }
        switch (unit_of(expectation.metric)) {
            case MetricUnit::seconds:
                return fmt::format("{:.6g} s", x);
            case MetricUnit::fraction:
                return fmt::format("{:.6g} %", x * 100);
            default:
                return fmt::format("{:.6g}", x);
        }
    }
    /// "mean 1.93 s, at most 2.04 s", or "in 2 of 5 replications".
    [[nodiscard]] std::string found_text(const Expectation& expectation, const Judgement& j,
                                         int replications) const {
        const auto value = [&](double x) { return value_text(expectation, x); };
        if (!j.mean) {
            return fmt::format("there is no data in {} of {}", j.missing,
                               plural(replications, "replication"));
        }
        if (j.limit) {
            std::string text = "mean " + value(*j.mean);
            if (*j.limit != *j.mean) {
                text += (is_upper(expectation) ? ", at most " : ", at least ") +
                        limit_text(expectation, *j.limit) + " with " +
                        percent_text(in_.confidence) + " confidence";
            }
            return text;
        }
        return fmt::format("fails in {} of {}, mean {}", j.failed,
                           plural(replications, "replication"), value(*j.mean));
    }
    /// The conditions that do not hold at this point.
    [[nodiscard]] std::string broken_text(const ScalePoint& point) const {
        std::string text;
        for (std::size_t i = 0; i < point.judgements.size(); ++i) {
            if (point.judgements[i].held) continue;
            const Expectation& expectation = in_.scenario.expectations[i];
            text += (text.empty() ? "" : "; ") + expectation.text + ": " +
                    found_text(expectation, point.judgements[i], point.replications);
        }
        return text;
    }
    /// Their texts with the means, for the list of scales.
    [[nodiscard]] std::string broken_briefly(const ScalePoint& point) const {
        std::string text;
        for (std::size_t i = 0; i < point.judgements.size(); ++i) {
            const Judgement& j = point.judgements[i];
            if (j.held) continue;
            const Expectation& expectation = in_.scenario.expectations[i];
            text += (text.empty() ? "" : "; ") + expectation.text + ": " +
                    (j.mean ? value_text(expectation, *j.mean) : "no data");
        }
        return text;
    }
    void breaks_first(const MaxRate& answer) {
        if (const ScalePoint* point = answer.at(answer.broken_at)) {
            entry("Breaks first",
                  fmt::format("at {} times: {}", times(point->scale), broken_text(*point)));
        }
    }
    void warn_saturated(const MaxRate& answer) {
        const ScalePoint* point = answer.at(answer.scale);
        if (point == nullptr || point->saturated == 0) return;
        entry("Take care",
              fmt::format("at that scale the backlog grows in {} of {}: what still holds "
                          "depends on how long the run is",
                          point->saturated, plural(point->replications, "replication")),
              Ink::yellow);
    }

    void answer(const MaxRate& answer) {
        switch (answer.end) {
            case SearchEnd::found:
            case SearchEnd::not_monotone:
                entry("Holds", scale_text(answer.scale), Ink::green);
                breaks_first(answer);
                break;
            case SearchEnd::unjudged:
                entry("Holds", scale_text(answer.scale), Ink::green);
                entry("Not judged", "beyond that: " + unjudged_text(answer), Ink::red);
                break;
            case SearchEnd::still_holds:
                entry("Holds",
                      scale_text(answer.scale) +
                          ", the most that was tried (--most); nothing has broken yet",
                      Ink::green);
                break;
            case SearchEnd::never_holds:
                entry("Never holds",
                      fmt::format("not even at {} times, the least that was tried",
                                  times(answer.points.front().scale)),
                      Ink::red);
                entry("Broken", broken_text(answer.points.front()));
                return;
            case SearchEnd::cannot_break:
                entry("Cannot break",
                      fmt::format("at {} times the backlog grows without end, all that is expected "
                                  "still holds, and at its pace nothing of it breaks up to {} "
                                  "times (--most). Expect something of latency or loss, such as "
                                  "--expect 'latency.e2e_s.p99=< 2s'",
                                  times(answer.scale), times(in_.most)),
                      Ink::red);
                return;
            case SearchEnd::stopped:
                return;
        }
        if (answer.end == SearchEnd::not_monotone) not_monotone(answer);
        warn_saturated(answer);
        if (!in_.cut_is_fixed || answer.end == SearchEnd::unjudged) return;
        entry("Take care",
              "measure_from does not shrink with the trace: the higher the scale, the less of the "
              "trace is measured",
              Ink::yellow);
    }
    /// Where the data ends, of what, and why.
    [[nodiscard]] std::string unjudged_text(const MaxRate& answer) const {
        const ScalePoint* point = answer.at(answer.unjudged_at);
        std::string text = fmt::format("at {} times {}", times(point->scale), broken_text(*point));
        if (in_.trace_shrinks) {
            text += "; measure_from and times of expectations do not shrink with the trace";
        }
        return text;
    }
    void not_monotone(const MaxRate& answer) {
        const ScalePoint* odd = answer.at(answer.odd);
        const bool below = odd->scale < answer.scale;
        entry("Not monotone",
              below ? fmt::format("at {} times, below that, it does not hold: {}",
                                  times(odd->scale), broken_text(*odd))
                    : fmt::format("at {} times, above where it breaks, it holds again",
                                  times(odd->scale)),
              Ink::red);
    }
    void pessimistic() {
        if (!in_.pessimistic) {
            if (in_.scenario.profiles.empty() && in_.answer.end == SearchEnd::found) {
                entry("Error band", "none: no service runs on a profile");
            }
            return;
        }
        const MaxRate& p = *in_.pessimistic;
        digits_ = digits_of(p);
        pessimistic(p);
        digits_ = digits_of(in_.answer);
    }
    void pessimistic(const MaxRate& p) {
        const std::string band = "if everything takes " + percent_text(in_.error_band) +
                                 " longer, the pessimistic end of the profile's error band";
        if (p.end == SearchEnd::never_holds) {
            entry("Pessimistic", "never holds " + band, Ink::red);
            return;
        }
        std::string text = "holds " + times(p.scale) + " times today's traffic, " +
                           load_text(p.scale) + ", " + band;
        if (p.end == SearchEnd::still_holds) text += " (the most that was tried)";
        if (p.end == SearchEnd::cannot_break) {
            text += fmt::format(
                "; the backlog grows without end there, and at its pace nothing "
                "breaks up to {} times (--most)",
                times(in_.most));
        }
        if (p.end == SearchEnd::unjudged) text += "; beyond that not judged: " + unjudged_text(p);
        if (const ScalePoint* point = p.at(p.broken_at)) {
            text +=
                fmt::format("; at {} times breaks {}", times(point->scale), broken_text(*point));
        }
        entry("Pessimistic", text);
    }
    void points() {
        out_ += "\n" + ink("Scales that were run", Ink::bold, style_) + "\n";
        std::vector<std::vector<std::string>> rows;
        std::size_t width = 0;
        for (const ScalePoint& point : in_.answer.points) {
            rows.push_back({times(point.scale), load_text(point.scale)});
            width = std::max(width, columns_of(rows.back()[1]));
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const ScalePoint& point = in_.answer.points[i];
            const std::string verdict = point.held         ? "holds"
                                        : point.unjudged() ? "unknown"
                                                           : "fails";
            std::string line = "  " + pad_left(rows[i][0], 8) + "  " + pad_left(rows[i][1], width) +
                               "  " + verdict;
            if (!point.held) line += "  " + broken_briefly(point);
            if (point.saturated > 0) {
                line +=
                    fmt::format("{} backlog grows in {}", point.held ? " " : ";", point.saturated);
            }
            // A blank at the front of a line is not a place to break it.
            out_ += wrap(line, style_.width, width + 16 + verdict.size()) + "\n";
        }
    }

    const MaxRateReport& in_;
    const TextStyle& style_;
    int digits_;
    std::string out_;
};

}  // namespace

std::string render_max_rate(const MaxRateReport& report, const TextStyle& style) {
    return MaxRateText(report, style).render();
}

}  // namespace headroom::analysis
