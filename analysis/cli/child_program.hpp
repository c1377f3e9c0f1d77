/// run_child: another program, started without a shell, waited for.
///
///     const ChildResult r = run_child("/usr/lib/headroom_kernels", {"--quick"}, stop);
///     if (r.exit_code == 77) ...
///
/// Its standard input is empty; what it prints goes to our standard error, so that ours stays data.
/// It runs in a process group of its own: a Ctrl-C reaches this process alone, which hands it on
/// once as SIGINT when `stop` is raised, and goes on waiting for the end. std::system_error: it
/// cannot be started.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/cli/stop_signal.hpp"

namespace headroom::analysis {

struct ChildResult {
    int exit_code = 0;  ///< 128 + n when signal n ended it
    bool signalled = false;
};

[[nodiscard]] ChildResult run_child(const std::filesystem::path& program,
                                    const std::vector<std::string>& arguments,
                                    const StopSignal& stop);

}  // namespace headroom::analysis
