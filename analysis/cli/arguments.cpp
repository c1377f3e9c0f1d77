#include "analysis/cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>

#include "analysis/report/text_block.hpp"
#include "scenarios/diagnostic.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace po = boost::program_options;

namespace {

constexpr const char* kPositional = "headroom-positional";

std::vector<OptionSpec> with_help(const CommandSpec& spec) {
    std::vector<OptionSpec> options = spec.options;
    options.push_back({.name = "help", .letter = 'h', .help = "this text"});
    return options;
}

po::options_description describe(const std::vector<OptionSpec>& options) {
    po::options_description description;
    for (const OptionSpec& option : options) {
        const std::string name =
            option.letter == 0 ? option.name : option.name + "," + std::string(1, option.letter);
        if (option.value.empty()) {
            description.add_options()(name.c_str(), "");
            continue;
        }
        description.add_options()(name.c_str(), po::value<std::vector<std::string>>(), "");
    }
    description.add_options()(kPositional, po::value<std::vector<std::string>>(), "");
    return description;
}

/// Writes out values that were left out: "--decisions" becomes "--decisions=changes", unless one of
/// the choices follows; only that belongs to the option, for anything else may be a file.
std::vector<std::string> fill_in_implied(std::vector<std::string> words,
                                         const std::vector<OptionSpec>& options) {
    for (const OptionSpec& option : options) {
        if (option.implied.empty()) continue;
        const auto& choices = option.choices;
        for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
            if (words[i] != "--" + option.name) continue;
            const bool follows = i + 1 < words.size() && std::find(choices.begin(), choices.end(),
                                                                   words[i + 1]) != choices.end();
            words[i] += "=" + (follows ? words[i + 1] : option.implied);
            if (follows) words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
    }
    return words;
}

[[noreturn]] void unknown_option(const std::string& found, const std::vector<OptionSpec>& options) {
    std::vector<std::string> names;
    for (const OptionSpec& option : options) names.push_back("--" + option.name);
    throw UsageError("there is no option " + found +
                     scenarios::did_you_mean(nearest_name(found, names)));
}

void take_option(const po::option& given, const std::vector<OptionSpec>& options, Arguments& out) {
    const auto spec = std::find_if(options.begin(), options.end(), [&](const OptionSpec& option) {
        return option.name == given.string_key;
    });
    std::vector<std::string>& values = out.options[spec->name];
    const std::string name = "--" + spec->name;
    if (!values.empty() && !spec->repeatable) throw UsageError(name + " is given twice");
    std::string value = given.value.empty() ? "" : given.value.front();
    if (!spec->choices.empty() &&
        std::find(spec->choices.begin(), spec->choices.end(), value) == spec->choices.end()) {
        throw UsageError(fmt::format("{}: expected {}, found \"{}\"{}", name,
                                     fmt::join(spec->choices, " or "), value,
                                     scenarios::did_you_mean(nearest_name(value, spec->choices))));
    }
    values.push_back(std::move(value));
}

}  // namespace

std::optional<std::string> Arguments::value(const std::string& name) const {
    const auto found = options.find(name);
    if (found == options.end()) return std::nullopt;
    return found->second.back();
}

std::vector<std::string> Arguments::values(const std::string& name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::vector<std::string>{} : found->second;
}

Arguments parse_arguments(const CommandSpec& spec, const std::vector<std::string>& words) {
    const std::vector<OptionSpec> options = with_help(spec);
    const po::options_description description = describe(options);
    po::positional_options_description positional;
    positional.add(kPositional, -1);
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    Arguments out;
    try {
        const auto parsed = po::command_line_parser(fill_in_implied(words, options))
                                .options(description)
                                .positional(positional)
                                .style(style)
                                .run();
        for (const po::option& given : parsed.options) {
            if (given.string_key == kPositional) {
                out.positional.insert(out.positional.end(), given.value.begin(), given.value.end());
            } else {
                take_option(given, options, out);
            }
        }
    } catch (const po::unknown_option& error) {
        unknown_option(error.get_option_name(), options);
    } catch (const po::error& error) {
        throw UsageError(error.what());
    }
    if (out.has("help")) return out;
    if (out.positional.size() < spec.least_positional) {
        throw UsageError("expected " + spec.positional_name);
    }
    if (out.positional.size() > spec.most_positional) {
        throw UsageError("expected no further argument, found \"" +
                         out.positional[spec.most_positional] + "\"");
    }
    return out;
}

std::string help_text(const CommandSpec& spec) {
    std::string out = "usage: headroom " + spec.name;
    if (!spec.usage.empty()) out += " " + spec.usage;
    out += "\n\n" + spec.summary + "\n";
    if (!spec.details.empty()) out += "\n" + spec.details;
    out += "\noptions:\n";
    std::vector<std::pair<std::string, std::string>> rows;
    std::size_t width = 0;
    for (const OptionSpec& option : with_help(spec)) {
        std::string left = option.letter == 0 ? "    " : fmt::format("-{}, ", option.letter);
        left += "--" + option.name;
        if (!option.value.empty()) {
            left += option.implied.empty() ? " " + option.value : "[=" + option.value + "]";
        }
        width = std::max(width, left.size());
        rows.emplace_back(std::move(left), option.help);
    }
    for (const auto& [left, help] : rows) {
        out += wrap("  " + pad_right(left, width) + "  " + help, 100, width + 4) + "\n";
    }
    return out;
}

std::uint64_t whole_number(const std::string& option, const std::string& text, std::uint64_t least,
                           std::uint64_t most) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const bool good = parsed.ec == std::errc{} && parsed.ptr == end;
    if (good && number >= least && number <= most) return number;
    throw UsageError(fmt::format("{}: expected a whole number from {} to {}, found \"{}\"", option,
                                 least, most, text));
}

double real_number(const std::string& option, const std::string& text, double least, double most,
                   bool percent) {
    const bool hundredths = percent && !text.empty() && text.back() == '%';
    const char* end = text.data() + text.size() - (hundredths ? 1 : 0);
    double number = 0;
    const auto parsed = std::from_chars(text.data(), end, number);
    if (hundredths) number /= 100;
    const bool good = parsed.ec == std::errc{} && parsed.ptr == end && !text.empty();
    if (good && number >= least && number <= most) return number;
    const auto say = [percent](double x) {
        return percent ? fmt::format("{:g}%", x * 100) : fmt::format("{:g}", x);
    };
    throw UsageError(fmt::format("{}: expected a number from {} to {}, found \"{}\"", option,
                                 say(least), say(most), text));
}

}  // namespace headroom::analysis
