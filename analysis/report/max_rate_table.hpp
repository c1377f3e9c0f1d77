/// What `headroom max-rate` prints: how many times today's traffic the scenario holds, what breaks
/// first and at what value, the same at the pessimistic end of the profile's error band, and every
/// scale that was tried. Scales have four digits, or as many as tell those that were run apart.
///
///     Holds 3.20 times today's traffic: 64 requests/s (today 20), with 95 % confidence
///     Breaks first  latency.ttft_s.p99 < 2s, at 3.22 times: mean 1.93 s, at most 2.04 s
///
/// max_rate_json: the same with full precision, for programs. O(points * expectations).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "analysis/experiments/max_rate.hpp"
#include "analysis/report/text_block.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

struct MaxRateReport {
    const scenarios::Scenario& scenario;  ///< at scale 1
    double requests_per_s = 0;            ///< of open-loop sources today
    double users = 0;                     ///< of closed loops today
    int replications = 0;
    double confidence = 0.95;
    double precision = 0.01;
    MaxRate answer;
    double error_band = 0;  ///< the widest of the profiles; 0: none states one
    std::optional<MaxRate> pessimistic{};
    double most = 100;           ///< no higher scale was tried
    bool trace_shrinks = false;  ///< a trace is scaled: moments of the run mean later parts of it
    bool cut_is_fixed = false;   ///< such a trace bounds the run, and measure_from is not 0
};

[[nodiscard]] std::string render_max_rate(const MaxRateReport& report, const TextStyle& style);
[[nodiscard]] nlohmann::ordered_json max_rate_json(const MaxRateReport& report);

}  // namespace headroom::analysis
