// headroom compare: two or more scenarios under the same draws, and what differs for sure.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/compare_inputs.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/output_file.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/cli/study_options.hpp"
#include "analysis/cli/study_progress.hpp"
#include "analysis/experiments/comparison.hpp"
#include "analysis/report/comparison_report.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/results/text_file.hpp"
#include "analysis/statistics/moments.hpp"
#include "scenarios/metric_paths.hpp"

namespace headroom::analysis {

namespace {

constexpr int kDefaultReplications = 10;
constexpr std::size_t kMostScenarios = 16;
constexpr const char* kAllMetrics = "all";

CommandSpec compare_spec() {
    return {
        .name = "compare",
        .usage = "BASE.json [OTHER.json...] [--what-if PATCH.json]... [OPTION]...",
        .summary =
            "Compares scenarios under the same draws: what changes, by how much, how surely.",
        .details =
            "Each scenario is run in several replications; replication i has the same arrivals,\n"
            "lengths and faults in all of them, and differences are taken pair by pair, so that\n"
            "what both sides share cancels out; the report says how much that was worth.\n"
            "Intervals are Student's t, each for itself; of twenty metrics that a change leaves\n"
            "alone, one would leave 0 out of its 95 % interval by chance. So what is called\n"
            "better, worse or changed is judged among all metrics compared, by Holm's procedure:\n"
            "a change that does nothing has any called so in 5 % of comparisons at most.\n\n"
            "    headroom compare quickstart.json --what-if what-if/double-traffic.json\n",
        .options =
            {{.name = "what-if",
              .value = "PATCH.json",
              .help = "a further scenario: the base with this merge patch (RFC 7396)",
              .repeatable = true},
             set_option("all scenarios"),
             trace_option(),
             seed_option("of replication 0; default that of the base"),
             rate_scale_option(),
             replications_option(
                 "of each scenario; default 10; auto: until the differences of "
                 "the mean latency and the attainment, or of --metric, are precise"),
             precision_option(),
             most_replications_option(),
             confidence_option(),
             {.name = "metric",
              .value = "METRIC",
              .help = "compares these: a name, the beginning of some, or a pattern with *; default "
                      "the headline of the summary",
              .repeatable = true},
             {.name = "all-metrics", .help = "compares all that the scenarios have in common"},
             {.name = "fail-on-regression",
              .value = "METRIC,...",
              .help = "exit 1 when one of these got worse for sure; default all that are compared",
              .implied = kAllMetrics},
             threads_option("for replications; default all processors"),
             exact_steps_option(),
             output_option({"table", "json", "markdown"}, "how it is told"),
             {.name = "out", .value = "FILE", .help = "writes it there instead of printing it"},
             quiet_option()},
        .least_positional = 1,
        .most_positional = kMostScenarios,
        .positional_name = "a scenario file"};
}

std::vector<std::string> split_commas(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t at = 0;
    while (at <= text.size()) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) parts.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
}

std::vector<std::string> metrics_of(const scenarios::Scenario& scenario) {
    std::vector<std::string> services;
    for (const serving::ServiceSpec& service : scenario.spec.services) {
        services.push_back(service.name);
    }
    return scenarios::summary_metric_paths(services);
}

class Comparing {
  public:
    Comparing(const Arguments& given, const StopSignal& stop)
        : given_(given), stop_(stop), options_(*study_options(given, kDefaultReplications)) {}

    int execute() {
        if (given_.positional.size() + given_.values("what-if").size() < 2) {
            throw UsageError("expected a second scenario file, or --what-if PATCH.json");
        }
        if (given_.has("fail-on-regression") && options_.plan.count == 1) {
            throw UsageError(
                "--fail-on-regression: expected at least 2 replications, for one says nothing for "
                "sure");
        }
        inputs_ =
            load_compare_inputs(given_.positional, given_.values("what-if"), load_options(given_));
        if (inputs_.scenarios.empty()) {
            print_diagnostics(inputs_.diagnostics);
            for (const std::string& mistake : inputs_.mistakes) print_note("compare: " + mistake);
            return kExitBadInput;
        }
        choose();
        prepare_output_file("--out", given_.value("out"));
        for (const std::string& note : inputs_.notes) say(note);
        const PreciseStudy study = replicate();
        if (const Replicated* failed = study.failed()) return refuse(*failed);
        return tell(study);
    }

  private:
    void say(const std::string& note) const {
        if (!given_.has("quiet")) print_note(note);
    }

    /// What the base and at least one other have; a seed is no result.
    [[nodiscard]] std::vector<std::string> common_metrics() {
        std::set<std::string> others;
        bool one_currency = true;
        const std::string& currency = inputs_.scenarios.front().scenario.currency;
        for (std::size_t i = 1; i < inputs_.scenarios.size(); ++i) {
            const scenarios::Scenario& other = inputs_.scenarios[i].scenario;
            for (std::string& metric : metrics_of(other)) others.insert(std::move(metric));
            one_currency = one_currency && other.currency == currency;
        }
        if (!one_currency) {
            inputs_.notes.push_back("cost is left out: the scenarios have different currencies");
        }
        std::vector<std::string> common;
        for (std::string& metric : metrics_of(inputs_.scenarios.front().scenario)) {
            const bool money = unit_of(metric) == MetricUnit::money;
            if (metric == "seed" || others.count(metric) == 0 || (money && !one_currency)) continue;
            common.push_back(std::move(metric));
        }
        return common;
    }

