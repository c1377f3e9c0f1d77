// headroom trace info: what is in a trace, and what is wrong with it.

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/report/units.hpp"
#include "traces/readers/trace_summary.hpp"

namespace headroom::analysis {

namespace {

CommandSpec trace_spec() {
    return {.name = "trace",
            .usage = "info FILE [OPTION]...",
            .summary = "Says what is in a trace file: requests, rates, lengths, mistakes.",
            .details =
                "FILE is CSV or JSON lines, plain, .gz or .zst; see headroom policies "
                "trace-format.\n",
            .options = {{.name = "format",
                         .value = "NAME",
                         .help = "of the lines; default: recognised by the first one"},
                        {.name = "output",
                         .letter = 'o',
                         .value = "table|json",
                         .help = "a table or JSON",
                         .choices = {"table", "json"}}},
            .least_positional = 2,
            .most_positional = 2,
            .positional_name = "info and a file"};
}

nlohmann::ordered_json lengths_json(const traces::LengthCounts& lengths) {
    return {{"total", lengths.total()},     {"mean", lengths.mean()},
            {"min", lengths.minimum()},     {"p50", lengths.quantile(0.5)},
            {"p90", lengths.quantile(0.9)}, {"p99", lengths.quantile(0.99)},
            {"max", lengths.maximum()}};
}

std::string to_json(const traces::TraceSummary& summary) {
    nlohmann::ordered_json out = {{"format", summary.format},
                                  {"requests", summary.requests},
                                  {"bad_rows", summary.bad_rows},
                                  {"empty_outputs", summary.empty_outputs},
                                  {"first_s", summary.first.to_seconds()},
                                  {"last_s", summary.last.to_seconds()},
                                  {"mean_requests_per_s", summary.mean_rate},
                                  {"peak_requests_per_minute", summary.peak_per_minute},
                                  {"gap_cv", summary.gap_cv}};
    out["prompt_tokens"] = lengths_json(summary.prompt);
    out["output_tokens"] = lengths_json(summary.output);
    return out.dump(2) + "\n";
}

std::string to_table(const std::string& file, const traces::TraceSummary& summary) {
    std::string out = fmt::format("{}: {}, format {}\n", file, plural(summary.requests, "request"),
                                  summary.format);
    out +=
        fmt::format("Times       {} to {}; {} requests/s on average, {} in the fullest minute\n",
                    clock_text(summary.first.to_seconds()), clock_text(summary.last.to_seconds()),
                    rate_text(summary.mean_rate), count_text(summary.peak_per_minute));
    out += fmt::format("Gaps        coefficient of variation {} (1: Poisson)\n",
                       significant(summary.gap_cv));
    std::vector<std::vector<std::string>> rows = {
        {"Tokens", "min", "p50", "p90", "p99", "max", "mean", "total"}};
    const auto add = [&rows](const char* name, const traces::LengthCounts& lengths) {
        rows.push_back({name, count_text(lengths.minimum()), count_text(lengths.quantile(0.5)),
                        count_text(lengths.quantile(0.9)), count_text(lengths.quantile(0.99)),
                        count_text(lengths.maximum()), rate_text(lengths.mean()),
                        count_text(lengths.total())});
    };
    add("prompt", summary.prompt);
    add("output", summary.output);
    out += columns(rows, 0);
    if (summary.empty_outputs > 0) {
        out += plural(summary.empty_outputs, "output") + " of 0 tokens, counted as 1\n";
    }
    return out;
}

int trace(const Arguments& given) {
    if (given.positional[0] != "info") {
        throw UsageError("expected info, found \"" + given.positional[0] + "\"");
    }
    const std::string& file = given.positional[1];
    const traces::TraceSummary summary =
        traces::summarize(file, given.value("format").value_or(""));
    if (summary.requests > 0) {
        print_out(given.value("output") == "json" ? to_json(summary) : to_table(file, summary));
    }
    for (const std::string& error : summary.errors) std::fprintf(stderr, "%s\n", error.c_str());
    const auto told = static_cast<std::int64_t>(summary.errors.size());
    if (summary.bad_rows > told) print_note("and " + plural(summary.bad_rows - told, "bad row"));
    return summary.ok() ? kExitGood : kExitBadInput;
}

}  // namespace

Command trace_command() {
    return {trace_spec(), trace};
}

}  // namespace headroom::analysis
