#include "scenarios/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "scenarios/quantities.hpp"
#include "sim/control/deployment.hpp"
#include "sim/core/ascii.hpp"
#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

std::string found(const json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= 60 ? text : shortened(text, 57);
}

std::string list_of(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "\"" : ", \"") + name + "\"";
    return out;
}

std::string bound(const ParameterSpec& spec, double value) {
    if (spec.type == ParameterType::duration) {
        constexpr double kDay = 86400;
        const std::string text = "\"" + format_duration(Duration::from_seconds(value)) + "\"";
        // Nobody has the number of hours of a hundred days at hand.
        const bool days = value > kDay && std::fmod(value, kDay) == 0;
        return days ? fmt::format("{} ({:g} days)", text, value / kDay) : text;
    }
    if (spec.type == ParameterType::integer) return fmt::format("{:.0f}", value);
    return fmt::format("{}{}", value, spec.type == ParameterType::quantity ? spec.unit : "");
}

/// " >= 1", " from 1 to 64", " = 1", " > 0 and <= 1"; nothing where there is no bound worth a word.
std::string range_of(const ParameterSpec& spec) {
    const bool plain = spec.type == ParameterType::duration || spec.type == ParameterType::quantity;
    const bool low = spec.minimum && (!plain || *spec.minimum > 0 || spec.exclusive_minimum);
    if (low && spec.maximum == spec.minimum) return " = " + bound(spec, *spec.minimum);
    if (low && spec.maximum && !spec.exclusive_minimum) {
        return " from " + bound(spec, *spec.minimum) + " to " + bound(spec, *spec.maximum);
    }
    std::string out;
    if (low) out = (spec.exclusive_minimum ? " > " : " >= ") + bound(spec, *spec.minimum);
    if (spec.maximum) out += (low ? " and <= " : " <= ") + bound(spec, *spec.maximum);
    return out;
}

bool in_range(const ParameterSpec& spec, double value) {
    if (spec.minimum && (spec.exclusive_minimum ? value <= *spec.minimum : value < *spec.minimum)) {
        return false;
    }
    return !spec.maximum || value <= *spec.maximum;
}

bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '_';
    });
}

class Checker {
  public:
    Checker(const LocatedJson& document, Diagnostics& diagnostics)
        : document_(document), diagnostics_(diagnostics) {}

    /// The checked value, or nullopt with a diagnostic.
    std::optional<ParameterValue> check(const json& value, const ParameterSpec& spec,
                                        const std::string& pointer) {
        switch (spec.type) {
            case ParameterType::boolean:
                if (value.is_boolean()) return ParameterValue{value.get<bool>()};
                break;
            case ParameterType::integer:
                if (value.is_number_integer()) {
                    const auto whole = value.get<std::int64_t>();
                    if (in_range(spec, static_cast<double>(whole))) return ParameterValue{whole};
                }
                break;
            case ParameterType::number:
                if (value.is_number() && in_range(spec, value.get<double>())) {
                    return ParameterValue{value.get<double>()};
                }
                break;
            case ParameterType::text:
                if (value.is_string()) return ParameterValue{value.get<std::string>()};
                break;
            case ParameterType::choice:
                return check_choice(value, spec, pointer);
            case ParameterType::count_or_percent:
                return check_count_or_percent(value, spec, pointer);
            case ParameterType::duration:
                return check_duration(value, spec, pointer);
            case ParameterType::quantity:
                return check_quantity(value, spec, pointer);
            case ParameterType::object:
            case ParameterType::map:
            case ParameterType::tagged:
                if (value.is_object()) return check_members(value, spec, pointer);
                break;
            case ParameterType::list:
                if (value.is_array()) return check_list(value, spec, pointer);
                break;
        }
        return wrong(value, spec, pointer);
    }

  private:
    void complain(const std::string& pointer, std::string message) {
        diagnostics_.push_back({document_.where(pointer), pointer, std::move(message)});
    }
    std::nullopt_t wrong(const json& value, const ParameterSpec& spec, const std::string& pointer) {
        complain(pointer, "expected " + expectation_of(spec) + ", found " + found(value));
        return std::nullopt;
    }

    std::optional<ParameterValue> check_choice(const json& value, const ParameterSpec& spec,
                                               const std::string& pointer) {
        if (!value.is_string()) return wrong(value, spec, pointer);
        auto text = value.get<std::string>();
        if (std::find(spec.choices.begin(), spec.choices.end(), text) != spec.choices.end()) {
            return ParameterValue{std::move(text)};
        }
        complain(pointer, "expected " + expectation_of(spec) + ", found " + found(value) +
                              did_you_mean(nearest_name(text, spec.choices)));
        return std::nullopt;
    }