    /// Which scenarios have metrics that the pattern names.
    [[nodiscard]] std::vector<std::string> who_has(const std::string& pattern) const {
        std::vector<std::string> names;
        for (const CompareInput& input : inputs_.scenarios) {
            std::vector<std::string> ignored;
            if (!choose_metrics({pattern}, metrics_of(input.scenario), ignored).empty()) {
                names.push_back(input.name);
            }
        }
        return names;
    }

    /// Of a pattern that is known to each scenario; empty: they have no metric of it in common.
    [[nodiscard]] std::string why_not_compared(const std::string& pattern) const {
        std::vector<std::string> ignored;
        const std::vector<std::string> meant =
            choose_metrics({pattern}, metrics_of(inputs_.scenarios.front().scenario), ignored);
        if (meant == std::vector<std::string>{"seed"}) return "a seed is no result";
        const bool money = std::all_of(meant.begin(), meant.end(), [](const std::string& metric) {
            return unit_of(metric) == MetricUnit::money;
        });
        return money ? "the scenarios have different currencies" : "";
    }

    /// As chosen_metrics(), but of one that is known and cannot be compared it says why.
    [[nodiscard]] std::vector<std::string> chosen(const std::string& option,
                                                  const std::vector<std::string>& patterns,
                                                  const std::vector<std::string>& common) const {
        for (const std::string& pattern : patterns) {
            std::vector<std::string> ignored;
            if (!choose_metrics({pattern}, common, ignored).empty()) continue;
            const std::vector<std::string> names = who_has(pattern);
            if (names.empty()) continue;
            if (names.size() == inputs_.scenarios.size()) {
                const std::string reason = why_not_compared(pattern);
                if (reason.empty()) continue;
                throw UsageError(
                    fmt::format("{}: expected a metric that can be compared, found \"{}\": {}",
                                option, pattern, reason));
            }
            throw UsageError(fmt::format(
                "{}: expected a metric that {} and another one have, found \"{}\": only {} {} it",
                option, inputs_.scenarios.front().name, pattern, fmt::join(names, " and "),
                names.size() == 1 ? "has" : "have"));
        }
        return chosen_metrics(option, patterns, common);
    }

    /// Metrics of a service that the other side does not have are nowhere to be seen.
    void note_lone_services(const std::vector<std::string>& common) {
        std::set<std::string> told;
        for (const CompareInput& input : inputs_.scenarios) {
            for (const serving::ServiceSpec& service : input.scenario.spec.services) {
                const std::string begin = "services." + service.name + ".";
                const auto first = std::lower_bound(common.begin(), common.end(), begin);
                const bool shared =
                    first != common.end() && first->compare(0, begin.size(), begin) == 0;
                if (shared || !told.insert(service.name).second) continue;
                inputs_.notes.push_back(
                    fmt::format("metrics of the service {} are not compared: only {} has it",
                                service.name, fmt::join(who_has(begin + "*"), " and ")));
            }
        }
    }

    void choose() {
        const std::vector<std::string> common = common_metrics();
        const std::vector<std::string> patterns = given_.values("metric");
        if (given_.has("all-metrics")) {
            metrics_ = common;
            note_lone_services(common);
            (void)chosen("--metric", patterns, common);
        } else if (!patterns.empty()) {
            metrics_ = chosen("--metric", patterns, common);
        } else {
            for (const std::string& metric : headline_metrics()) {
                if (std::binary_search(common.begin(), common.end(), metric)) {
                    metrics_.push_back(metric);
                }
            }
        }
        const auto guarded = given_.value("fail-on-regression");
        if (!guarded || *guarded == kAllMetrics) return;
        const std::vector<std::string> named = split_commas(*guarded);
        if (named.empty()) throw UsageError("--fail-on-regression: expected metrics after the =");
        guarded_ = chosen("--fail-on-regression", named, common);
        for (const std::string& metric : guarded_) {
            if (std::find(metrics_.begin(), metrics_.end(), metric) == metrics_.end()) {
                metrics_.push_back(metric);
            }
        }
    }

    /// Every difference as precise as the goal says, in parts of the base's mean: values of which
    /// the mean is the base's and the spread that of the differences.
    [[nodiscard]] std::vector<std::vector<double>> precise_values(
        const std::vector<Replicated>& studies) const {
        const Replicated& base = studies.front();
        const std::vector<std::string> wanted =
            options_.metrics.empty() ? precision_metrics(base) : metrics_;
        std::vector<std::vector<double>> judged;
        for (std::size_t i = 1; i < studies.size(); ++i) {
            for (const std::string& metric : wanted) {
                const std::vector<double> a = base.values(metric);
                std::vector<double> b = studies[i].values(metric);
                if (a.empty() || b.empty() || is_saturated(base, metric) ||
                    is_saturated(studies[i], metric)) {
                    continue;
                }
                const double shift = 2 * moments_of(a).mean - moments_of(b).mean;
                for (std::size_t k = 0; k < b.size(); ++k) b[k] = b[k] - a[k] + shift;
                judged.push_back(std::move(b));
            }
        }
        return judged;
    }

