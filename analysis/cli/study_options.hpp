/// The options of commands that run a scenario several times: how often, how precisely, which
/// metrics, on how many threads.
///
///     .options = {..., replications_option("..."), precision_option(), ...}
///     const StudyOptions study = study_options(given, 10);        // throws UsageError
///
/// Replications run on all processors where --threads says nothing: that changes no result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/cli/arguments.hpp"
#include "analysis/experiments/precise_study.hpp"

namespace headroom::analysis {

inline constexpr int kMostReplications = 100'000;
inline constexpr int kMostAutoReplications = 200;

struct StudyOptions {
    StudyPlan plan;
    double confidence = kDefaultConfidence;
    std::vector<std::string> metrics;  ///< patterns, as given
    int threads = 1;
};

[[nodiscard]] OptionSpec replications_option(const std::string& help);
[[nodiscard]] OptionSpec precision_option();
[[nodiscard]] OptionSpec most_replications_option();
[[nodiscard]] OptionSpec confidence_option();

/// nullopt: none was asked for, and `default_count` is none either.
[[nodiscard]] std::optional<StudyOptions> study_options(const Arguments& given,
                                                        std::optional<int> default_count);
/// choose_metrics() of the patterns that an option was given; throws
/// UsageError, with all messages, when one of them names nothing.
[[nodiscard]] std::vector<std::string> chosen_metrics(const std::string& option,
                                                      const std::vector<std::string>& patterns,
                                                      const std::vector<std::string>& known);

}  // namespace headroom::analysis
