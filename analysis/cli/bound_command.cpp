// headroom bound: what a scenario can hold by formulas, beside a simulated run.

#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/progress_bar.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/experiments/bound.hpp"
#include "analysis/report/bound_comparison.hpp"
#include "analysis/report/bound_table.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/summary.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

namespace {

CommandSpec bound_spec() {
    return {
        .name = "bound",
        .usage = "SCENARIO.json [OPTION]...",
        .summary = "Says what a scenario can hold by formulas, beside what a simulation measures.",
        .details =
            "For each service: the load of its sources, what a replica holds and what limits it,\n"
            "utilisation, the replicas and GPUs that the mean, the peak and the SLO need, and how\n"
            "far away saturation is. Servers are queues (Erlang B and C, M/G/1, Allen-Cunneen);\n"
            "LLM engines are tokens and KV blocks over the times of their profile. Then one run,\n"
            "and the reasons where it differs from the formulas.\n",
        .options = {{.name = "simulate", .help = "beside one simulated run (the default)"},
                    {.name = "no-simulation", .help = "formulas alone"},
                    set_option(),
                    trace_option(),
                    rate_scale_option(),
                    output_option(),
                    quiet_option()},
        .least_positional = 1,
        .most_positional = 1,
        .positional_name = "a scenario file"};
}

int bound(const Arguments& given) {
    const StopSignal stop;
    const bool formulas_alone = given.has("no-simulation");
    if (formulas_alone && given.has("simulate")) {
        throw UsageError("expected one of --simulate and --no-simulation, found both");
    }
    const scenarios::LoadResult loaded =
        scenarios::load_scenario(given.positional.front(), load_options(given));
    if (!loaded.scenario) {
        print_diagnostics(loaded.diagnostics);
        return kExitBadInput;
    }
    const scenarios::Scenario& scenario = *loaded.scenario;
    const bool show = !given.has("quiet");
    if (show) {
        for (const std::string& warning : scenario.warnings) print_note("warning: " + warning);
    }
    const Bound found = make_bound(scenario);
    if (!found.error.empty()) {
        print_note(found.error);
        return kExitBadInput;
    }
    BoundReport report{scenario, found, {}};
    if (!formulas_alone) {
        RunOptions options;
        options.stop = &stop.flag();
        const SimulationResult result = simulate_with_bar(scenario, std::move(options), show);
        if (result.status == RunStatus::bad_input) {
            print_note(result.error);
            return kExitBadInput;
        }
        if (result.status == RunStatus::interrupted || stop.raised()) {
            print_note("interrupted at " + clock_text(result.end.to_seconds()) +
                       " of simulated time; --no-simulation gives the formulas alone");
            return kExitUnfinished;
        }
        report.comparisons =
            compare_bound(found, scenario, result, build_summary(scenario, result));
    }
    print_out(given.value("output") == "json" ? bound_json(report).dump(2) + "\n"
                                              : render_bound(report, out_style()));
    return kExitGood;
}

}  // namespace

Command bound_command() {
    return {bound_spec(), bound};
}

}  // namespace headroom::analysis
