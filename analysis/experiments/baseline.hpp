/// Baselines: the numbers of a scenario's run, stored, to be compared with those of a later one.
/// One JSON file a scenario, "<name>.json", with the version that made it, the scenario's hash, the
/// seed, the digest, all metrics of the summary, and, if somebody wrote some, its tolerances:
///
///     {"version": "0.1.0", "scenario": "chat", "scenario_hash": "8d...", "seed": 1,
///      "digest": "5f...", "tolerances": {"latency": "5%", "cost": "any"},
///      "metrics": {"latency.ttft_s.p99": 0.41, "requests.completed": 28800, ...}}
///
/// Numbers of another version of Headroom or of another seed are not compared: that is an error.
/// Those of a scenario that has changed are: what a change of a rule does to them is the question.
/// A metric may differ by its tolerance, relative to the stored value: 0 for whole numbers, 1 % for
/// others, or what a tolerance says whose name is the metric's or the beginning of it up to a dot
/// (names at the top are meant below `services.<name>` too; the longest wins, the command line
/// before the file). Better is different as well, until the baseline is recorded again.
/// O(metrics * tolerances).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenarios/diagnostic.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

struct MetricValue {
    std::optional<double> number;  ///< nothing: there was nothing to measure
    bool whole = false;            ///< a count, or true and false; a file cannot tell 3.0 from 3

    bool operator==(const MetricValue&) const = default;
};
using MetricValues = std::map<std::string, MetricValue, std::less<>>;

class Tolerances {
  public:
    /// A metric or the beginning of some, and "5%" or "any". What was expected where it is wrong.
    [[nodiscard]] std::optional<std::string> add(const std::string& metric,
                                                 std::string_view amount);
    /// "latency=5%"; "5%" alone is for all.
    [[nodiscard]] std::optional<std::string> add(std::string_view text);
    /// Relative; infinite for "any". Nullopt: none of them is about this metric.
    [[nodiscard]] std::optional<double> of(std::string_view metric) const;
    [[nodiscard]] bool empty() const { return by_name_.empty(); }
    /// As they were written, sorted.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> written() const;

  private:
    struct Amount {
        double relative = 0;
        std::string text;
    };
    std::map<std::string, Amount, std::less<>> by_name_;
};

struct Baseline {
    std::string version;
    std::string scenario;
    std::string scenario_hash;
    std::uint64_t seed = 0;
    std::string digest;
    Tolerances tolerances;
    MetricValues metrics;
    std::map<std::string, int, std::less<>> lines;  ///< of the metrics, in the file
};

/// The run behind this summary, as a baseline without tolerances.
[[nodiscard]] Baseline baseline_of(const scenarios::Scenario& scenario,
                                   const nlohmann::ordered_json& summary);
/// "chat.json" for the scenario "chat": what a file system may trip over is replaced by '-'.
[[nodiscard]] std::string baseline_file_name(const std::string& scenario);
[[nodiscard]] std::string baseline_text(const Baseline& baseline);
/// Null with diagnostics where the file is none.
[[nodiscard]] std::optional<Baseline> read_baseline(const std::string& path,
                                                    scenarios::Diagnostics& diagnostics);

struct BaselineComparison {
    /// The two cannot be compared: why, and what to do.
    std::string refusal;
    /// "latency.ttft_s.p99 0.41 -> 0.62 (+51 %, worse; allowed 1 %)", and the line it is stored at.
    std::vector<std::pair<int, std::string>> differences;
};

[[nodiscard]] BaselineComparison compare_with_baseline(const Baseline& stored, const Baseline& now,
                                                       const Tolerances& tolerances);

}  // namespace headroom::analysis
