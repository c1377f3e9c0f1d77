/// The commands of the program. Each is one file, <name>_command.cpp, with its CommandSpec and the
/// function that runs it and returns an exit code; or with a list of subcommands, each like a
/// command, whose name ends in the word that chooses it ("calibrate fit").
///
/// To add one: a file of its own, a line here, and a line in commands() of command_line.cpp.
#pragma once

#include <functional>
#include <vector>

#include "analysis/cli/arguments.hpp"

namespace headroom::analysis {

struct Command {
    CommandSpec spec{};
    std::function<int(const Arguments&)> run{};
    std::vector<Command> subcommands{};  ///< if any, `run` and the spec's options are not used
};

[[nodiscard]] Command run_command();
[[nodiscard]] Command compare_command();
[[nodiscard]] Command check_command();
[[nodiscard]] Command bound_command();
[[nodiscard]] Command max_rate_command();
[[nodiscard]] Command validate_command();
[[nodiscard]] Command schema_command();
[[nodiscard]] Command policies_command();
[[nodiscard]] Command trace_command();
[[nodiscard]] Command explain_command();
[[nodiscard]] Command calibrate_command();

}  // namespace headroom::analysis
