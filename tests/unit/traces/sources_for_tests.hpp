/// Short ways to make sources and arrival processes in tests.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "traces/generators/generated_source.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::traces {

using Settings = std::vector<std::pair<std::string, ParameterValue>>;

inline Parameters with(const ParameterSpecs& specs, const Settings& settings) {
    Parameters parameters = Parameters::defaults(specs);
    for (const auto& [name, value] : settings) {
        REQUIRE(parameters.find(name) != nullptr);
        parameters.set(name, value);
    }
    return parameters;
}

inline ParameterValue nested(Parameters parameters) {
    return {std::make_shared<const Parameters>(std::move(parameters))};
}

inline PolicyChoice arrivals(const std::string& name, const Settings& settings) {
    const auto* entry = Registry<ArrivalProcess>::instance().find(name);
    REQUIRE(entry != nullptr);
    return {name, with(entry->specs, settings)};
}

/// The list of {at, rate} of the process "steps".
inline ParameterValue rate_list(const std::vector<std::pair<int, double>>& steps) {
    ParameterValue::List list;
    for (const auto& [at_s, rate] : steps) {
        Parameters step;
        step.set("at", {Duration::seconds(at_s)});
        step.set("rate", {rate});
        list.push_back(nested(step));
    }
    return {std::make_shared<const ParameterValue::List>(std::move(list))};
}

/// With the stream of a source of that name.
inline std::unique_ptr<ArrivalProcess> process(const std::string& name, const Settings& settings,
                                               std::uint64_t seed = 1,
                                               const std::string& source = "test") {
    return make_policy<ArrivalProcess>(arrivals(name, settings),
                                       {source_stream(seed, source, "arrival")});
}

/// Requests of an arrival process, with the lengths of conversations.
inline GeneratedConfig open_loop_config(const std::string& source, std::uint64_t seed,
                                        const std::string& process_name, const Settings& settings) {
    const LengthPreset* lengths = length_preset("azure-2023-conversation");
    REQUIRE(lengths != nullptr);
    GeneratedConfig config;
    config.name = source;
    config.seed = seed;
    config.arrivals = process(process_name, settings, seed, source);
    config.prompt = lengths->prompt;
    config.output = lengths->output;
    return config;
}

/// A value of the scalar kinds.
inline Settings rate(double requests_per_second) {
    return {{"rate", {requests_per_second}}};
}

}  // namespace headroom::traces
