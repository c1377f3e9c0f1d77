#include "analysis/cli/run_study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/cli/study_progress.hpp"
#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/metric_text.hpp"
#include "analysis/report/units.hpp"
#include "analysis/statistics/batch_means.hpp"
#include "analysis/statistics/moments.hpp"
#include "scenarios/metric_paths.hpp"

namespace headroom::analysis {

namespace {

double mean_of(const std::vector<double>& values) {
    return moments_of(values).mean;
}

/// "latency.e2e_s.mean has no data in 6 of 10 replications".
std::string unjudged_text(const Replicated& study, const std::string& metric) {
    const auto total = static_cast<int>(study.runs.size());
    const int saturated = saturated_runs(study, metric);
    if (saturated > 0) {
        return fmt::format("{} is saturated in {} of {}", metric, saturated,
                           plural(total, "replication"));
    }
    int missing = total;
    const auto at = std::lower_bound(study.metrics.begin(), study.metrics.end(), metric);
    if (at != study.metrics.end() && *at == metric) {
        const auto index = static_cast<std::size_t>(at - study.metrics.begin());
        missing = static_cast<int>(
            std::count_if(study.runs.begin(), study.runs.end(),
                          [index](const Replication& run) { return !run.values[index]; }));
    }
    return fmt::format("{} has no data in {} of {}", metric, missing, plural(total, "replication"));
}

/// Told where `auto` found nothing to judge, so that nobody takes the study for a precise one.
void note_unjudged(const Replicated& study, const std::vector<std::string>& metrics) {
    constexpr std::size_t kMostTold = 3;
    std::string text;
    for (std::size_t i = 0; i < std::min(metrics.size(), kMostTold); ++i) {
        text += (i == 0 ? "" : "; ") + unjudged_text(study, metrics[i]);
    }
    if (metrics.size() > kMostTold) text += "; and so on";
    print_note("precision not judged: " + text);
}

std::int64_t milliseconds_up(Time time) {
    const std::int64_t per_ms = Duration::milliseconds(1).ps();
    return ((time - Time::zero()).ps() + per_ms - 1) / per_ms;
}

}  // namespace

std::vector<OptionSpec> run_study_options() {
    return {
        replications_option("runs it under N seeds, this one and those after it, or until precise; "
                            "adds intervals and replications.json"),
        precision_option(),
        most_replications_option(),
        {.name = "metric",
         .value = "METRIC",
         .help = "to show of replications, and what `auto` makes precise; a name, the beginning of "
                 "some, or a pattern with *",
         .repeatable = true},
        confidence_option(),
        {.name = "warm-up",
         .value = "auto",
         .help = "sets measure_from to the end of the warm-up that MSER-5 finds in a pilot run",
         .choices = {"auto"}},
        {.name = "batch-means", .help = "intervals of the mean latencies of this one run"}};
}

RunStudy run_study(const Arguments& given) {
    RunStudy study;
    study.replications = study_options(given, std::nullopt);
    study.warm_up_auto = given.has("warm-up");
    study.batch_means = given.has("batch-means");
    if (study.replications) {
        study.confidence = study.replications->confidence;
        return study;
    }
    if (given.has("metric")) throw UsageError("--metric: expected with --replications");
    if (given.has("confidence") && !study.batch_means) {
        throw UsageError("--confidence: expected with --replications or --batch-means");
    }
    if (given.has("confidence")) study.confidence = study_options(given, 1)->confidence;
    return study;
}

std::optional<std::string> warm_up_assignment(const LatencyList& latencies) {
    const std::optional<Time> end = warm_up_end(latencies);
    if (!end) return std::nullopt;
    return fmt::format("/measure_from={}ms", milliseconds_up(*end));
}

std::optional<std::string> warm_up_note(const LatencyList& latencies, Time measure_from) {
    const std::optional<Time> end = warm_up_end(latencies);
    if (!end || *end <= measure_from) return std::nullopt;
    const double now = mean_of(latencies.since(measure_from).e2e_s);
    const double then = mean_of(latencies.since(*end).e2e_s);
    return fmt::format(
        "MSER-5 finds a warm-up until {}, later than measure_from ({}): the mean latency after it "
        "is {} instead of {}; if the load is meant to be steady, --warm-up auto cuts it out",
        clock_text(end->to_seconds()), clock_text(measure_from.to_seconds()), duration_text(then),
        duration_text(now));
}

ReplicationsReport StudyResult::report(const scenarios::Scenario& scenario,
                                       const RunStudy& options) const {
    return {.scenario = scenario,
            .study = study,
            .confidence = options.confidence,
            .metrics = metrics,
            .precision = options.replications->plan.goal.relative,
            .precise_metrics = precise_metrics,
            .verdict = verdict};
}

std::vector<std::string> study_metrics(const scenarios::Scenario& scenario, const RunStudy& study) {
    if (study.replications->metrics.empty()) return headline_metrics();
    std::vector<std::string> services;
    for (const serving::ServiceSpec& service : scenario.spec.services) {
        services.push_back(service.name);
    }
    return chosen_metrics("--metric", study.replications->metrics,
                          scenarios::summary_metric_paths(services));
}

StudyResult replicate_further(const scenarios::Scenario& scenario, const SimulationResult& first,
                              const RunStudy& study, const Arguments& given,
                              const StopSignal& stop) {
    const StudyOptions& options = *study.replications;
    StudyResult out;
    out.metrics = study_metrics(scenario, study);
    Replicated begun = study_of(scenario, first);
    std::vector<std::string> wanted =
        options.metrics.empty() ? precision_metrics(begun) : out.metrics;
    if (wanted.empty()) wanted = {"latency.e2e_s.mean"};  // nothing has data yet
    const PrecisionValues values = [&](const std::vector<Replicated>& studies) {
        std::vector<std::vector<double>> judged;
        out.precise_metrics.clear();
        for (const std::string& metric : wanted) {
            std::vector<double> column = studies.front().values(metric);
            if (column.empty() || is_saturated(studies.front(), metric)) continue;
            judged.push_back(std::move(column));
            out.precise_metrics.push_back(metric);
        }
        return judged;
    };
    ReplicationOptions run;
    run.threads = options.threads;
    run.exact_steps = given.has("exact-steps");
    run.stop = &stop.flag();
    std::optional<StudyProgress> bar;
    if (error_is_terminal() && !given.has("quiet")) {
        bar.emplace(options.plan.count, "replications");
        run.progress = [&bar](int finished) { bar->update(finished); };
    }
    std::vector<Replicated> all;
    all.push_back(std::move(begun));
    PreciseStudy done = replicate_to_plan({&scenario}, options.plan, run, values, std::move(all));
    out.study = std::move(done.studies.front());
    out.verdict = done.verdict;
    if (out.verdict && out.precise_metrics.empty()) {
        note_unjudged(out.study, wanted);
        out.precise_metrics = std::move(wanted);
    }
    return out;
}

bool report_held(const scenarios::Scenario& scenario, const Replicated& study) {
    bool all = true;
    const std::vector<HeldCount> counts = count_held(scenario, study);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const HeldCount& count = counts[i];
        if (count.held == count.of) continue;
        all = false;
        const Replication& run = study.runs[count.first_failed];
        print_note(fmt::format("expectation failed in {} of {} (first under seed {}): {}",
                               count.of - count.held, plural(count.of, "replication"), run.seed,
                               run.expectations[i].message));
    }
    return all;
}

std::string batch_means_lines(const LatencyList& latencies, double confidence) {
    std::string out;
    const auto line = [&](const char* metric, const std::vector<double>& values) {
        if (values.empty()) return;
        out += "  " + batch_means_text(metric, batch_means(values, confidence), confidence) + "\n";
    };
    line("latency.ttft_s.mean", latencies.ttft_s);
    line("latency.e2e_s.mean", latencies.e2e_s);
    return out;
}

}  // namespace headroom::analysis
