/// The command line of the program `headroom`: finds the command and runs it.
///
///     int main(int argc, char** argv) { return headroom::analysis::run_command_line(argc, argv); }
///
/// Data goes to standard output, everything else to standard error. The result is an exit code (see
/// exit_code.hpp); nothing is thrown.
#pragma once

namespace headroom::analysis {

[[nodiscard]] int run_command_line(int argc, const char* const* argv);

}  // namespace headroom::analysis
