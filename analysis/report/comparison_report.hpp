/// A comparison for people, for programs and for a pull request: what `headroom compare` prints.
///
///     const ComparisonReport report{comparison, scenarios, {}, {}};
///     print_out(render_comparison(report, out_style()));
///
/// Each alternative begins with a sentence that is the answer: "double-traffic: p99 TTFT 2.31 s ->
/// 9.80 s (+7.49 s, 95 % between +6.90 s and +8.10 s), cost +3 %". Then all metrics with their
/// difference and its interval, what pairing was worth, and the first decision that differs. Equal
/// input gives equal text, byte for byte. O(metrics + size of the JSON).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/comparison.hpp"
#include "analysis/report/text_block.hpp"
#include "analysis/statistics/stopping.hpp"

namespace headroom::analysis {

/// Where a side came from.
struct ComparedInput {
    std::string name;
    std::string file;
    std::string patch;  ///< of a what-if, else empty
    std::string hash;   ///< of the merged scenario
    std::string currency;
    const Replicated& study;
};

struct ComparisonReport {
    const Comparison& comparison;
    std::vector<ComparedInput> scenarios;       ///< the base, then the alternatives in their order
    std::optional<PrecisionVerdict> precision;  ///< where replications were made until precise
};

/// The answer in words, without the name before it: of alternative `index`.
[[nodiscard]] std::string comparison_sentence(const ComparisonReport& report, std::size_t index);
/// "-", "saturated" or the mean.
[[nodiscard]] std::string side_text(const ComparedMetric& metric, bool saturated,
                                    const std::optional<double>& mean, const std::string& currency);
[[nodiscard]] std::string interval_text(const ComparedMetric& metric, const std::string& currency);
/// "better", "worse", "changed"; "-" where nothing is significant.
[[nodiscard]] std::string change_text(Change change);
/// 0 on both sides: not worth a row.
[[nodiscard]] bool nothing_happened(const ComparedMetric& metric);
/// What the intervals and verdicts below mean, in a sentence.
[[nodiscard]] std::string method_text(const ComparisonReport& report);
/// What one side of `apart` decided, "at 16m, 2 -> 4, in flight 160 over target 40"; with its
/// actor where that is another one than of `apart`.
[[nodiscard]] std::string decision_text(const DecisionDifference& apart,
                                        const std::optional<control::Decision>& decision);

[[nodiscard]] std::string render_comparison(const ComparisonReport& report, const TextStyle& style);
[[nodiscard]] std::string comparison_markdown(const ComparisonReport& report);
[[nodiscard]] nlohmann::ordered_json comparison_json(const ComparisonReport& report);

}  // namespace headroom::analysis
