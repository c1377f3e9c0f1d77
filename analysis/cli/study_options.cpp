#include "analysis/cli/study_options.hpp"

#include "analysis/cli/scenario_options.hpp"
#include "analysis/experiments/metric_traits.hpp"

namespace headroom::analysis {

namespace {

constexpr double kLeastPrecision = 1e-4;
constexpr double kMostPrecision = 1;
constexpr double kLeastConfidence = 0.5;
constexpr double kMostConfidence = 0.9999;

std::optional<int> count_of(const Arguments& given, std::optional<int> default_count) {
    const auto text = given.value("replications");
    if (!text) return given.has("precision") ? std::nullopt : default_count;
    if (*text == "auto") return std::nullopt;
    return static_cast<int>(whole_number("--replications", *text, 1, kMostReplications));
}

}  // namespace

OptionSpec replications_option(const std::string& help) {
    return {.name = "replications", .value = "N|auto", .help = help};
}

OptionSpec precision_option() {
    return {.name = "precision",
            .value = "P",
            .help =
                "how precise `auto` gets: the mean is off by at most this part P of the true one, "
                "for which half an interval is at most P/(1+P) of the mean; default 5%"};
}

OptionSpec most_replications_option() {
    return {
        .name = "most-replications", .value = "N", .help = "where `auto` gives up; default 200"};
}

OptionSpec confidence_option() {
    return {.name = "confidence", .value = "C", .help = "of all intervals; default 95%"};
}

std::optional<StudyOptions> study_options(const Arguments& given,
                                          std::optional<int> default_count) {
    const bool asked =
        given.has("replications") || given.has("precision") || given.has("most-replications");
    if (!asked && !default_count) return std::nullopt;
    StudyOptions out;
    out.plan.count = count_of(given, default_count);
    if (out.plan.count && (given.has("precision") || given.has("most-replications"))) {
        throw UsageError(
            std::string(given.has("precision") ? "--precision" : "--most-replications") +
            ": expected with --replications auto");
    }
    if (const auto precision = given.value("precision")) {
        out.plan.goal.relative =
            real_number("--precision", *precision, kLeastPrecision, kMostPrecision, true);
    }
    if (const auto confidence = given.value("confidence")) {
        out.confidence =
            real_number("--confidence", *confidence, kLeastConfidence, kMostConfidence, true);
    }
    out.plan.goal.confidence = out.confidence;
    out.plan.goal.maximum = kMostAutoReplications;
    if (const auto most = given.value("most-replications")) {
        out.plan.goal.maximum = static_cast<std::size_t>(
            whole_number("--most-replications", *most, 2, kMostReplications));
    }
    out.metrics = given.values("metric");
    out.threads = threads_of(given);
    return out;
}

std::vector<std::string> chosen_metrics(const std::string& option,
                                        const std::vector<std::string>& patterns,
                                        const std::vector<std::string>& known) {
    std::vector<std::string> messages;
    std::vector<std::string> chosen = choose_metrics(patterns, known, messages);
    if (messages.empty()) return chosen;
    std::string all;
    for (const std::string& message : messages) {
        all += (all.empty() ? "" : "; ") + option + ": " + message;
    }
    throw UsageError(all);
}

}  // namespace headroom::analysis
