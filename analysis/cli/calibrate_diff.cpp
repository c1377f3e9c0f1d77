// headroom calibrate diff: two profiles or measurements, point by point.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/calibration/compare_points.hpp"
#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/located_json.hpp"

namespace headroom::analysis {

namespace {

constexpr std::size_t kWorstShown = 3;  ///< of each operator

CommandSpec diff_spec() {
    return {.name = "diff",
            .usage = "A B [OPTION]...",
            .summary = "Compares two measured profiles or measurements, point by point.",
            .details =
                "A and B are files or names of the catalogue's profiles. Differences are those of\n"
                "B's times, relative to A's: above 0, B is slower.\n",
            .options = {output_option()},
            .least_positional = 2,
            .most_positional = 2,
            .positional_name = "two profiles or measurements"};
}

bool is_measurement(const std::string& path) {
    scenarios::Diagnostics problems;
    const auto document = scenarios::read_json_file(path, problems);
    if (!document) {
        print_diagnostics(problems);
        throw BadInput();
    }
    const nlohmann::json& file = document->value();
    return file.is_object() && file.value("kind", nlohmann::json()) == "measurement";
}

PointSet load_points(const std::string& argument) {
    const std::string path = find_profile(argument);
    if (!is_measurement(path)) {
        const scenarios::ProfileFile profile = load_profile(path);
        if (!profile.tables) {
            throw UsageError(
                "expected measured profiles or measurements, found the observed "
                "profile " +
                path);
        }
        return points_of(profile);
    }
    scenarios::Diagnostics problems;
    const auto measurement =
        read_measurement(path, {.allow_incomplete = true, .need_all_operators = false}, problems);
    if (!measurement) {
        print_diagnostics(problems);
        throw BadInput();
    }
    return points_of(*measurement);
}

bool is_notable(double difference) {
    return std::fabs(difference) >= 0.0005;  // what is not 0.0 %
}

std::string signed_percent(double difference) {
    return is_notable(difference) ? fmt::format("{:+.1f}", 100 * difference) : "0.0";
}

/// Short enough for a line: one head size holds for a whole file.
std::string point_text(const OperatorDifference& entry, LaunchShape shape) {
    shape.erase(std::remove_if(shape.begin(), shape.end(),
                               [](const auto& size) { return size.first == "head_size"; }),
                shape.end());
    return entry.op + " " + entry.dtype + " " + to_text(shape);
}

std::string to_table(const std::vector<OperatorDifference>& differences, const PointSet& first,
                     const PointSet& second) {
    std::string out = fmt::format("A {}\nB {}\n\n", first.name, second.name);
    std::vector<std::vector<std::string>> rows = {
        {"Operator", "dtype", "common", "only A", "only B", "median %", "p90 size %"}};
    std::vector<std::vector<std::string>> worst = {{"Largest differences", "A", "B", "%"}};
    for (const OperatorDifference& entry : differences) {
        const bool some = !entry.common.empty();
        rows.push_back({entry.op, entry.dtype, std::to_string(entry.common.size()),
                        std::to_string(entry.only_first), std::to_string(entry.only_second),
                        some ? signed_percent(entry.median) : "-",
                        some ? fmt::format("{:.1f}", 100 * entry.p90) : "-"});
        for (std::size_t i = 0; i < std::min(kWorstShown, entry.common.size()); ++i) {
            const PointDifference& point = entry.common[i];
            if (!is_notable(point.relative())) break;
            worst.push_back({point_text(entry, point.shape), duration_text(point.first_s),
                             duration_text(point.second_s), signed_percent(point.relative())});
        }
    }
    out += columns(rows, 0);
    return worst.size() > 1 ? out + "\n" + columns(worst, 0) : out;
}

std::string to_json(const std::vector<OperatorDifference>& differences, const PointSet& first,
                    const PointSet& second) {
    using Json = nlohmann::ordered_json;
    Json out = {{"a", first.name}, {"b", second.name}, {"operators", Json::array()}};
    for (const OperatorDifference& entry : differences) {
        Json row = {{"op", entry.op},
                    {"dtype", entry.dtype},
                    {"common", entry.common.size()},
                    {"only_a", entry.only_first},
                    {"only_b", entry.only_second}};
        if (!entry.common.empty()) {
            row["median"] = entry.median;
            row["p90"] = entry.p90;
        }
        row["points"] = Json::array();
        for (const PointDifference& point : entry.common) {
            Json shape = Json::object();
            for (const auto& size : point.shape) shape[size.first] = size.second;
            row["points"].push_back({{"shape", shape},
                                     {"a_s", point.first_s},
                                     {"b_s", point.second_s},
                                     {"difference", point.relative()}});
        }
        out["operators"].push_back(std::move(row));
    }
    return out.dump(2) + "\n";
}

int diff(const Arguments& given) {
    const PointSet first = load_points(given.positional[0]);
    const PointSet second = load_points(given.positional[1]);
    const std::vector<OperatorDifference> differences = compare_points(first, second);
    print_out(given.value("output") == "json" ? to_json(differences, first, second)
                                              : to_table(differences, first, second));
    return kExitGood;
}

}  // namespace

Command calibrate_diff_command() {
    return {diff_spec(), diff};
}

}  // namespace headroom::analysis
