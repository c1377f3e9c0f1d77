// What a rule test's expectations make of a run, in words that name the rule's own.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "analysis/experiments/rule_run.hpp"
#include "scenarios/metric_paths.hpp"
#include "scenarios/quantities.hpp"

namespace headroom::analysis {

namespace {

using scenarios::Expectation;
using scenarios::RuleCase;
using scenarios::RuleExpectation;
using scenarios::RuleTest;

class RuleMetrics final : public scenarios::MetricSource {
  public:
    explicit RuleMetrics(const RuleRun& run) : run_(run) {}

    [[nodiscard]] std::optional<double> value(std::string_view path) const override {
        const Time zero = Time::zero();
        if (path == "replicas.min") return number(run_.ready.min_during(zero, run_.end));
        if (path == "replicas.max") return number(run_.ready.max_during(zero, run_.end));
        if (path == "replicas.mean") return run_.ready.mean_during(zero, run_.end);
        if (path == "replicas.final") return number(run_.ready.value_at(run_.end));
        if (path == "scale_events.up") return number(run_.ups);
        if (path == "scale_events.down") return number(run_.downs);
        if (path == "scale_events.reversals") return number(run_.reversals);
        return std::nullopt;
    }
    [[nodiscard]] std::optional<double> value_at(std::string_view series, Time t) const override {
        return number(points(series).value_at(t));
    }
    [[nodiscard]] std::optional<Range> range(std::string_view series, Time from,
                                             Time to) const override {
        return Range{number(points(series).min_during(from, to)),
                     number(points(series).max_during(from, to))};
    }
    [[nodiscard]] const metrics::TimeSeries& points(std::string_view series) const {
        return series == scenarios::kDesiredReplicasSeries ? run_.desired : run_.ready;
    }

  private:
    static double number(std::int64_t count) { return static_cast<double>(count); }
    const RuleRun& run_;
};

std::string at_text(Time t) {
    return scenarios::format_duration(t - Time::zero());
}

std::string said(const RuleTick& tick) {
    return "\"" + tick.reason + "\"" + (tick.inputs.empty() ? "" : " (" + tick.inputs + ")");
}

/// The last tick at or before `t`; null before the first.
const RuleTick* tick_at(const RuleRun& run, Time t) {
    const auto after =
        std::upper_bound(run.ticks.begin(), run.ticks.end(), t,
                         [](Time time, const RuleTick& tick) { return time < tick.at; });
    return after == run.ticks.begin() ? nullptr : &*std::prev(after);
}

/// When the series first had the value within the span.
Time first_at(const metrics::TimeSeries& series, const Expectation& expectation, double value) {
    if (static_cast<double>(series.value_at(expectation.from)) == value) return expectation.from;
    for (const auto& point : series.points()) {
        const bool within = point.time >= expectation.from && point.time <= expectation.to;
        if (within && static_cast<double>(point.value) == value) return point.time;
    }
    return expectation.from;
}

/// The change that led to the number of `t`, and what the rule had said before it.
std::string explain_number(const RuleTest& test, const RuleRun& run, Time t) {
    const RuleTick* last = tick_at(run, t);
    const std::string& policy = test.autoscaler.policy.name;
    if (last == nullptr) return "; " + policy + " had not decided yet";
    const RuleTick* change = last;
    while (change->desired == change->before && change != run.ticks.data()) --change;
    if (change->desired == change->before) {
        return fmt::format("; {} changed nothing, at {} it said {}", policy, at_text(last->at),
                           said(*last));
    }
    std::string text = fmt::format("; at {} {} went from {} to {}: {}", at_text(change->at), policy,
                                   change->before, change->desired, said(*change));
    if (change != run.ticks.data() && std::prev(change)->reason != change->reason) {
        text += fmt::format(", {} before it said \"{}\"",
                            scenarios::format_duration(change->at - std::prev(change)->at),
                            std::prev(change)->reason);
    }
    if (last != change && last->reason != change->reason) {
        text += fmt::format("; at {} it said {}", at_text(last->at), said(*last));
    }
    return text;
}

/// "; desired replicas 2, 8 at 15s, 2 at 5m15s": the first changes.
std::string list_changes(const RuleRun& run) {
    constexpr std::size_t kMost = 6;
    const auto& points = run.desired.points();
    std::string text;
    for (std::size_t i = 0; i < std::min(points.size(), kMost); ++i) {
        text += i == 0 ? fmt::format("; desired replicas {}", points[i].value)
                       : fmt::format(", {} at {}", points[i].value, at_text(points[i].time));
    }
    return text + (points.size() > kMost ? ", ..." : "");
}

RuleVerdict judge_reason(const RuleTest& test, const RuleExpectation& expectation,
                         const RuleRun& run) {
    RuleVerdict verdict{expectation.where, false, expectation.text};
    const RuleTick* tick = tick_at(run, expectation.reason_at);
    if (tick == nullptr) {
        verdict.message += ": " + test.autoscaler.policy.name + " had not decided yet";
        return verdict;
    }
    verdict.held = tick->reason.find(expectation.reason_words) != std::string::npos ||
                   tick->inputs.find(expectation.reason_words) != std::string::npos;
    verdict.message += fmt::format(": at {} {} said {}", at_text(tick->at),
                                   test.autoscaler.policy.name, said(*tick));
    return verdict;
}

}  // namespace

std::vector<RuleVerdict> judge(const RuleTest& test, const RuleCase& one, const RuleRun& run) {
    const RuleMetrics metrics(run);
    std::vector<RuleVerdict> verdicts;
    for (const RuleExpectation& expectation : one.expectations) {
        if (!expectation.condition) {
            verdicts.push_back(judge_reason(test, expectation, run));
            continue;
        }
        const Expectation& condition = *expectation.condition;
        const scenarios::ExpectationResult result = scenarios::evaluate(condition, metrics);
        RuleVerdict verdict{expectation.where, result.held, result.message};
        if (!result.held && condition.when == Expectation::When::whole_run) {
            verdict.message += list_changes(run);
        } else if (!result.held && result.found) {
            const Time t = first_at(metrics.points(condition.metric), condition, *result.found);
            if (condition.when == Expectation::When::during) {
                verdict.message += " at " + at_text(t);
            }
            verdict.message += explain_number(test, run, t);
        }
        verdicts.push_back(std::move(verdict));
    }
    return verdicts;
}

}  // namespace headroom::analysis
