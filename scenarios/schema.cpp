#include "scenarios/schema.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "scenarios/check.hpp"
#include "scenarios/format.hpp"
#include "scenarios/quantities.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

void add_range(const ParameterSpec& spec, json& schema) {
    const auto number = [](double value) -> json {
        const auto whole = static_cast<std::int64_t>(value);
        if (static_cast<double>(whole) == value) return whole;
        return value;
    };
    if (spec.minimum) {
        schema[spec.exclusive_minimum ? "exclusiveMinimum" : "minimum"] = number(*spec.minimum);
    }
    if (spec.maximum) schema["maximum"] = number(*spec.maximum);
}

void add_default(const ParameterSpec& spec, json& schema) {
    const auto& data = spec.default_value.data;
    if (const auto* boolean = std::get_if<bool>(&data)) schema["default"] = *boolean;
    if (const auto* number = std::get_if<double>(&data)) schema["default"] = *number;
    if (const auto* text = std::get_if<std::string>(&data)) schema["default"] = *text;
    if (const auto* duration = std::get_if<Duration>(&data)) {
        schema["default"] = format_duration(*duration);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&data)) {
        if (spec.type == ParameterType::quantity && spec.unit == "m") {
            schema["default"] = std::to_string(*whole) + "m";
        } else {
            schema["default"] = *whole;
        }
    }
}

void add_fields(const std::vector<ParameterSpec>& fields, json& properties, json& required) {
    for (const ParameterSpec& field : fields) {
        properties[field.name] = schema_of(field);
        if (has_required(field)) required.push_back(field.name);
    }
}

json object_schema(json properties, json required) {
    json schema = {{"type", "object"}, {"additionalProperties", false}};
    schema["properties"] = std::move(properties);
    if (!required.empty()) schema["required"] = std::move(required);
    return schema;
}

/// One branch per alternative; only the default one may leave the tag out.
json tagged_schema(const ParameterSpec& spec) {
    std::string default_name;
    if (spec.default_value.given()) {
        default_name =
            std::get<std::shared_ptr<const Parameters>>(spec.default_value.data)->text(spec.tag);
    }
    json branches = json::array();
    for (const ParameterSpec& alternative : spec.alternatives) {
        json properties = json::object();
        json required = json::array();
        properties[spec.tag] = {{"type", "string"}, {"enum", {alternative.name}}};
        if (alternative.name == default_name) {
            properties[spec.tag]["default"] = default_name;
        } else {
            required.push_back(spec.tag);
        }
        add_fields(spec.fields, properties, required);
        add_fields(alternative.fields, properties, required);
        json branch = object_schema(std::move(properties), std::move(required));
        branch["title"] = alternative.name;
        if (!alternative.help.empty()) branch["description"] = alternative.help;
        branches.push_back(std::move(branch));
    }
    json schema = {{"type", "object"}};
    schema["anyOf"] = std::move(branches);
    return schema;
}

json form_of(const ParameterSpec& spec) {
    json schema;
    switch (spec.type) {
        case ParameterType::boolean:
            schema["type"] = "boolean";
            break;
        case ParameterType::integer:
            schema["type"] = "integer";
            add_range(spec, schema);
            break;
        case ParameterType::number:
            schema["type"] = "number";
            add_range(spec, schema);
            break;
        case ParameterType::text:
            schema["type"] = "string";
            break;
        case ParameterType::choice:
            schema["type"] = "string";
            schema["enum"] = spec.choices;
            break;
        case ParameterType::count_or_percent:
            schema["type"] = {"integer", "string"};
            schema["minimum"] = 0;
            schema["maximum"] = ParameterSpec::kMostCount;
            schema["pattern"] = kCountOrPercentPattern;
            break;
        case ParameterType::duration:
            schema["type"] = "string";
            schema["pattern"] = kDurationPattern;
            break;
        case ParameterType::quantity:
            schema["type"] = {"string", "number"};
            schema["pattern"] = kQuantityPattern;
            schema["minimum"] = 0;
            break;
        case ParameterType::object: {
            json properties = json::object();
            json required = json::array();
            add_fields(spec.fields, properties, required);
            return object_schema(std::move(properties), std::move(required));
        }
        case ParameterType::tagged:
            return tagged_schema(spec);
        case ParameterType::list:
            schema["type"] = "array";
            schema["items"] = schema_of(spec.fields.front());
            break;
        case ParameterType::map:
            schema["type"] = "object";
            schema["additionalProperties"] = schema_of(spec.fields.front());
            if (spec.unit == kNameKeys) schema["propertyNames"] = {{"pattern", kNamePattern}};
            break;
    }
    return schema;
}

}  // namespace

json schema_of(const ParameterSpec& spec) {
    json schema = form_of(spec);
    std::string description = spec.help;
    const bool unit_of_value = spec.type == ParameterType::integer ||
                               spec.type == ParameterType::number ||
                               (spec.type == ParameterType::quantity && spec.unit != "m");
    if (unit_of_value && !spec.unit.empty()) description += " [" + spec.unit + "]";
    if (!description.empty()) schema["description"] = description;
    add_default(spec, schema);
    return schema;
}

json scenario_schema() {
    json schema = schema_of(scenario_format());
    schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    schema["title"] = "Headroom scenario";
    return schema;
}

}  // namespace headroom::scenarios
