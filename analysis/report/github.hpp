/// What GitHub Actions shows of `headroom check`: an annotation at the line of each message,
/// and one for each warning.
///
///     ::error file=checks/chat.json,line=40,title=chat::replicas at 10m == 8: found 6
///
/// The commands stand a line each and may be written to either stream of a step. Source: GitHub
/// Docs, "Workflow commands for GitHub Actions"; what is escaped is that of actions/toolkit,
/// packages/core/src/command.ts. O(messages); GitHub shows ten errors a step.
#pragma once

#include <string>

#include "analysis/experiments/check_suite.hpp"

namespace headroom::analysis {

[[nodiscard]] std::string github_annotations(const SuiteResult& result);

}  // namespace headroom::analysis
