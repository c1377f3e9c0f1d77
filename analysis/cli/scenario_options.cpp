#include "analysis/cli/scenario_options.hpp"

#include <algorithm>
#include <thread>

#include "traces/time_scale.hpp"

namespace headroom::analysis {

OptionSpec set_option(const std::string& what) {
    return {.name = "set",
            .value = "/POINTER=VALUE",
            .help = "changes " + what + ": a JSON pointer, and JSON or else a string",
            .repeatable = true};
}

OptionSpec trace_option() {
    return {.name = "trace",
            .value = "[SERVICE=]FILE",
            .help =
                "replays this trace instead of the only source, or of the service's, unscaled "
                "and to its end",
            .repeatable = true};
}

OptionSpec seed_option(const std::string& help) {
    return {.name = "seed", .value = "N", .help = help};
}

OptionSpec rate_scale_option() {
    return {.name = "rate-scale",
            .value = "X",
            .help =
                "times the traffic: rates of arrivals and traces are multiplied by X, and users of "
                "closed loops"};
}

OptionSpec exact_steps_option() {
    return {.name = "exact-steps",
            .help = "one iteration, one token at a time: slow, and the same result"};
}

OptionSpec threads_option(const std::string& what_for) {
    return {.name = "threads", .value = "N", .help = what_for + "; changes no result"};
}

OptionSpec output_option(const std::vector<std::string>& formats, const std::string& help) {
    std::string value;
    for (const std::string& format : formats) value += (value.empty() ? "" : "|") + format;
    return {.name = "output", .letter = 'o', .value = value, .help = help, .choices = formats};
}

OptionSpec quiet_option() {
    return {.name = "quiet", .letter = 'q', .help = "no progress, no notes, no warnings"};
}

scenarios::LoadOptions load_options(const Arguments& given) {
    scenarios::LoadOptions load;
    load.sets = given.values("set");
    load.traces = given.values("trace");
    if (const auto seed = given.value("seed")) {
        load.seed = whole_number("--seed", *seed, 0, std::uint64_t{1} << 62);
    }
    if (const auto scale = given.value("rate-scale")) {
        load.rate_scale = real_number("--rate-scale", *scale, traces::TimeScale::kLeast,
                                      traces::TimeScale::kMost);
    }
    return load;
}

std::optional<int> threads_given(const Arguments& given) {
    const auto threads = given.value("threads");
    if (!threads) return std::nullopt;
    return static_cast<int>(whole_number("--threads", *threads, 1, kMostThreads));
}

int threads_of(const Arguments& given) {
    return threads_given(given).value_or(
        std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads));
}

}  // namespace headroom::analysis
