// headroom policies: what is registered, and the parameters of each.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/policy_catalogue.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/diagnostic.hpp"
#include "scenarios/quantities.hpp"
#include "scenarios/schema.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

CommandSpec policies_spec() {
    return {
        .name = "policies",
        .usage = "[FAMILY|NAME] [OPTION]...",
        .summary = "Lists policies, arrival processes and trace formats, with their parameters.",
        .details = {},
        .options = {{.name = "output",
                     .letter = 'o',
                     .value = "table|json",
                     .help = "a table, or JSON with the schema of each one's parameters",
                     .choices = {"table", "json"}}},
        .least_positional = 0,
        .most_positional = 1,
        .positional_name = "a family or a name"};
}

const char* type_name(ParameterType type) {
    switch (type) {
        case ParameterType::boolean:
            return "true or false";
        case ParameterType::integer:
            return "whole number";
        case ParameterType::number:
            return "number";
        case ParameterType::text:
            return "text";
        case ParameterType::choice:
            return "choice";
        case ParameterType::count_or_percent:
            return "whole number or percentage";
        case ParameterType::duration:
            return "duration";
        case ParameterType::quantity:
            return "quantity";
        case ParameterType::object:
            return "object";
        case ParameterType::list:
            return "list";
        case ParameterType::map:
            return "map";
        case ParameterType::tagged:
            return "object";
    }
    return "";
}

std::string default_text(const ParameterSpec& spec) {
    const auto& data = spec.default_value.data;
    if (const auto* flag = std::get_if<bool>(&data)) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<std::int64_t>(&data)) {
        return std::to_string(*number) + (spec.unit == "m" ? "m" : "");
    }
    if (const auto* real = std::get_if<double>(&data)) return fmt::format("{}", *real);
    if (const auto* text = std::get_if<std::string>(&data)) return "\"" + *text + "\"";
    if (const auto* time = std::get_if<Duration>(&data)) return scenarios::format_duration(*time);
    return {};
}

/// "whole number >= 1, default 256".
std::string type_text(const ParameterSpec& spec) {
    std::string text = type_name(spec.type);
    if (spec.type == ParameterType::list && !spec.fields.empty()) {
        text += std::string(" of ") + type_name(spec.fields.front().type);
    }
    if (!spec.choices.empty()) text = fmt::format("{}", fmt::join(spec.choices, " | "));
    const bool timed = spec.type == ParameterType::duration;
    const auto bound = [timed](double value) {
        return timed ? duration_text(value) : fmt::format("{}", value);
    };
    if (spec.minimum && !(timed && *spec.minimum == 0)) {
        text += (spec.exclusive_minimum ? " > " : " >= ") + bound(*spec.minimum);
    }
    if (spec.maximum) text += " <= " + bound(*spec.maximum);
    const std::string value = default_text(spec);
    if (!value.empty()) return text + ", default " + value;
    const bool structured = spec.type == ParameterType::object ||
                            spec.type == ParameterType::list || spec.type == ParameterType::map;
    if (spec.optional) return text + ", optional";
    return structured && spec.default_value.given() ? text : text + ", required";
}

void append_specs(const ParameterSpecs& specs, std::size_t indent, std::string& out);

/// What a value of this kind is made of: fields, alternatives, or those of a list's elements.
void append_parts(const ParameterSpec& spec, std::size_t indent, std::string& out) {
    if (spec.type == ParameterType::list || spec.type == ParameterType::map) {
        if (!spec.fields.empty()) append_parts(spec.fields.front(), indent, out);
        return;
    }
    append_specs(spec.fields, indent, out);
    for (const ParameterSpec& alternative : spec.alternatives) {
        out += fmt::format("{}with {} \"{}\": {}\n", std::string(indent, ' '), spec.tag,
                           alternative.name, alternative.help);
        append_specs(alternative.fields, indent + 2, out);
    }
}

void append_specs(const ParameterSpecs& specs, std::size_t indent, std::string& out) {
    for (const ParameterSpec& spec : specs) {
        const std::string line =
            std::string(indent, ' ') + pad_right(spec.name, 24) + " " + type_text(spec);
        out += line + "\n";
        if (!spec.help.empty()) {
            out += wrap(std::string(indent + 4, ' ') + spec.help, 100, indent + 4) + "\n";
        }
        append_parts(spec, indent + 2, out);
    }
}

std::string family_text(const PolicyFamily& family, const TextStyle& style) {
    std::string out = ink(family.name, Ink::bold, style) + ": " + family.decides + "\n";
    for (const PolicyEntry& policy : family.policies) {
        out += wrap("  " + pad_right(policy.name, 28) + "  " + policy.help, style.width, 32) + "\n";
    }
    return out;
}

std::string policy_text(const PolicyFamily& family, const PolicyEntry& policy,
                        const TextStyle& style) {
    std::string out =
        ink(policy.name, Ink::bold, style) + " (" + family.name + "): " + policy.help + "\n";
    if (policy.specs.empty()) return out + "  no parameters\n";
    append_specs(policy.specs, 2, out);
    return out;
}

nlohmann::ordered_json to_json(const PolicyEntry& policy) {
    const ParameterSpec all = ParameterSpec::object(policy.name, policy.specs, policy.help);
    return {{"help", policy.help}, {"parameters", scenarios::schema_of(all)}};
}

[[noreturn]] void unknown_name(const std::string& found, const std::vector<PolicyFamily>& all) {
    std::vector<std::string> names;
    for (const PolicyFamily& family : all) names.push_back(family.name);
    for (const PolicyFamily& family : all) {
        for (const PolicyEntry& policy : family.policies) names.push_back(policy.name);
    }
    throw UsageError("expected a family or a policy, found \"" + found + "\"" +
                     scenarios::did_you_mean(nearest_name(found, names)));
}

int policies(const Arguments& given) {
    const std::vector<PolicyFamily> all = policy_catalogue();
    const std::string wanted = given.positional.empty() ? "" : given.positional.front();
    const bool family_named = std::any_of(
        all.begin(), all.end(), [&](const PolicyFamily& family) { return family.name == wanted; });
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    std::string table;
    const TextStyle style = out_style();
    for (const PolicyFamily& family : all) {
        if (family_named && family.name != wanted) continue;
        const bool whole_family = family_named || wanted.empty();
        if (whole_family) table += (table.empty() ? "" : "\n") + family_text(family, style);
        for (const PolicyEntry& policy : family.policies) {
            if (!whole_family && policy.name != wanted) continue;
            json[family.name][policy.name] = to_json(policy);
            if (!whole_family) table += policy_text(family, policy, style);
        }
    }
    if (table.empty()) unknown_name(wanted, all);
    print_out(given.value("output") == "json" ? json.dump(2) + "\n" : table);
    return kExitGood;
}

}  // namespace

Command policies_command() {
    return {policies_spec(), policies};
}

}  // namespace headroom::analysis
