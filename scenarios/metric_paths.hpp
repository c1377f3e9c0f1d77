/// The names of everything a run's summary says in numbers, in one place: `summary.json` writes
/// them, `expect` and comparisons read them, and a test holds both to this list.
///
///     requests.completed, latency.ttft_s.p99, replicas.mean, slo.attainment, ...
///     services.<name>.<the same>     for one service; scenario-wide ones (seed, ...) excepted
///
/// Series are what `at` and `during` can look at, over all services or of one
/// (`services.<name>.replicas`). Units stand in the names; counts and fractions have none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::scenarios {

/// All summary paths of a scenario with these services, sorted.
[[nodiscard]] std::vector<std::string> summary_metric_paths(
    const std::vector<std::string>& services);
/// The paths below `services.<name>.`, which stand at the top level as well; sorted.
[[nodiscard]] const std::vector<std::string>& service_metric_paths();
/// The paths that stand at the top level only.
[[nodiscard]] const std::vector<std::string>& run_metric_paths();

/// The part behind `services.<name>.`; the name itself may have dots.
[[nodiscard]] std::string_view path_within_service(std::string_view metric);
/// What a metric's number counts. A fraction is from 0 to 1; of a series it is `number`.
enum class MetricUnit : std::uint8_t { seconds, fraction, money, rate, number };
[[nodiscard]] MetricUnit unit_of(std::string_view metric);

/// Series for `at` and `during`, sorted.
[[nodiscard]] std::vector<std::string> series_metric_paths(
    const std::vector<std::string>& services);
/// Names of one service's series: ready replicas and the number the autoscaler asked for.
inline constexpr std::string_view kReplicasSeries = "replicas";
inline constexpr std::string_view kDesiredReplicasSeries = "desired_replicas";

}  // namespace headroom::scenarios
