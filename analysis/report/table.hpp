/// render_table: what `headroom run` prints: one run on about a page, for a terminal of 100
/// columns. Sentences with numbers where they are short, a table of latencies, replicas over time
/// as a chart, the largest decisions with their reasons, the expectations, and what to be careful
/// about. Where the backlog grows, latencies read "saturated".
///
///     std::cout << render_table({scenario, result, summary, checks}, {.utf8 = true});
///
/// Shows what the summary holds (build_summary) and nothing that it computes anew, but for charts
/// and decisions. O(size of the result).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/report/text_block.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

struct TableInput {
    const scenarios::Scenario& scenario;
    const SimulationResult& result;
    const nlohmann::ordered_json& summary;
    const std::vector<scenarios::ExpectationResult>& expectations;
};

[[nodiscard]] std::string render_table(const TableInput& input, const TextStyle& style);

}  // namespace headroom::analysis
