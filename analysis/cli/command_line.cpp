#include "analysis/cli/command_line.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/results/text_file.hpp"
#include "analysis/results/version.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

std::vector<Command> commands() {
    return {run_command(),      compare_command(), check_command(),    bound_command(),
            max_rate_command(), explain_command(), validate_command(), schema_command(),
            policies_command(), trace_command(),   calibrate_command()};
}

std::string main_help(const std::vector<Command>& all) {
    std::string out =
        "usage: headroom COMMAND [ARGUMENT]...\n\n"
        "Simulates clusters that serve AI models, to plan their capacity.\n\ncommands:\n";
    const auto add = [&out](const std::string& name, const std::string& summary) {
        out += "  " + pad_right(name, 10) + summary + "\n";
    };
    for (const Command& command : all) add(command.spec.name, command.spec.summary);
    add("build", "Builds the program and its tests (the launcher script does this).");
    add("test", "Builds and runs the tests (the launcher script does this).");
    out +=
        "\nheadroom COMMAND --help says more; headroom --version prints the version.\n"
        "Exit codes: 0 good, 1 an expectation failed, 2 bad usage or input, 3 could not finish.\n";
    return out;
}

[[noreturn]] void unknown_command(const std::string& found, const std::vector<Command>& all) {
    if (found == "build" || found == "test") {
        throw UsageError("the launcher script does this: run ./headroom " + found +
                         " in the source tree");
    }
    std::vector<std::string> names = {"--version", "--help", "build", "test"};
    for (const Command& command : all) names.push_back(command.spec.name);
    const std::string kind = found.starts_with('-') ? "option " : "command ";
    throw UsageError("there is no " + kind + found +
                     scenarios::did_you_mean(nearest_name(found, names)) + "; see headroom --help");
}

/// "fit" of "calibrate fit".
std::string last_word(const CommandSpec& spec) {
    return spec.name.substr(spec.name.rfind(' ') + 1);
}

std::string subcommands_help(const Command& command) {
    std::string out = "usage: headroom " + command.spec.name + " SUBCOMMAND [ARGUMENT]...\n\n" +
                      command.spec.summary + "\n\n" + command.spec.details + "\nsubcommands:\n";
    for (const Command& subcommand : command.subcommands) {
        out += "  " + pad_right(last_word(subcommand.spec), 10) + subcommand.spec.summary + "\n";
    }
    return out + "\nheadroom " + command.spec.name + " SUBCOMMAND --help says more.\n";
}

const Command& find_subcommand(const Command& command, const std::vector<std::string>& words) {
    std::vector<std::string> names;
    for (const Command& subcommand : command.subcommands) {
        names.push_back(last_word(subcommand.spec));
        if (!words.empty() && names.back() == words.front()) return subcommand;
    }
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    if (words.empty()) throw UsageError("expected a subcommand: " + list);
    throw UsageError("expected " + list + ", found \"" + words.front() + "\"" +
                     scenarios::did_you_mean(nearest_name(words.front(), names)));
}

/// `words` are those behind the command's name, `all` the whole command line.
int run_one(const Command& command, const std::vector<std::string>& words,
            const std::vector<std::string>& all) {
    const CommandSpec& spec = command.spec;
    try {
        if (!command.subcommands.empty()) {
            if (!words.empty() && (words.front() == "--help" || words.front() == "-h")) {
                print_out(subcommands_help(command));
                return kExitGood;
            }
            const Command& chosen = find_subcommand(command, words);
            return run_one(chosen, {words.begin() + 1, words.end()}, all);
        }
        Arguments given = parse_arguments(spec, words);
        given.command_line = all;
        if (given.has("help")) {
            print_out(help_text(spec));
            return kExitGood;
        }
        return command.run(given);
    } catch (const UsageError& error) {
        print_note(spec.name + ": " + error.what() + "; see headroom " + spec.name + " --help");
        return kExitBadInput;
    }
}

int dispatch(const std::vector<std::string>& words) {
    const std::vector<Command> all = commands();
    if (words.size() < 2) {
        print_note("expected a command; see headroom --help");
        return kExitBadInput;
    }
    const std::string& name = words[1];
    if (name == "--version") {
        print_out("headroom " + std::string(program_version()) + "\n");
        return kExitGood;
    }
    if (name == "--help" || name == "-h") {
        print_out(main_help(all));
        return kExitGood;
    }
    const auto command =
        std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.spec.name == name; });
    if (command == all.end()) unknown_command(name, all);
    return run_one(*command, {words.begin() + 2, words.end()}, words);
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
    try {
        return dispatch({argv, argv + argc});
    } catch (const UsageError& error) {
        print_note(error.what());
        return kExitBadInput;
    } catch (const WriteError& error) {
        print_note(error.what());
        return kExitUnfinished;
    } catch (const std::bad_alloc&) {
        print_note("could not finish: out of memory");
        return kExitUnfinished;
    } catch (const std::exception& error) {
        print_note(std::string("could not finish: ") + error.what());
        return kExitUnfinished;
    }
}

}  // namespace headroom::analysis
