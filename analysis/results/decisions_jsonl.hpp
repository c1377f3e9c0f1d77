/// decisions.jsonl: what the control plane decided, one JSON object a line, in the order of time:
///
///     {"time_s":915.0,"actor":"hpa chat","subject":"chat","about":"workload","outcome":"changed",
///      "before":2,"wanted":4,"after":4,"reason":"...","inputs":"..."}
///
/// `about` says what the subject is the name of: workload, pod or node. `outcome` is changed,
/// blocked or unchanged. For autoscalers the numbers are replicas; for the scheduler nodes, with -1
/// for none; for faults kinds of fault. `inputs` is what the actor looked at; it is left out where
/// the reason says all.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "sim/control/control_results.hpp"

namespace headroom::analysis {

[[nodiscard]] std::string_view to_string(control::Decision::Outcome outcome);
[[nodiscard]] std::string_view to_string(control::Decision::About about);

/// One line of it, as an object.
[[nodiscard]] nlohmann::ordered_json decision_json(const control::Decision& decision);

/// Throws WriteError.
void write_decisions_jsonl(const std::filesystem::path& path,
                           const std::vector<control::Decision>& decisions);

}  // namespace headroom::analysis
