// headroom run: one scenario, simulated; its results written and printed.

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/progress_bar.hpp"
#include "analysis/cli/run_study.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/report/table.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/file_name.hpp"
#include "analysis/results/result_folder.hpp"
#include "analysis/results/summary.hpp"
#include "analysis/results/summary_metrics.hpp"
#include "analysis/results/text_file.hpp"
#include "analysis/results/write_results.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;

CommandSpec run_spec() {
    CommandSpec spec = {
        .name = "run",
        .usage = "SCENARIO.json [OPTION]...",
        .summary = "Simulates a scenario, writes its results and prints a report.",
        .details =
            "Writes summary.json (numbers), run.json (times, machine) and results.h5 (series,\n"
            "histograms, decisions) into a folder that appears whole or not at all.\n\n"
            "One run is one throw of the dice. --replications says how far the numbers may be "
            "off:\n"
            "replication 0 is the run without it, replication i that of the seed + i; all of this\n"
            "folder but replications.json tells of replication 0. Intervals are Student's t; "
            "where\n"
            "a backlog grows, latencies read \"saturated\". An expectation is judged in every\n"
            "replication and fails when it fails in one. --batch-means does the same for the "
            "means\n"
            "of one long, steady run. --warm-up and --batch-means keep 100 bytes a request.\n",
        .options =
            {set_option(),
             trace_option(),
             seed_option("of all random numbers"),
             rate_scale_option(),
             threads_option("for independent cells, and for replications (else all processors)"),
             {.name = "out",
              .value = "DIR",
              .help = "for the results; default out/<scenario name>"},
             exact_steps_option(),
             {.name = "requests", .help = "writes requests.csv too, and the same into results.h5"},
             {.name = "decisions",
              .value = "changes|all",
              .help =
                  "writes decisions.jsonl too; all: there and in results.h5 also the ticks that "
                  "changed nothing",
              .choices = {"changes", "all"},
              .implied = "changes"},
             output_option({"table", "json"}, "what is printed: the report, or summary.json"),
             quiet_option()},
        .least_positional = 1,
        .most_positional = 1,
        .positional_name = "a scenario file"};
    const std::vector<OptionSpec> study = run_study_options();
    spec.options.insert(spec.options.end() - 2, study.begin(), study.end());
    return spec;
}

RunOptions run_options(const Arguments& given, const StopSignal& stop) {
    RunOptions options;
    options.exact_steps = given.has("exact-steps");
    options.keep_rows = given.has("requests");
    options.all_decisions = given.value("decisions") == "all";
    options.threads = threads_given(given).value_or(1);
    options.stop = &stop.flag();
    return options;
}

struct TimedRun {
    SimulationResult result;
    RunInfo info;
};

TimedRun simulate(const scenarios::Scenario& scenario, RunOptions options, const Arguments& given) {
    TimedRun run;
    run.info.started_at = utc_now();
    run.info.threads = options.threads;
    run.info.exact_steps = options.exact_steps;
    run.info.command_line = given.command_line;
    const Stopwatch before = Stopwatch::now();
    run.result = simulate_with_bar(scenario, std::move(options), !given.has("quiet"));
    const Stopwatch after = Stopwatch::now();
    run.info.wall_s = after.wall_s - before.wall_s;
    run.info.cpu_s = after.cpu_s - before.cpu_s;
    run.info.requests = run.result.total.requests.arrived;
    return run;
}

int interrupted(Time at) {
    print_note("interrupted at " + clock_text(at.to_seconds()) +
               " of simulated time; no results were written");
    return kExitUnfinished;
}

/// The run with its rows, unless there are too many for what nobody asked for. With several threads
/// nobody counts the requests, so it takes one.
TimedRun simulate_with_rows(const scenarios::Scenario& scenario, RunOptions options,
                            const Arguments& given, const StopSignal& stop, bool at_any_cost) {
    if (at_any_cost) {
        options.keep_rows = true;
        return simulate(scenario, options, given);
    }
    std::atomic<bool> enough{false};
    RunOptions counted = options;
    counted.keep_rows = true;
    counted.threads = 1;
    counted.stop = &enough;
    counted.progress = [&](Time, std::int64_t arrived) {
        if (stop.raised() || arrived > kMostRowsUnasked) enough.store(true);
    };
    TimedRun run = simulate(scenario, counted, given);
    if (stop.raised() || run.result.status != RunStatus::interrupted) return run;
    return simulate(scenario, options, given);
}

/// Everything between loading and writing: the exit code when there is nothing to write.
class ScenarioRun {
  public:
    ScenarioRun(const Arguments& given, const StopSignal& stop)
        : given_(given),
          stop_(stop),
          study_(run_study(given)),
          options_(run_options(given, stop)) {}

    int execute() {
        load_ = load_options(given_);
        if (!load()) return kExitBadInput;
        if (study_.replications) (void)study_metrics(*scenario_, study_);
        const fs::path folder = given_.has("out") ? fs::path(*given_.value("out"))
                                                  : fs::path("out") / file_name_of(scenario_->name);
        if (const auto problem = ResultFolder::problem(folder)) {
            print_note("--out: " + *problem);
            return kExitBadInput;
        }
        say(scenario_->warnings, "warning: ");
        if (study_.warm_up_auto) {
            if (const auto code = cut_warm_up()) return *code;
        }
        timed_ = first_run();
        if (const auto code = refusal(timed_.result)) return *code;
        latencies_ = latencies_by_arrival(scenario_->spec, timed_.result.rows);
        if (study_.replications) {
            result_ = replicate_further(*scenario_, timed_.result, study_, given_, stop_);
            if (result_->study.status == RunStatus::bad_input) {
                print_note(result_->study.error + "; no results were written");
                return kExitBadInput;
            }
            if (result_->study.status == RunStatus::interrupted || stop_.raised()) {
                print_note("interrupted among the replications; no results were written");
                return kExitUnfinished;
            }
        }
        return write_and_print(folder);
    }

