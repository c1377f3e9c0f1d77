/// Arguments of a command: what it understands (CommandSpec), and what was given (Arguments).
///
///     const Arguments given = parse_arguments(spec, words);      // throws UsageError
///     if (given.has("help")) std::cout << help_text(spec);
///     given.value("seed")                                        // optional<string>
///
/// Options are written "--seed 7" or "--seed=7", anywhere among the positional arguments; "--" ends
/// them. Every command understands --help and -h. Abbreviations are not accepted: a script that
/// uses one would break when a new option makes it ambiguous. O(words * options).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace headroom::analysis {

/// Bad usage: exit 2. Says what was expected and the nearest valid name.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct OptionSpec {
    std::string name{};
    char letter = 0;
    std::string value{};  ///< what stands for it in the help; empty: a flag
    std::string help{};
    bool repeatable = false;
    std::vector<std::string> choices{};  ///< if any: the only values
    /// The value when it is left out. Of choices one may follow as a word of its own; without any,
    /// a value is written behind "=", to tell it from a file.
    std::string implied{};
};

struct CommandSpec {
    std::string name{};
    std::string usage{};    ///< "SCENARIO.json [OPTION]..."
    std::string summary{};  ///< a line for the list of commands
    std::string details{};  ///< further lines of its help
    std::vector<OptionSpec> options{};
    std::size_t least_positional = 0;
    std::size_t most_positional = 0;
    std::string positional_name{};  ///< what is missing or too much, for messages
};

class Arguments {
  public:
    std::vector<std::string> positional;
    std::map<std::string, std::vector<std::string>> options;
    std::vector<std::string> command_line;  ///< all words, as the program got them

    [[nodiscard]] bool has(const std::string& name) const { return options.count(name) > 0; }
    [[nodiscard]] std::optional<std::string> value(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> values(const std::string& name) const;
};

[[nodiscard]] Arguments parse_arguments(const CommandSpec& spec,
                                        const std::vector<std::string>& words);
[[nodiscard]] std::string help_text(const CommandSpec& spec);

/// A whole number in [least, most], or a UsageError that names the option.
[[nodiscard]] std::uint64_t whole_number(const std::string& option, const std::string& text,
                                         std::uint64_t least, std::uint64_t most);

/// A finite number in [least, most], or a UsageError that names the option. "5%" is 0.05 where
/// `percent` allows it.
[[nodiscard]] double real_number(const std::string& option, const std::string& text, double least,
                                 double most, bool percent = false);

}  // namespace headroom::analysis
