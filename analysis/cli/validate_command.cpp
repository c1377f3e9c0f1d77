// headroom validate: all mistakes of a scenario and of its traces, without running it.

#include <fmt/format.h>

#include <cstdio>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/traces_of.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

namespace {

CommandSpec validate_spec() {
    return {.name = "validate",
            .usage = "SCENARIO.json [OPTION]...",
            .summary = "Checks a scenario and its whole traces; tells all mistakes at once.",
            .details = {},
            .options = {set_option(), trace_option()},
            .least_positional = 1,
            .most_positional = 1,
            .positional_name = "a scenario file"};
}

std::string describe(const scenarios::Scenario& scenario, std::int64_t trace_requests) {
    const SimulationSpec& spec = scenario.spec;
    const auto count = [](std::size_t n, const char* noun) {
        return plural(static_cast<std::int64_t>(n), noun);
    };
    std::int64_t nodes = 0;
    for (const control::NodePoolSpec& pool : spec.control.pools) nodes += pool.count;
    std::string text =
        fmt::format("ok: {}: {} in {}, {}", scenario.name, count(spec.services.size(), "service"),
                    count(find_cells(spec).size(), "cell"), count(spec.sources.size(), "source"));
    if (trace_requests > 0) text += " (" + plural(trace_requests, "request") + " in traces)";
    text += ", " + plural(nodes, "node");
    text += spec.drain ? std::string(", until all requests have ended")
                       : ", " + clock_text(spec.end.to_seconds());
    if (!scenario.expectations.empty()) {
        text += ", " + count(scenario.expectations.size(), "expectation");
    }
    return text + "\n";
}

int validate(const Arguments& given) {
    const scenarios::LoadResult loaded =
        scenarios::load_scenario(given.positional.front(), load_options(given));
    if (!loaded.scenario) {
        print_diagnostics(loaded.diagnostics);
        return kExitBadInput;
    }
    const TraceCheck traces = check_traces(*loaded.scenario);
    for (const std::string& error : traces.errors) std::fprintf(stderr, "%s\n", error.c_str());
    if (!traces.errors.empty()) return kExitBadInput;
    for (const std::string& warning : loaded.scenario->warnings) print_note("warning: " + warning);
    print_out(describe(*loaded.scenario, traces.requests));
    return kExitGood;
}

}  // namespace

Command validate_command() {
    return {validate_spec(), validate};
}

}  // namespace headroom::analysis
