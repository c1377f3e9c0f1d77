#include "policies/routing/endpoint_weights.hpp"

#include <algorithm>

#include "sim/core/math.hpp"

namespace headroom::policies {

ParameterSpec EndpointWeights::parameter_spec() {
    return ParameterSpec::list(
        "weights",
        ParameterSpec::integer("weight", 1, "").required().at_least(1).at_most(1'000'000),
        "weight of instance i modulo the length of the list; empty: 1 each");
}

EndpointWeights::EndpointWeights(const Parameters& parameters) {
    for (const ParameterValue& weight : parameters.list("weights")) {
        weights_.push_back(std::get<std::int64_t>(weight.data));
    }
}

double effective_weight(std::int64_t weight, std::int64_t active, double bias) {
    return static_cast<double>(weight) / det_pow(static_cast<double>(active + 1), bias);
}

EdfSchedule::Ticks period_of(EdfSchedule::Ticks round, std::int64_t weight, std::int64_t active,
                             double bias) {
    constexpr EdfSchedule::Ticks kLeast = 1;
    if (bias == 0.0) return std::max(kLeast, round / weight);
    if (bias == 1.0) return std::max(kLeast, round * (active + 1) / weight);
    constexpr double kMost = 0x1.0p90;  // beyond any run, and 2^36 of them still fit into Ticks
    const double ticks = static_cast<double>(round) / effective_weight(weight, active, bias);
    return std::max(kLeast, static_cast<EdfSchedule::Ticks>(std::min(ticks, kMost)));
}

}  // namespace headroom::policies
