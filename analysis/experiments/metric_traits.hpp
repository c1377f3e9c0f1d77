/// What the names of a summary's metrics mean to those who compare them: whether more of it is
/// better, in what unit it is told, and which are meant by a pattern on the command line.
///
///     better_when("services.chat.latency.ttft_s.p99")        // Better::lower
///     choose_metrics({"latency.ttft_s", "cost.*"}, study.metrics, messages)
///
/// Names are those of scenarios/metric_paths.hpp; below `services.<name>.` they mean what they mean
/// at the top. Latency, cost, energy, failures, preemptions, saturation, reversals of scaling and
/// the lag of capacity are better when lower; attainment and throughput when higher; all else is
/// neither: more replicas are no merit and no fault. O(metrics * patterns).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/experiments/replications.hpp"
#include "scenarios/metric_paths.hpp"

namespace headroom::analysis {

enum class Better : std::uint8_t { lower, higher, neither };
using scenarios::MetricUnit;
using scenarios::path_within_service;
using scenarios::unit_of;

[[nodiscard]] Better better_when(std::string_view metric);

/// Whether the metric is a latency of what was saturated in a replication: its backlog grew over
/// the run, so the number says how long the run was.
[[nodiscard]] bool is_saturated(const Replicated& study, std::string_view metric);
/// In how many replications; those that measured no such latency do not count.
[[nodiscard]] int saturated_runs(const Replicated& study, std::string_view metric);
/// The same by replication, in the order of the index.
[[nodiscard]] std::vector<bool> saturated_by_run(const Replicated& study, std::string_view metric);

/// What a comparison shows when nobody says what: latencies, attainment, failures, throughput,
/// replicas, cost. All at the top level.
[[nodiscard]] const std::vector<std::string>& headline_metrics();
/// Those that decide whether a study is precise enough when nobody says which: the mean time to
/// first token, or where there is none the mean latency, and the attainment of the SLO.
[[nodiscard]] std::vector<std::string> precision_metrics(const Replicated& study);

/// The metrics of `known` (sorted) that the patterns name: a whole name, the beginning of names up
/// to a dot ("latency.ttft_s"), or with * and ? for any characters and any one. In the order of the
/// patterns, each once. One that names nothing gets a line in `messages`, with the nearest name.
[[nodiscard]] std::vector<std::string> choose_metrics(const std::vector<std::string>& patterns,
                                                      const std::vector<std::string>& known,
                                                      std::vector<std::string>& messages);

}  // namespace headroom::analysis
