/// SummaryMetrics: the numbers that `expect` asks for, out of a summary and the replicas over time.
///
///     SummaryMetrics metrics(result, summary);
///     metrics.value("services.chat.latency.ttft_s.p99");
///     metrics.range("replicas", from, to);
///
/// A series has no value after the end of the run; a span that begins before it and ends later
/// counts up to it. O(depth) for a value, O(log points) for a moment.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/results/replica_series.hpp"
#include "scenarios/expectation.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

class SummaryMetrics final : public scenarios::MetricSource {
  public:
    /// Keeps a reference to the summary.
    SummaryMetrics(const SimulationResult& result, const nlohmann::ordered_json& summary);

    [[nodiscard]] std::optional<double> value(std::string_view path) const override;
    [[nodiscard]] std::optional<double> value_at(std::string_view series, Time t) const override;
    [[nodiscard]] std::optional<Range> range(std::string_view series, Time from,
                                             Time to) const override;

  private:
    [[nodiscard]] const metrics::TimeSeries* find(std::string_view series) const;

    const nlohmann::ordered_json& summary_;
    Time end_;
    std::map<std::string, ReplicaSeries, std::less<>>
        replicas_;  ///< by prefix: "services.x." or ""
};

/// The number at a dotted path below one part of a summary, the top level or a service; true counts
/// as 1. Nullopt: there is none, or it is null.
[[nodiscard]] std::optional<double> summary_number(const nlohmann::ordered_json& part,
                                                   std::string_view path);

/// Evaluates all expectations and adds them to the summary as `expect`.
[[nodiscard]] std::vector<scenarios::ExpectationResult> check_expectations(
    const scenarios::Scenario& scenario, const SimulationResult& result,
    nlohmann::ordered_json& summary);

}  // namespace headroom::analysis