    /// A count may also be written as a string of digits.
    std::optional<ParameterValue> check_count_or_percent(const json& value,
                                                         const ParameterSpec& spec,
                                                         const std::string& pointer) {
        if (!value.is_string() && !value.is_number_integer()) return wrong(value, spec, pointer);
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        const auto percent = control::parse_percent(text);
        if (percent && percent->value >= 0 && in_range(spec, static_cast<double>(percent->value))) {
            return ParameterValue{text};
        }
        const bool digits =
            !text.empty() && text.size() <= 7 && std::all_of(text.begin(), text.end(), is_digit);
        if (digits && std::stoll(text) <= ParameterSpec::kMostCount) {
            return ParameterValue{static_cast<std::int64_t>(std::stoll(text))};
        }
        return wrong(value, spec, pointer);
    }

    std::optional<ParameterValue> check_duration(const json& value, const ParameterSpec& spec,
                                                 const std::string& pointer) {
        if (value.is_number()) {
            complain(pointer, "expected a duration with its unit, found " + found(value) +
                                  did_you_mean(found(value) + "s"));
            return std::nullopt;
        }
        if (!value.is_string()) return wrong(value, spec, pointer);
        const Parsed<Duration> parsed = parse_duration(value.get_ref<const std::string&>());
        // The field's own limit is nearer.
        if (parsed.too_large && spec.maximum) return wrong(value, spec, pointer);
        if (!parsed) {
            complain(pointer, parsed.expected + ", found " + found(value));
            return std::nullopt;
        }
        if (!in_range(spec, parsed.value->to_seconds())) return wrong(value, spec, pointer);
        return ParameterValue{*parsed.value};
    }

    std::optional<ParameterValue> check_quantity(const json& value, const ParameterSpec& spec,
                                                 const std::string& pointer) {
        if (!value.is_string() && !value.is_number()) return wrong(value, spec, pointer);
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        const Parsed<std::int64_t> parsed =
            spec.unit == "m" ? parse_quantity_milli(text) : parse_quantity_units(text);
        if (!parsed) {
            complain(pointer, parsed.expected + ", found " + found(value));
            return std::nullopt;
        }
        if (!in_range(spec, static_cast<double>(*parsed.value))) return wrong(value, spec, pointer);
        return ParameterValue{*parsed.value};
    }

    std::optional<ParameterValue> check_list(const json& value, const ParameterSpec& spec,
                                             const std::string& pointer) {
        ParameterValue::List out;
        std::size_t index = 0;
        for (const json& element : value) {
            auto checked =
                check(element, spec.fields.front(), pointer + "/" + std::to_string(index++));
            if (checked) out.push_back(std::move(*checked));
        }
        return ParameterValue{std::make_shared<const ParameterValue::List>(std::move(out))};
    }

    ParameterValue check_members(const json& value, const ParameterSpec& spec,
                                 const std::string& pointer) {
        Parameters out;
        if (spec.type == ParameterType::map) {
            check_map(value, spec, pointer, out);
        } else {
            std::vector<const ParameterSpec*> fields;
            for (const ParameterSpec& field : spec.fields) fields.push_back(&field);
            bool all_known = true;
            if (spec.type == ParameterType::tagged) {
                all_known = choose_alternative(value, spec, pointer, fields, out);
            }
            check_fields(value, spec, fields, pointer, all_known, out);
        }
        return {std::make_shared<const Parameters>(std::move(out))};
    }

    void check_map(const json& value, const ParameterSpec& spec, const std::string& pointer,
                   Parameters& out) {
        for (const auto& [key, member] : value.items()) {
            const std::string below = join_pointer(pointer, key);
            if (spec.unit == kNameKeys && !is_name(key)) {
                complain(below,
                         "expected a name of letters, digits, '-' and '_', found \"" + key + "\"");
            }
            auto checked = check(member, spec.fields.front(), below);
            if (checked) out.set(key, std::move(*checked));
        }
    }

    /// Reads the tag and adds the alternative's fields. False when it is not known: then nothing
    /// can be said about the other keys.
    bool choose_alternative(const json& value, const ParameterSpec& spec,
                            const std::string& pointer, std::vector<const ParameterSpec*>& fields,
                            Parameters& out) {
        std::string chosen;
        const auto written = value.find(spec.tag);
        if (written == value.end()) {
            if (!spec.default_value.given()) {
                complain(pointer, "expected the key \"" + spec.tag +
                                      "\": " + expectation_of(tag_choice(spec)));
                return false;
            }
            chosen = std::get<std::shared_ptr<const Parameters>>(spec.default_value.data)
                         ->text(spec.tag);
        } else {
            const auto checked = check(*written, tag_choice(spec), join_pointer(pointer, spec.tag));
            if (!checked) return false;
            chosen = std::get<std::string>(checked->data);
        }
        for (const ParameterSpec& field : spec.alternative(chosen)->fields)
            fields.push_back(&field);
        out.set(spec.tag, {chosen});
        return true;
    }
    static ParameterSpec tag_choice(const ParameterSpec& spec) {
        std::vector<std::string> names;
        for (const ParameterSpec& alternative : spec.alternatives)
            names.push_back(alternative.name);
        return ParameterSpec::choice(spec.tag, std::move(names), "", "");
    }

