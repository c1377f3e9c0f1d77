// headroom run: one scenario, simulated; its results written and printed.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/progress_bar.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/cli/traces_of.hpp"
#include "analysis/report/table.hpp"
#include "analysis/report/units.hpp"
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

/// Seconds that counting a trace's requests may hold up a run that shows a progress bar.
constexpr double kCountingPatienceS = 1.0;
constexpr std::uint64_t kMostThreads = 1024;

CommandSpec run_spec() {
    return {
        .name = "run",
        .usage = "SCENARIO.json [OPTION]...",
        .summary = "Simulates a scenario, writes its results and prints a report.",
        .details =
            "Writes summary.json (numbers), run.json (times, machine) and results.h5 (series,\n"
            "histograms, decisions) into a folder that appears whole or not at all.\n",
        .options =
            {{.name = "set",
              .value = "/POINTER=VALUE",
              .help = "changes the scenario: a JSON pointer, and JSON or else a string",
              .repeatable = true},
             {.name = "trace",
              .value = "[SERVICE=]FILE",
              .help =
                  "replays this trace instead of the only source, or of the service's, unscaled "
                  "and to its end",
              .repeatable = true},
             {.name = "seed", .value = "N", .help = "of all random numbers"},
             {.name = "threads", .value = "N", .help = "for independent cells; changes no result"},
             {.name = "out",
              .value = "DIR",
              .help = "for the results; default out/<scenario name>"},
             {.name = "exact-steps",
              .help = "one iteration, one token at a time: slow, and the same result"},
             {.name = "requests", .help = "writes requests.csv too, and the same into results.h5"},
             {.name = "decisions",
              .value = "changes|all",
              .help =
                  "writes decisions.jsonl too; all: there and in results.h5 also the ticks that "
                  "changed nothing",
              .choices = {"changes", "all"},
              .implied = "changes"},
             {.name = "output",
              .letter = 'o',
              .value = "table|json",
              .help = "what is printed: the report, or summary.json",
              .choices = {"table", "json"}},
             {.name = "quiet", .letter = 'q', .help = "no progress, no notes, no warnings"}},
        .least_positional = 1,
        .most_positional = 1,
        .positional_name = "a scenario file"};
}

/// out/<name>, with what a file system or a shell may trip over replaced.
fs::path default_folder(const std::string& scenario_name) {
    std::string name;
    for (const char c : scenario_name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                           (c == '.' && !name.empty());
        name += plain ? c : '-';
    }
    return fs::path("out") / (name.empty() ? "scenario" : name);
}

RunOptions run_options(const Arguments& given, const StopSignal& stop) {
    RunOptions options;
    options.exact_steps = given.has("exact-steps");
    options.keep_rows = given.has("requests");
    options.all_decisions = given.value("decisions") == "all";
    if (const auto threads = given.value("threads")) {
        options.threads = static_cast<int>(whole_number("--threads", *threads, 1, kMostThreads));
    }
    options.stop = &stop.flag();
    return options;
}

ProgressGoal progress_goal(const scenarios::Scenario& scenario) {
    ProgressGoal goal;
    if (scenario.spec.end < Time::horizon_limit()) {
        goal.horizon = scenario.spec.end;
    } else {
        goal.count_requests = [&scenario] {
            return count_trace_requests(scenario, kCountingPatienceS);
        };
    }
    return goal;
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
    {
        std::optional<ProgressBar> bar;
        if (error_is_terminal() && !given.has("quiet")) {
            bar.emplace(progress_goal(scenario));
            options.progress = [&bar](Time now, std::int64_t arrived) {
                bar->update(now, arrived);
            };
        }
        run.result = Simulation(scenario.spec).run(options);
    }
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

int write_and_print(const scenarios::Scenario& scenario, const TimedRun& run,
                    const fs::path& folder, const Arguments& given, const StopSignal& stop) {
    nlohmann::ordered_json summary = build_summary(scenario, run.result);
    const std::vector<scenarios::ExpectationResult> expectations =
        check_expectations(scenario, run.result, summary);
    const WriteOptions options{given.has("requests"), given.has("decisions"), &stop.flag()};
    if (!write_results(folder, scenario, run.result, summary, run.info, options)) {
        return interrupted(run.result.end);
    }
    if (given.value("output") == "json") {
        print_out(summary_text(summary));
    } else {
        print_out(render_table({scenario, run.result, summary, expectations}, out_style()));
    }
    if (!given.has("quiet")) {
        print_note(fmt::format("results in {} ({} of processor time, {} requests/s)",
                               folder.string(), duration_text(run.info.cpu_s),
                               rate_text(requests_per_cpu_s(run.info))));
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
    const RunOptions options = run_options(given, stop);
    scenarios::LoadOptions load;
    load.sets = given.values("set");
    load.traces = given.values("trace");
    if (const auto seed = given.value("seed")) {
        load.seed = whole_number("--seed", *seed, 0, std::uint64_t{1} << 62);
    }
    scenarios::LoadResult loaded = scenarios::load_scenario(given.positional.front(), load);
    if (!loaded.scenario) {
        print_diagnostics(loaded.diagnostics);
        return kExitBadInput;
    }
    const scenarios::Scenario& scenario = *loaded.scenario;
    const fs::path folder =
        given.has("out") ? fs::path(*given.value("out")) : default_folder(scenario.name);
    if (const auto problem = ResultFolder::problem(folder)) {
        print_note("--out: " + *problem);
        return kExitBadInput;
    }
    if (!given.has("quiet")) {
        for (const std::string& warning : scenario.warnings) print_note("warning: " + warning);
    }
    const TimedRun timed = simulate(scenario, options, given);
    if (timed.result.status == RunStatus::bad_input) {
        print_note(timed.result.error + "; no results were written");
        return kExitBadInput;
    }
    if (timed.result.status == RunStatus::interrupted || stop.raised()) {
        return interrupted(timed.result.end);
    }
    return write_and_print(scenario, timed, folder, given, stop);
}

}  // namespace

Command run_command() {
    return {run_spec(), run};
}

}  // namespace headroom::analysis
