/// build_summary: what a run says in numbers, as the object that summary.json holds. The same names
/// at the top (all services together) and under services.<name>; scenarios/metric_paths.hpp lists
/// those that `expect` may ask for. A number that does not exist (no latency without a completion,
/// no attainment without an SLO) is null.
///
///     const nlohmann::ordered_json summary = build_summary(scenario, result);
///     write(summary_text(summary));
///
/// At the top, requests, latencies, throughput and SLO are of root requests (latencies between
/// tokens: of the services that sources enter at); under a service, all are of its calls. Counts
/// and scale events (capacity_lag.hpp) cover the whole run; latencies, tokens, throughput,
/// replicas, GPU time, cost and energy what lies after measure_from. Money is in whole units of
/// `cost.currency`; a service's cost is its pods' share, the total is that of all nodes.
///
/// Equal runs give equal text, byte for byte: the order is fixed, doubles are computed in a fixed
/// order and printed in the fewest digits that read back the same. O(size of the result).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

[[nodiscard]] nlohmann::ordered_json build_summary(const scenarios::Scenario& scenario,
                                                   const SimulationResult& result);
/// As it is written and printed: indented, with a line feed at the end.
[[nodiscard]] std::string summary_text(const nlohmann::ordered_json& summary);
/// JSON Schema (draft-07) of it, for `headroom schema summary`.
[[nodiscard]] nlohmann::ordered_json summary_schema();

}  // namespace headroom::analysis
