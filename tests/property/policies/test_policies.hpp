/// Tests register policies of their own, which every enumeration of the registry meets as well:
/// their names begin with "test-". Also fills in the parameters that a registered policy requires,
/// so that a test can make any of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::tests {

inline bool for_tests(std::string_view name) {
    return name.starts_with("test-");
}

void complete(Parameters& parameters, const ParameterSpecs& specs);

/// `value` where it is in the range of `spec`, else a number that is.
inline double in_range(const ParameterSpec& spec, double value) {
    const bool low = spec.minimum && value <= *spec.minimum;
    const bool high = spec.maximum && value > *spec.maximum;
    if (!low && !high) return value;
    if (!spec.maximum) return *spec.minimum + 1;
    return spec.minimum ? (*spec.minimum + *spec.maximum) / 2 : *spec.maximum;
}

/// Some value that a loader takes for `spec`.
inline ParameterValue some_value(const ParameterSpec& spec) {
    const auto whole = [&](double value) {
        return ParameterValue{static_cast<std::int64_t>(std::ceil(in_range(spec, value)))};
    };
    Parameters parts;
    switch (spec.type) {
        case ParameterType::boolean:
            return {true};
        case ParameterType::integer:
        case ParameterType::count_or_percent:
            return whole(10);
        case ParameterType::quantity:
            return whole(1000);
        case ParameterType::number:
            return {in_range(spec, 1)};
        case ParameterType::duration:
            return {Duration::from_seconds(in_range(spec, 60))};
        case ParameterType::text:
            return {std::string("requests_in_flight")};  // a text is mostly the name of a metric
        case ParameterType::choice:
            return {spec.choices.front()};
        case ParameterType::list:
            return {
                std::make_shared<const ParameterValue::List>(1, some_value(spec.fields.front()))};
        case ParameterType::map:
            parts.set("main", some_value(spec.fields.front()));
            break;
        case ParameterType::object:
            complete(parts, spec.fields);
            break;
        case ParameterType::tagged:
            complete(parts, spec.fields);
            complete(parts, spec.alternatives.front().fields);
            parts.set(spec.tag, {spec.alternatives.front().name});
            break;
    }
    return {std::make_shared<const Parameters>(std::move(parts))};
}

/// Adds what `parameters` lacks: the default of `specs`, or some value of what they require.
inline void complete(Parameters& parameters, const ParameterSpecs& specs) {
    for (const ParameterSpec& spec : specs) {
        if (parameters.given(spec.name)) continue;
        const bool required = !spec.optional && !spec.default_value.given();
        parameters.set(spec.name, required ? some_value(spec) : spec.default_value);
    }
}

/// A policy's choice with its defaults, and some value where it requires one.
template <class Interface>
PolicyChoice choose_complete(const std::string& name) {
    PolicyChoice choice{name, {}};
    complete(choice.parameters, Registry<Interface>::instance().find(name)->specs);
    return choice;
}

}  // namespace headroom::tests
