/// The commands of the program. Each is one file, <name>_command.cpp, with its CommandSpec and the
/// function that runs it and returns an exit code.
///
/// To add one: a file of its own, a line here, and a line in commands() of command_line.cpp.
#pragma once

#include <functional>

#include "analysis/cli/arguments.hpp"

namespace headroom::analysis {

struct Command {
    CommandSpec spec;
    std::function<int(const Arguments&)> run;
};

[[nodiscard]] Command run_command();
[[nodiscard]] Command validate_command();
[[nodiscard]] Command schema_command();
[[nodiscard]] Command policies_command();
[[nodiscard]] Command trace_command();

}  // namespace headroom::analysis
