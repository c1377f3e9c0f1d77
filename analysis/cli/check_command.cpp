// headroom check: scenarios and rule tests as checks, for CI.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/output_file.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/cli/study_progress.hpp"
#include "analysis/experiments/check_suite.hpp"
#include "analysis/report/check_table.hpp"
#include "analysis/report/github.hpp"
#include "analysis/report/junit.hpp"
#include "analysis/results/run_info.hpp"
#include "analysis/results/text_file.hpp"
#include "scenarios/catalogue/catalogue.hpp"

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMostJobs = 1024;

std::vector<OptionSpec> check_options() {
    return {
        set_option("each scenario, those whose rules are tested too"),
        {.name = "baseline",
         .value = "DIR",
         .help = "compares each scenario's numbers with those stored there"},
        {.name = "update-baseline", .help = "stores them there instead"},
        {.name = "tolerance",
         .value = "[METRIC=]5%",
         .help = "how far numbers may be from the baseline's: of a metric or of all that begin so "
                 "(latency=5%), of all (5%), or not to be compared (cost=any); default: 0 for "
                 "whole numbers, 1% for others",
         .repeatable = true},
        {.name = "allow-empty",
         .help = "a scenario that expects nothing passes when it runs to its end"},
        {.name = "jobs",
         .letter = 'j',
         .value = "N",
         .help = "checks at once; default: processors"},
        {.name = "junit", .value = "FILE", .help = "writes the result as JUnit XML too"},
        output_option({"table", "json", "markdown"}),
        {.name = "verbose", .letter = 'v', .help = "all messages, and which files were left out"},
        quiet_option()};
}

CommandSpec check_spec() {
    return {
        .name = "check",
        .usage = "DIR|FILE... [OPTION]...",
        .summary = "Runs scenarios and rule tests as checks, and says what does not hold.",
        .details =
            "A scenario is checked by what it expects, and against its baseline. A rule test\n"
            "(the key \"tests\"; headroom schema rule-test) feeds a scaling rule with numbers,\n"
            "without a cluster. Of a folder all *.json below it count, except in folders named\n"
            "what-if and baselines; -v says what was left out.\n"
            "\n"
            "Exit codes: 0 all passed, 1 some failed, 2 some could not be carried out, 3\n"
            "interrupted. Where GITHUB_ACTIONS is \"true\", failures become annotations and the\n"
            "report goes into the step summary too.\n",
        .options = check_options(),
        .least_positional = 1,
        .most_positional = std::numeric_limits<std::size_t>::max(),
        .positional_name = "a folder or a file with checks"};
}

SuiteOptions suite_options(const Arguments& given) {
    SuiteOptions options;
    options.sets = given.values("set");
    options.baseline = given.value("baseline");
    options.update_baseline = given.has("update-baseline");
    options.allow_empty = given.has("allow-empty");
    options.jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    if (const auto jobs = given.value("jobs")) {
        options.jobs = static_cast<int>(whole_number("--jobs", *jobs, 1, kMostJobs));
    }
    for (const std::string& text : given.values("tolerance")) {
        if (const auto problem = options.tolerances.add(text)) {
            throw UsageError("--tolerance: " + *problem);
        }
    }
    if (!options.baseline && (options.update_baseline || given.has("tolerance"))) {
        throw UsageError(
            std::string(options.update_baseline ? "--update-baseline" : "--tolerance") +
            ": expected --baseline DIR as well");
    }
    if (options.update_baseline && given.has("tolerance")) {
        throw UsageError(
            "--tolerance: expected without --update-baseline; lasting ones stand in the baseline's "
            "\"tolerances\"");
    }
    std::error_code error;
    if (options.baseline && !fs::is_directory(*options.baseline, error)) {
        const bool exists = fs::exists(*options.baseline, error);
        if (exists || !options.update_baseline) {
            throw UsageError("--baseline: expected a folder, found " +
                             std::string(exists ? "something else" : "none") + " at " +
                             *options.baseline + (exists ? "" : "; --update-baseline makes it"));
        }
    }
    return options;
}

/// A step's summary is a file that earlier commands of the step may have written into.
void append_step_summary(const SuiteResult& result) {
    const std::string file = environment_variable("GITHUB_STEP_SUMMARY");
    if (file.empty()) return;
    std::ofstream out(file, std::ios::binary | std::ios::app);
    out << check_markdown(result);
    out.close();
    if (!out) print_note("warning: cannot write the step summary to " + file);
}

void report(const SuiteResult& result, const Arguments& given) {
    const auto output = given.value("output");
    if (output == "json") {
        print_out(check_json(result).dump(2, ' ', false,
                                          nlohmann::ordered_json::error_handler_t::replace) +
                  "\n");
    } else if (output == "markdown") {
        print_out(check_markdown(result));
    } else {
        print_out(check_table(result, out_style(), given.has("verbose")));
    }
    if (environment_variable("GITHUB_ACTIONS") != "true") return;
    std::fputs(github_annotations(result).c_str(), stderr);
    append_step_summary(result);
}

int exit_code_of(CheckStatus worst) {
    switch (worst) {
        case CheckStatus::passed:
            return kExitGood;
        case CheckStatus::failed:
            return kExitExpectationFailed;
        case CheckStatus::error:
            break;
    }
    return kExitBadInput;
}

SuiteResult run_with_progress(const Arguments& given, SuiteOptions options) {
    CheckFiles files = find_check_files(given.positional, options.baseline);
    std::optional<StudyProgress> progress;
    if (error_is_terminal() && !given.has("quiet")) {
        progress.emplace(static_cast<int>(files.files.size()), "checks");
        options.progress = [&progress](std::size_t done, std::size_t) {
            progress->update(static_cast<int>(done));
        };
    }
    return run_suite(std::move(files), options);
}

int check(const Arguments& given) {
    const StopSignal stop;
    SuiteOptions options = suite_options(given);
    prepare_output_file("--junit", given.value("junit"));
    scenarios::Diagnostics diagnostics;
    options.catalogue = scenarios::Catalogue::load_default(diagnostics);
    if (options.catalogue == nullptr) {
        print_diagnostics(diagnostics);
        return kExitBadInput;
    }
    options.stop = &stop.flag();
    const std::string started_at = utc_now();
    SuiteResult result = run_with_progress(given, std::move(options));
    if (result.interrupted) {
        print_note("interrupted: nothing was written");
        return kExitUnfinished;
    }
    if (given.has("quiet")) {
        for (Check& one : result.checks) one.warnings.clear();
    }
    if (const auto file = given.value("junit")) {
        replace_text_file(*file, junit_xml(result, started_at));
    }
    report(result, given);
    if (given.has("update-baseline") && !given.has("quiet")) {
        print_note("baselines in " + *given.value("baseline"));
    }
    return exit_code_of(result.worst());
}

}  // namespace

Command check_command() {
    return {check_spec(), check};
}

}  // namespace headroom::analysis
