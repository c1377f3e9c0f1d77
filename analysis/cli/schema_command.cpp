// headroom schema: the JSON Schemas of what the program reads and writes.

#include <nlohmann/json.hpp>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/results/summary.hpp"
#include "scenarios/diagnostic.hpp"
#include "scenarios/rule_test.hpp"
#include "scenarios/schema.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

int schema(const Arguments& given) {
    const std::string& which = given.positional.front();
    if (which == "scenario") {
        print_out(scenarios::scenario_schema().dump(2) + "\n");
    } else if (which == "rule-test") {
        print_out(scenarios::rule_test_schema().dump(2) + "\n");
    } else if (which == "summary") {
        print_out(summary_schema().dump(2) + "\n");
    } else {
        throw UsageError(
            "expected scenario, rule-test or summary, found \"" + which + "\"" +
            scenarios::did_you_mean(nearest_name(which, {"scenario", "rule-test", "summary"})));
    }
    return kExitGood;
}

}  // namespace

Command schema_command() {
    return {
        {.name = "schema",
         .usage = "scenario|rule-test|summary",
         .summary = "Prints the JSON Schema (draft-07) of scenarios, rule tests or summary.json.",
         .details = {},
         .options = {},
         .least_positional = 1,
         .most_positional = 1,
         .positional_name = "scenario, rule-test or summary"},
        schema};
}

}  // namespace headroom::analysis
