/// What `headroom bound` prints: for each version of each service its load, what a replica holds
/// and why no more, how far that is from today's peak, the replicas and GPUs that are needed, and
/// formulas beside the simulation with the reasons where they differ.
///
///     chat  LLM engine
///       Load       13.3 requests/s on average, 48.0 in the busiest minute (from 16m)
///       A replica  holds 25.1 requests/s: 256 sequences (max_num_seqs), 30.2 ms a token
///       2 to 8     27 % of 2 used, 96 % in the busiest minute: holds 1.05 times today's peak
///
/// bound_json: the same with full precision, for programs. O(versions).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/experiments/bound.hpp"
#include "analysis/report/bound_comparison.hpp"
#include "analysis/report/text_block.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

struct BoundReport {
    const scenarios::Scenario& scenario;
    const Bound& bound;
    /// By version; empty: nothing was simulated.
    std::vector<std::vector<BoundComparison>> comparisons;
};

[[nodiscard]] std::string render_bound(const BoundReport& report, const TextStyle& style);
[[nodiscard]] nlohmann::ordered_json bound_json(const BoundReport& report);

}  // namespace headroom::analysis