    void check_fields(const json& value, const ParameterSpec& spec,
                      const std::vector<const ParameterSpec*>& fields, const std::string& pointer,
                      bool all_known, Parameters& out) {
        for (const ParameterSpec* field : fields) {
            const auto member = value.find(field->name);
            std::optional<ParameterValue> checked;
            if (member != value.end()) {
                checked = check(*member, *field, join_pointer(pointer, field->name));
            } else if (!field->optional && has_required(*field)) {
                complain(pointer,
                         "expected the key \"" + field->name + "\": " + expectation_of(*field));
            }
            out.set(field->name, checked ? std::move(*checked) : default_of(*field));
        }
        if (!all_known) return;
        for (const auto& [key, member] : value.items()) {
            const bool known = key == spec.tag || std::any_of(fields.begin(), fields.end(),
                                                              [&name = key](const auto* field) {
                                                                  return field->name == name;
                                                              });
            if (!known) unknown_key(key, spec, fields, pointer);
        }
    }

    void unknown_key(const std::string& key, const ParameterSpec& spec,
                     const std::vector<const ParameterSpec*>& fields, const std::string& pointer) {
        std::vector<std::string> names;
        if (!spec.tag.empty()) names.push_back(spec.tag);
        for (const ParameterSpec* field : fields) names.push_back(field->name);
        const std::string near = nearest_name(key, names);
        std::string message = near.empty() ? "expected one of the keys " + list_of(names)
                                           : std::string("expected a key of the format");
        if (names.empty()) message = "expected no further key";
        complain(join_pointer(pointer, key),
                 message + ", found \"" + key + "\"" + did_you_mean(near));
    }

    /// Objects are filled from the inside, because their common fields may have come later than
    /// their stated default.
    static ParameterValue default_of(const ParameterSpec& spec) {
        if (!spec.default_value.given() || spec.type == ParameterType::map)
            return spec.default_value;
        if (spec.type != ParameterType::object && spec.type != ParameterType::tagged) {
            return spec.default_value;
        }
        Parameters out;
        if (spec.type == ParameterType::tagged) {
            const std::string chosen =
                std::get<std::shared_ptr<const Parameters>>(spec.default_value.data)
                    ->text(spec.tag);
            out.set(spec.tag, {chosen});
            for (const ParameterSpec& field : spec.alternative(chosen)->fields) {
                out.set(field.name, default_of(field));
            }
        }
        for (const ParameterSpec& field : spec.fields) out.set(field.name, default_of(field));
        return {std::make_shared<const Parameters>(std::move(out))};
    }

    const LocatedJson& document_;
    Diagnostics& diagnostics_;
};

}  // namespace

std::string expectation_of(const ParameterSpec& spec) {
    switch (spec.type) {
        case ParameterType::boolean:
            return "true or false";
        case ParameterType::integer:
            return "a whole number" + range_of(spec);
        case ParameterType::number:
            return "a number" + range_of(spec);
        case ParameterType::text:
            return "a string";
        case ParameterType::choice:
            return (spec.choices.size() == 1 ? "" : "one of ") + list_of(spec.choices);
        case ParameterType::count_or_percent:
            return fmt::format("a whole number >= 0, or a percentage{}",
                               spec.maximum ? fmt::format(" from \"0%\" to \"{}%\"", *spec.maximum)
                                            : std::string(" such as \"25%\""));
        case ParameterType::duration:
            return "a duration" + range_of(spec) + " such as \"30s\"";
        case ParameterType::quantity:
            return "a quantity" + range_of(spec) +
                   (spec.unit == "m" ? " such as \"500m\"" : " such as \"80Gi\"");
        case ParameterType::object:
        case ParameterType::tagged:
            return "an object";
        case ParameterType::map:
            return "an object keyed by name";
        case ParameterType::list:
            return "an array";
    }
    return "a value";
}

bool has_required(const ParameterSpec& spec) {
    if (spec.optional) return false;
    if (!spec.default_value.given()) return true;
    const auto any_required = [](const std::vector<ParameterSpec>& fields) {
        return std::any_of(fields.begin(), fields.end(), has_required);
    };
    if (spec.type == ParameterType::object) return any_required(spec.fields);
    if (spec.type != ParameterType::tagged) return false;
    const std::string chosen =
        std::get<std::shared_ptr<const Parameters>>(spec.default_value.data)->text(spec.tag);
    return any_required(spec.fields) || any_required(spec.alternative(chosen)->fields);
}

Parameters check_document(const LocatedJson& document, const ParameterSpec& format,
                          Diagnostics& diagnostics) {
    const auto checked = Checker(document, diagnostics).check(document.value(), format, "");
    if (!checked) return Parameters::defaults(format.fields);
    return *std::get<std::shared_ptr<const Parameters>>(checked->data);
}

}  // namespace headroom::scenarios
