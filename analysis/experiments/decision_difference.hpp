/// Where two runs begin to go apart: the first decision of the control plane that one took and the
/// other did not, with what each did and why.
///
///     const auto apart = first_difference(a.runs[0].decisions, b.runs[0].decisions);
///     apart->b->reason;        // "in flight 160 over target 40"
///
/// Two decisions are the same when time, actor, subject, outcome and numbers are; words and inputs
/// alone make no difference, but of a pod that gets a node they do: its number counts the nodes of
/// that run, its words name it. Both lists are in the order of time. O(decisions log decisions).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/control/control_results.hpp"

namespace headroom::analysis {

struct DecisionDifference {
    Time time;  ///< of the earlier one
    std::string actor;
    std::string subject;
    /// What each decided of this subject then, or next (look at its time); nullopt: nothing more.
    /// Where a run has no such actor, what one decided that the other run has not: the policy was
    /// replaced.
    std::optional<control::Decision> a;
    std::optional<control::Decision> b;
};

/// nullopt: the same decisions from beginning to end.
[[nodiscard]] std::optional<DecisionDifference> first_difference(
    const std::vector<control::Decision>& a, const std::vector<control::Decision>& b);

}  // namespace headroom::analysis