    [[nodiscard]] PreciseStudy replicate() const {
        std::vector<const scenarios::Scenario*> all;
        for (const CompareInput& input : inputs_.scenarios) all.push_back(&input.scenario);
        ReplicationOptions run;
        run.threads = options_.threads;
        run.exact_steps = given_.has("exact-steps");
        run.decisions_of = 0;
        run.stop = &stop_.flag();
        std::optional<StudyProgress> bar;
        if (error_is_terminal() && !given_.has("quiet")) {
            std::optional<int> total = options_.plan.count;
            if (total) *total *= static_cast<int>(all.size());
            bar.emplace(total, "runs");
            run.progress = [&bar](int finished) { bar->update(finished); };
        }
        return replicate_to_plan(
            all, options_.plan, run,
            [this](const std::vector<Replicated>& studies) { return precise_values(studies); });
    }

    [[nodiscard]] int refuse(const Replicated& failed) const {
        if (failed.status == RunStatus::bad_input) {
            print_note(failed.error + "; nothing was compared");
            return kExitBadInput;
        }
        print_note("interrupted; nothing was compared");
        return kExitUnfinished;
    }

    [[nodiscard]] int tell(const PreciseStudy& study) const {
        std::vector<ComparedScenario> others;
        for (std::size_t i = 1; i < study.studies.size(); ++i) {
            others.push_back({inputs_.scenarios[i].name, study.studies[i]});
        }
        const Comparison comparison =
            compare({inputs_.scenarios.front().name, study.studies.front()}, others,
                    {.metrics = metrics_,
                     .confidence = options_.confidence,
                     .only_common = options_.metrics.empty() && guarded_.empty() &&
                                    !given_.has("all-metrics")});
        ComparisonReport report{comparison, {}, study.verdict};
        for (std::size_t i = 0; i < study.studies.size(); ++i) {
            const CompareInput& input = inputs_.scenarios[i];
            report.scenarios.push_back({input.name, input.file, input.patch, input.scenario.hash,
                                        input.scenario.currency, study.studies[i]});
        }
        write(report);
        if (study.verdict && !study.verdict->reached) {
            say(fmt::format("not precise after {} replications", study.verdict->count));
        }
        return regressions(report);
    }

    void write(const ComparisonReport& report) const {
        const std::string form = given_.value("output").value_or("table");
        TextStyle style = out_style();
        if (given_.has("out")) style = TextStyle{};
        const std::string text = form == "json"       ? comparison_json(report).dump(2) + "\n"
                                 : form == "markdown" ? comparison_markdown(report)
                                                      : render_comparison(report, style);
        if (const auto file = given_.value("out")) {
            replace_text_file(*file, text);
            say("comparison in " + *file);
        } else {
            print_out(text);
        }
    }

    [[nodiscard]] int regressions(const ComparisonReport& report) const {
        if (!given_.has("fail-on-regression")) return kExitGood;
        int code = kExitGood;
        for (std::size_t i = 0; i < report.comparison.alternatives.size(); ++i) {
            const Alternative& alternative = report.comparison.alternatives[i];
            const std::string& currency = report.scenarios[i + 1].currency;
            for (const ComparedMetric& metric : alternative.metrics) {
                const bool watched = guarded_.empty() || std::find(guarded_.begin(), guarded_.end(),
                                                                   metric.metric) != guarded_.end();
                // What was named and is not measured any more cannot be said to hold.
                const bool lost = !guarded_.empty() && metric.a && !metric.b && !metric.b_saturated;
                // Nor what reads "saturated" where it did not: the gate must not be blind there.
                const bool drowned = metric.b_saturated && !metric.a_saturated;
                if (!watched || (metric.change != Change::worse && !lost && !drowned)) continue;
                print_note(fmt::format("regression: {}: {} got worse: {} -> {}", alternative.name,
                                       metric_label(metric.metric),
                                       side_text(metric, metric.a_saturated, metric.a, currency),
                                       side_text(metric, metric.b_saturated, metric.b, currency)));
                code = kExitExpectationFailed;
            }
        }
        return code;
    }

    const Arguments& given_;
    const StopSignal& stop_;
    StudyOptions options_;
    CompareInputs inputs_;
    std::vector<std::string> metrics_;
    std::vector<std::string> guarded_;  ///< by --fail-on-regression; empty: all
};

int compare_scenarios(const Arguments& given) {
    const StopSignal stop;
    return Comparing(given, stop).execute();
}

}  // namespace

Command compare_command() {
    return {compare_spec(), compare_scenarios};
}

}  // namespace headroom::analysis
