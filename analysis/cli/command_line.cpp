#include "analysis/cli/command_line.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/results/text_file.hpp"
#include "analysis/results/version.hpp"
#include "scenarios/nearest_name.hpp"

namespace headroom::analysis {

namespace {

std::vector<Command> commands() {
    return {run_command(), validate_command(), schema_command(), policies_command(),
            trace_command()};
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
    const std::string kind = found.rfind("-", 0) == 0 ? "option " : "command ";
    throw UsageError("there is no " + kind + found +
                     scenarios::did_you_mean(scenarios::nearest_name(found, names)) +
                     "; see headroom --help");
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
    try {
        Arguments given = parse_arguments(command->spec, {words.begin() + 2, words.end()});
        given.command_line = words;
        if (given.has("help")) {
            print_out(help_text(command->spec));
            return kExitGood;
        }
        return command->run(given);
    } catch (const UsageError& error) {
        print_note(name + ": " + error.what() + "; see headroom " + name + " --help");
        return kExitBadInput;
    }
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
    } catch (const std::exception& error) {
        print_note(std::string("could not finish: ") + error.what());
        return kExitUnfinished;
    }
}

}  // namespace headroom::analysis
