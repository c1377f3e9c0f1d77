// headroom calibrate fit: from a measurement to a measured profile.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/output_file.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

using Rows = std::vector<std::vector<std::string>>;

CommandSpec fit_spec() {
    return {.name = "fit",
            .usage = "MEASUREMENT.json [OPTION]...",
            .summary = "Fits a profile to a measurement of the kernel benchmark.",
            .details =
                "Prints each operator's points and errors: those of predicting points that were\n"
                "left out, or, of the memory-bound ones, of floor + bytes / rate.\n",
            .options = {{.name = "out",
                         .value = "PROFILE.json",
                         .help = "writes the profile; without it nothing is written"},
                        {.name = "gpu",
                         .value = "ID",
                         .help = "of the catalogue; default: the one with the device's name"},
                        {.name = "allow-incomplete",
                         .help = "takes a measurement that was cut short, if no operator is "
                                 "missing"},
                        output_option()},
            .least_positional = 1,
            .most_positional = 1,
            .positional_name = "a measurement file"};
}

int fit(const Arguments& given) {
    ReadMeasurementOptions options;
    options.allow_incomplete = given.has("allow-incomplete");
    require_other_file("--out", given.value("out"), given.positional.front());
    scenarios::Diagnostics problems;
    const std::optional<Measurement> measurement =
        read_measurement(given.positional.front(), options, problems);
    if (!measurement) {
        print_diagnostics(problems);
        return kExitBadInput;
    }
    prepare_output_file("--out", given.value("out"));
    const std::string gpu =
        choose_gpu(load_catalogue(), given.value("gpu"), measurement->device.name);
    const FitResult result = fit_profile(*measurement, gpu);
    if (const auto out = given.value("out")) {
        save_profile(result.profile, *out);
        print_note("profile in " + *out);
    }
    print_out(given.value("output") == "json" ? fit_report(result).dump(2) + "\n"
                                              : render_fit(result, out_style()));
    return kExitGood;
}

std::string percent_or_dash(const OperatorReport& report, double ErrorSummary::*error) {
    return report.errors ? fmt::format("{:.1f}", 100 * *report.errors.*error) : "-";
}

}  // namespace

Command calibrate_fit_command() {
    return {fit_spec(), fit};
}

std::string render_fit(const FitResult& fit, const TextStyle& style) {
    std::string out = ink(fit.profile.gpu, Ink::bold, style) + ": measured, error band " +
                      percent_text(fit.profile.error_band) + "\n" +
                      wrap(fit.profile.source, style.width, 0) + "\n\n";
    Rows rows = {{"Operator", "dtype", "kernel", "points", "columns", "spread %", "median error %",
                  "worst %"}};
    Rows fits = {{"Fitted", "floor", "rate", "% of read bandwidth"}};
    for (const OperatorReport& report : fit.operators) {
        rows.push_back({report.op, report.dtype, report.kernels, std::to_string(report.points),
                        report.columns == 0 ? "-" : std::to_string(report.columns),
                        fmt::format("{:.1f}", 100 * report.spread),
                        percent_or_dash(report, &ErrorSummary::median),
                        percent_or_dash(report, &ErrorSummary::worst)});
        if (!report.fit) continue;
        const double bandwidth = fit.profile.tables->ceilings.read_bytes_per_s;
        fits.push_back({report.op, duration_text(report.fit->floor_s),
                        rate_text(report.fit->bytes_per_s) + "B/s",
                        fmt::format("{:.1f}", 100 * report.fit->bytes_per_s / bandwidth)});
    }
    out += columns(rows, 0) + "\n" + columns(fits, 0);
    if (!fit.warnings.empty()) out += "\n" + ink("Warnings", Ink::yellow, style) + "\n";
    for (const std::string& warning : fit.warnings) {
        out += wrap("  " + warning, style.width, 4) + "\n";
    }
    return out;
}

nlohmann::ordered_json fit_report(const FitResult& fit) {
    using Json = nlohmann::ordered_json;
    Json out = {{"gpu", fit.profile.gpu},
                {"error_band", fit.profile.error_band},
                {"source", fit.profile.source},
                {"operators", Json::array()},
                {"warnings", fit.warnings}};
    for (const OperatorReport& report : fit.operators) {
        Json row = {{"op", report.op},           {"dtype", report.dtype},
                    {"kernels", report.kernels}, {"points", report.points},
                    {"columns", report.columns}, {"spread", report.spread}};
        if (report.errors) {
            row["errors"] = {{"count", report.errors->count},
                             {"mean", report.errors->mean},
                             {"median", report.errors->median},
                             {"worst", report.errors->worst}};
        }
        if (report.fit) {
            row["floor_s"] = report.fit->floor_s;
            row["bytes_per_s"] = report.fit->bytes_per_s;
        }
        out["operators"].push_back(std::move(row));
    }
    return out;
}

}  // namespace headroom::analysis
