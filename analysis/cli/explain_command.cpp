// headroom explain: the state of a run at one moment, and why it is so.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/report/explanation.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/read_results.hpp"
#include "scenarios/diagnostic.hpp"
#include "scenarios/quantities.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

CommandSpec explain_spec() {
    return {.name = "explain",
            .usage = "OUT --at TIME [OPTION]...",
            .summary = "Tells the state of a finished run at a moment, and why it is so.",
            .details =
                "OUT is the folder that headroom run wrote. For each workload: replicas desired, "
                "ready and\nstarting, the decision behind them with its reason, what is held back, "
                "what happened before\nand what comes next. With run --requests also the requests "
                "in flight; with run --decisions\nall every tick of an autoscaler counts.\n\n"
                "    headroom explain out/quickstart --at 16m\n",
            .options = {{.name = "at",
                         .value = "TIME",
                         .help = "the moment, from the start of the run: \"12m\", \"1h30m\""},
                        {.name = "service", .value = "NAME", .help = "this one alone"},
                        {.name = "around",
                         .value = "DURATION",
                         .help = "how far back and ahead events are told; default 10m"},
                        output_option({"text", "json"}, "sentences, or JSON")},
            .least_positional = 1,
            .most_positional = 1,
            .positional_name = "the folder of a run"};
}

Duration duration_option(const std::string& option, const std::string& text) {
    const auto parsed = scenarios::parse_duration(text);
    if (parsed) return *parsed.value;
    throw UsageError(fmt::format("{}: {}, found \"{}\"", option, parsed.expected, text));
}

/// What can be told to be wrong before any file is read.
ExplainOptions options_of(const Arguments& given) {
    ExplainOptions options;
    const auto at = given.value("at");
    if (!at) throw UsageError("expected --at TIME, the moment to explain: --at 12m");
    options.at = Time::zero().later_by(duration_option("--at", *at));
    if (const auto around = given.value("around")) {
        options.around = duration_option("--around", *around);
    }
    options.service = given.value("service");
    return options;
}

void check_against(const StoredRun& run, const ExplainOptions& options) {
    if (options.at > run.end) {
        throw ReadError(
            fmt::format("--at: expected a time within the run, which lasted {}, "
                        "found {}",
                        clock_text(run.end.to_seconds()), clock_text(options.at.to_seconds())));
    }
    const auto& services = run.services;
    if (options.service &&
        std::find(services.begin(), services.end(), *options.service) == services.end()) {
        throw ReadError(fmt::format(
            "--service: expected {}, found \"{}\"{}", fmt::join(services, " or "), *options.service,
            scenarios::did_you_mean(nearest_name(*options.service, services))));
    }
}

int explain_run(const Arguments& given) {
    const ExplainOptions options = options_of(given);
    try {
        const StoredRun run = read_results(given.positional.front());
        check_against(run, options);
        const Explanation told = explain(run, options);
        print_out(given.value("output") == "json" ? explanation_json(told).dump(2) + "\n"
                                                  : render_explanation(told, out_style()));
        return kExitGood;
    } catch (const ReadError& error) {
        print_note(std::string("explain: ") + error.what());
        return kExitBadInput;
    }
}

}  // namespace

Command explain_command() {
    return {explain_spec(), explain_run};
}

}  // namespace headroom::analysis
