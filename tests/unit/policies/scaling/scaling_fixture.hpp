/// What the tests of scaling policies share: registered policies with some parameters other than
/// their defaults, values of parameters, a plain view, and who is evicted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/scaling_policy.hpp"
#include "sim/core/registry.hpp"
#include "tests/catch.hpp"

namespace headroom::policies {

inline std::unique_ptr<control::ScalingPolicy> make_scaler(const std::string& name,
                                                           Parameters parameters) {
    return make_policy<control::ScalingPolicy>({name, std::move(parameters)}, {});
}

using Changes = std::vector<std::pair<std::string, ParameterValue>>;

/// With its defaults but for what all tests of a file set, and these but for one test's changes.
inline std::unique_ptr<control::ScalingPolicy> make_scaler(const std::string& name,
                                                           const Changes& settings,
                                                           const Changes& changes) {
    const auto* entry = Registry<control::ScalingPolicy>::instance().find(name);
    REQUIRE(entry != nullptr);
    Parameters parameters = Parameters::defaults(entry->specs);
    for (const auto& [key, value] : settings) parameters.set(key, value);
    for (const auto& [key, value] : changes) parameters.set(key, value);
    return make_scaler(name, std::move(parameters));
}

inline ParameterValue object(Parameters parameters) {
    return {std::make_shared<const Parameters>(std::move(parameters))};
}
inline ParameterValue list(ParameterValue::List values) {
    return {std::make_shared<const ParameterValue::List>(std::move(values))};
}
inline ParameterValue text(std::string value) {
    return {std::move(value)};
}

/// A workload that has the replicas it asks for, `s` seconds after the start.
inline control::ScalingView view_of_replicas(std::int64_t s, std::int64_t replicas) {
    control::ScalingView view;
    view.now = Time::zero() + Duration::seconds(s);
    view.spec_replicas = view.status_replicas = replicas;
    return view;
}

/// The positions of the pods that a decision evicts.
inline std::vector<std::size_t> evicted_by(const control::ScalingDecision& decision) {
    std::vector<std::size_t> pods;
    for (const control::Eviction& eviction : decision.evict) pods.push_back(eviction.pod);
    return pods;
}

}  // namespace headroom::policies
