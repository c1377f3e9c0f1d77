#include "sim/core/parameter.hpp"

#include "sim/core/check.hpp"

namespace headroom::inline core {

namespace {

ParameterSpec make(std::string name, ParameterType type, ParameterValue value, std::string help) {
    ParameterSpec spec;
    spec.name = std::move(name);
    spec.type = type;
    spec.default_value = std::move(value);
    spec.help = std::move(help);
    return spec;
}

template <class T>
const T& get(const Parameters& parameters, std::string_view name) {
    const ParameterValue* value = parameters.find(name);
    HEADROOM_CHECK(value != nullptr, std::string(name).c_str());
    const T* typed = std::get_if<T>(&value->data);
    HEADROOM_CHECK(typed != nullptr, std::string(name).c_str());
    return *typed;
}

}  // namespace

ParameterSpec ParameterSpec::boolean(std::string name, bool value, std::string help) {
    return make(std::move(name), ParameterType::boolean, {value}, std::move(help));
}
ParameterSpec ParameterSpec::integer(std::string name, std::int64_t value, std::string help) {
    return make(std::move(name), ParameterType::integer, {value}, std::move(help));
}
ParameterSpec ParameterSpec::number(std::string name, double value, std::string help) {
    return make(std::move(name), ParameterType::number, {value}, std::move(help));
}
ParameterSpec ParameterSpec::text(std::string name, std::string value, std::string help) {
    return make(std::move(name), ParameterType::text, {std::move(value)}, std::move(help));
}
ParameterSpec ParameterSpec::choice(std::string name, std::vector<std::string> choices,
                                    std::string value, std::string help) {
    ParameterSpec spec =
        make(std::move(name), ParameterType::choice, {std::move(value)}, std::move(help));
    spec.choices = std::move(choices);
    return spec;
}
ParameterSpec ParameterSpec::count_or_percent(std::string name, std::string value,
                                              std::string help) {
    return make(std::move(name), ParameterType::count_or_percent, {std::move(value)},
                std::move(help));
}
ParameterSpec ParameterSpec::duration(std::string name, Duration value, std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::duration, {value}, std::move(help));
    spec.minimum = 0;
    return spec;
}
ParameterSpec ParameterSpec::object(std::string name, std::vector<ParameterSpec> fields,
                                    std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::object, {}, std::move(help));
    spec.default_value = {std::make_shared<const Parameters>(Parameters::defaults(fields))};
    spec.fields = std::move(fields);
    return spec;
}
ParameterSpec ParameterSpec::list(std::string name, ParameterSpec element, std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::list,
                              {std::make_shared<const ParameterValue::List>()}, std::move(help));
    spec.fields.push_back(std::move(element));
    return spec;
}
ParameterSpec ParameterSpec::map(std::string name, ParameterSpec element, std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::map,
                              {std::make_shared<const Parameters>()}, std::move(help));
    spec.fields.push_back(std::move(element));
    return spec;
}
ParameterSpec ParameterSpec::quantity(std::string name, std::int64_t value, std::string unit_name,
                                      std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::quantity, {value}, std::move(help));
    spec.unit = std::move(unit_name);
    spec.minimum = 0;
    return spec;
}
ParameterSpec ParameterSpec::tagged(std::string name, std::string tag,
                                    std::vector<ParameterSpec> alternatives,
                                    const std::string& default_alternative, std::string help) {
    ParameterSpec spec = make(std::move(name), ParameterType::tagged, {}, std::move(help));
    spec.tag = std::move(tag);
    spec.alternatives = std::move(alternatives);
    if (!default_alternative.empty()) {
        const ParameterSpec* chosen = spec.alternative(default_alternative);
        HEADROOM_CHECK(chosen != nullptr, default_alternative.c_str());
        Parameters values = Parameters::defaults(chosen->fields);
        values.set(spec.tag, {default_alternative});
        spec.default_value = {std::make_shared<const Parameters>(std::move(values))};
    }
    return spec;
}
const ParameterSpec* ParameterSpec::alternative(std::string_view name_of_it) const {
    for (const ParameterSpec& candidate : alternatives) {
        if (candidate.name == name_of_it) return &candidate;
    }
    return nullptr;
}
ParameterSpec ParameterSpec::required() && {
    default_value = {};
    return std::move(*this);
}
ParameterSpec ParameterSpec::optional_without_default() && {
    default_value = {};
    optional = true;
    return std::move(*this);
}
ParameterSpec ParameterSpec::at_least(double low) && {
    minimum = low;
    return std::move(*this);
}
ParameterSpec ParameterSpec::above(double low) && {
    minimum = low;
    exclusive_minimum = true;
    return std::move(*this);
}
ParameterSpec ParameterSpec::at_most(double high) && {
    maximum = high;
    return std::move(*this);
}
ParameterSpec ParameterSpec::in(std::string unit_name) && {
    unit = std::move(unit_name);
    return std::move(*this);
}

Parameters Parameters::defaults(const ParameterSpecs& specs) {
    Parameters parameters;
    for (const ParameterSpec& spec : specs) parameters.set(spec.name, spec.default_value);
    return parameters;
}

void Parameters::set(std::string_view name, ParameterValue value) {
    for (auto& [known, old] : values_) {
        if (known == name) {
            old = std::move(value);
            return;
        }
    }
    values_.emplace_back(std::string(name), std::move(value));
}

const ParameterValue* Parameters::find(std::string_view name) const {
    for (const auto& [known, value] : values_) {
        if (known == name) return &value;
    }
    return nullptr;
}

bool Parameters::given(std::string_view name) const {
    const ParameterValue* value = find(name);
    return value != nullptr && value->given();
}
bool Parameters::boolean(std::string_view name) const {
    return get<bool>(*this, name);
}
std::int64_t Parameters::integer(std::string_view name) const {
    return get<std::int64_t>(*this, name);
}
double Parameters::number(std::string_view name) const {
    const ParameterValue* value = find(name);
    if (value != nullptr) {
        if (const auto* whole = std::get_if<std::int64_t>(&value->data)) {
            return static_cast<double>(*whole);
        }
    }
    return get<double>(*this, name);
}
const std::string& Parameters::text(std::string_view name) const {
    return get<std::string>(*this, name);
}
Duration Parameters::duration(std::string_view name) const {
    return get<Duration>(*this, name);
}
const Parameters& Parameters::object(std::string_view name) const {
    return *get<std::shared_ptr<const Parameters>>(*this, name);
}
const ParameterValue::List& Parameters::list(std::string_view name) const {
    return *get<std::shared_ptr<const ParameterValue::List>>(*this, name);
}

}  // namespace headroom::inline core