  private:
    bool load() {
        scenarios::LoadResult loaded = scenarios::load_scenario(given_.positional.front(), load_);
        if (!loaded.scenario) print_diagnostics(loaded.diagnostics);
        scenario_ = std::move(loaded.scenario);
        return scenario_.has_value();
    }
    void say(const std::vector<std::string>& lines, const std::string& prefix) const {
        if (given_.has("quiet")) return;
        for (const std::string& line : lines) print_note(prefix + line);
    }
    [[nodiscard]] std::optional<int> refusal(const SimulationResult& result) const {
        if (result.status == RunStatus::bad_input) {
            print_note(result.error + "; no results were written");
            return kExitBadInput;
        }
        if (result.status == RunStatus::interrupted || stop_.raised()) {
            return interrupted(result.end);
        }
        return std::nullopt;
    }
    [[nodiscard]] TimedRun first_run() const {
        if (!study_.wants_rows() || given_.has("requests")) {
            return simulate(*scenario_, options_, given_);
        }
        return simulate_with_rows(*scenario_, options_, given_, stop_, study_.needs_rows());
    }
    /// Loads once more with the warm-up of a pilot cut out, so that the scenario's hash says so.
    std::optional<int> cut_warm_up() {
        scenarios::Scenario pilot = *scenario_;
        pilot.spec.measure_from = Time::zero();
        const TimedRun run = simulate_with_rows(pilot, options_, given_, stop_, true);
        if (const auto code = refusal(run.result)) return code;
        const auto assignment =
            warm_up_assignment(latencies_by_arrival(pilot.spec, run.result.rows));
        if (!assignment) {
            print_note(
                "--warm-up auto: the latencies never settle, or there are too few; say where "
                "the steady part begins by --set /measure_from=TIME");
            return kExitBadInput;
        }
        load_.sets.push_back(*assignment);
        if (!load()) return kExitBadInput;
        say({"--warm-up auto: as --set " + *assignment}, "");
        return std::nullopt;
    }

    int write_and_print(const fs::path& folder);
    void print_report(const nlohmann::ordered_json& summary,
                      const std::vector<scenarios::ExpectationResult>& expectations) const;

    const Arguments& given_;
    const StopSignal& stop_;
    RunStudy study_;
    RunOptions options_;
    scenarios::LoadOptions load_;
    std::optional<scenarios::Scenario> scenario_;
    TimedRun timed_;
    LatencyList latencies_;  ///< of replication 0, where its rows were kept
    std::optional<StudyResult> result_;
};

void ScenarioRun::print_report(
    const nlohmann::ordered_json& summary,
    const std::vector<scenarios::ExpectationResult>& expectations) const {
    std::string means;
    if (study_.batch_means) {
        means =
            batch_means_lines(latencies_.since(scenario_->spec.measure_from), study_.confidence);
    }
    if (given_.value("output") == "json") {
        print_out(summary_text(summary));
        if (!means.empty()) print_note("batch means:\n" + means.substr(0, means.size() - 1));
        return;
    }
    const TextStyle style = out_style();
    std::string text = render_table({*scenario_, timed_.result, summary, expectations}, style);
    if (!means.empty()) text += "\n" + ink("Batch means", Ink::bold, style) + "\n" + means;
    if (result_) text += "\n" + render_replications(result_->report(*scenario_, study_), style);
    print_out(text);
}

int ScenarioRun::write_and_print(const fs::path& folder) {
    const scenarios::Scenario& scenario = *scenario_;
    nlohmann::ordered_json summary = build_summary(scenario, timed_.result);
    const std::vector<scenarios::ExpectationResult> expectations =
        check_expectations(scenario, timed_.result, summary);
    WriteOptions options{.requests = given_.has("requests"),
                         .decisions = given_.has("decisions"),
                         .stop = &stop_.flag()};
    if (result_) {
        options.replications = replications_json(result_->report(scenario, study_)).dump(2) + "\n";
    }
    if (!write_results(folder, scenario, timed_.result, summary, timed_.info, options)) {
        return interrupted(timed_.result.end);
    }
    print_report(summary, expectations);
    if (const auto note = warm_up_note(latencies_, scenario.spec.measure_from)) say({*note}, "");
    say({fmt::format("results in {} ({} of processor time, {} requests/s)", folder.string(),
                     duration_text(timed_.info.cpu_s), rate_text(requests_per_cpu_s(timed_.info)))},
        "");
    if (result_) {
        return report_held(scenario, result_->study) ? kExitGood : kExitExpectationFailed;
    }
    int code = kExitGood;
    for (const scenarios::ExpectationResult& result : expectations) {
        if (result.held) continue;
        print_note("expectation failed: " + result.message);
        code = kExitExpectationFailed;
    }
    return code;
}

int run(const Arguments& given) {
    const StopSignal stop;
    return ScenarioRun(given, stop).execute();
}

}  // namespace

Command run_command() {
    return {run_spec(), run};
}

}  // namespace headroom::analysis
