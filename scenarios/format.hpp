/// The scenario format, described: every key of a scenario file with its type, default, range and
/// help. The loader checks with it (check.hpp), `headroom schema scenario` prints it (schema.hpp).
/// Parameters of policies and generators come from their registries, so registering one is enough.
///
/// What a field means stands in its help; which fields belong together or exclude one another is
/// checked where the parts are built (build_*.cpp). Built once, on first use; not before main().
#pragma once

#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::scenarios {

/// No time of a scenario lies past it: Time::horizon_limit().
inline constexpr double kHorizonSeconds = 8'640'000;

/// The description of a whole scenario: an object.
[[nodiscard]] const ParameterSpec& scenario_format();

/// Its parts.
[[nodiscard]] ParameterSpec service_format();
[[nodiscard]] ParameterSpec engine_format();
[[nodiscard]] ParameterSpec dynamic_batching_format();
[[nodiscard]] ParameterSpec pod_format();
[[nodiscard]] ParameterSpec source_format();
[[nodiscard]] ParameterSpec node_pool_format();
[[nodiscard]] ParameterSpec fault_format();
/// A scaling policy with its parameters and the phase of its ticks; may be left out.
[[nodiscard]] ParameterSpec autoscaler_format(const char* name, const char* help);

/// A choice of one registered policy: its parameters stand beside its name, under `tag`. The
/// default is left out where no such policy is registered.
///
/// (A program that links no policies still has a format; its default is then "not given".)
template <class Interface>
[[nodiscard]] ParameterSpec policy_format(const char* name, const char* tag,
                                          const std::string& default_policy, const char* help) {
    std::vector<ParameterSpec> alternatives;
    for (const auto& [policy, entry] : Registry<Interface>::instance().entries()) {
        alternatives.push_back(ParameterSpec::object(policy, entry.specs, entry.help));
    }
    const bool known = Registry<Interface>::instance().find(default_policy) != nullptr;
    ParameterSpec format = ParameterSpec::tagged(name, tag, std::move(alternatives),
                                                 known ? default_policy : std::string(), help);
    if (!known && !default_policy.empty()) return std::move(format).optional_without_default();
    return format;
}

}  // namespace headroom::scenarios
