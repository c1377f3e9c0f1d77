/// The part of the table that says what the control plane did: the largest decisions with their
/// reasons. Changes come first, by their size, then by time; then wishes that were blocked, those
/// for more before those for less. Up to two places are kept for blocked ones. Bindings of pods to
/// nodes that went well and what a warm pool does for itself are left out; a decision whose numbers
/// count nothing (a fault, a pod without a node) has size 1. O(decisions log decisions).
#pragma once

#include <string>
#include <vector>

#include "analysis/report/text_block.hpp"
#include "sim/control/control_results.hpp"

namespace headroom::analysis {

inline constexpr std::size_t kMostDecisions = 8;
inline constexpr std::size_t kKeptForBlocked = 2;

/// "hpa chat", which says its subject; "scheduler, chat-3", which does not.
[[nodiscard]] std::string decision_actor(const control::Decision& decision);
/// "2 -> 4", "2 (wanted 4)" where it was blocked; empty where the numbers count nothing.
[[nodiscard]] std::string decision_change(const control::Decision& decision);

/// Empty when there are none.
[[nodiscard]] std::string render_decisions(const std::vector<control::Decision>& decisions,
                                           const TextStyle& style);

}  // namespace headroom::analysis
