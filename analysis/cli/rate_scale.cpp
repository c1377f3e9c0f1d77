#include "analysis/cli/rate_scale.hpp"

#include "traces/time_scale.hpp"

namespace headroom::analysis {

OptionSpec rate_scale_option() {
    return {.name = "rate-scale",
            .value = "X",
            .help =
                "times the traffic: rates of arrivals and traces are multiplied by X, and users of "
                "closed loops"};
}

std::optional<double> rate_scale_of(const Arguments& given) {
    const auto text = given.value("rate-scale");
    if (!text) return std::nullopt;
    return real_number("--rate-scale", *text, traces::TimeScale::kLeast, traces::TimeScale::kMost);
}

}  // namespace headroom::analysis
