/// The metrics of a simulation that a scaling policy may ask for, by name, with unit and help.
/// Values are in milli-units of `unit` (int64, rounded down), as Kubernetes carries them: 1500
/// is 1.5.
///
/// A *gauge* is the newest visible sample. A *rate* is the difference of a counter between the
/// newest visible sample and the oldest one at most `window` before it, divided by the time between
/// the two (Prometheus' rate() without extrapolation); a counter starts at 0 when its instance is
/// added, or with the run where it is the service's. A *mean* averages the samples of the window.
///
/// Scope `pod` metrics are per instance (MetricKind::pods); asked for as object or external they
/// are the sum over the workload's pods. Scope `service` metrics are of the service behind the
/// workload, asked for as object or external; where it has several versions, of the workload's own
/// (serving::ServiceLoad says which request is whose). Scope `resource` is "cpu" and "memory"
/// (MetricKind::resource).
///
///     if (const MetricInfo* info = find_metric("kv_used_fraction")) { ... info->id ... }
///
/// find_metric is linear in the list (about 20 names) and is called while building only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace headroom::control {

enum class MetricId : std::uint8_t {
    requests_in_flight,
    requests_in_flight_mean,
    requests_waiting,
    requests_running,
    kv_used_fraction,
    requests_per_second,
    prompt_tokens_per_second,
    output_tokens_per_second,
    utilization,
    ttft_mean_seconds,
    cpu,
    memory,
    gateway_queue,
    service_in_flight,
    arrivals_per_second,
    service_endpoints,
    service_in_flight_seconds,
    arrivals,
};

enum class MetricScope : std::uint8_t { pod, resource, service };
enum class MetricShape : std::uint8_t { gauge, mean, rate, counter };

struct MetricInfo {
    MetricId id;
    std::string_view name;
    MetricScope scope;
    MetricShape shape;
    std::string_view unit;
    std::string_view help;
    bool llm_only = false;  ///< an instance that is no LLM engine has no value of it, or only 0
};

/// All metrics, in the order of MetricId.
[[nodiscard]] std::span<const MetricInfo> all_metrics();

/// nullptr when there is none of that name; the caller suggests a near one from all_metrics().
[[nodiscard]] const MetricInfo* find_metric(std::string_view name);

}  // namespace headroom::control
