#include "sim/control/metric_names.hpp"

#include <array>

namespace headroom::control {

namespace {

constexpr std::array<MetricInfo, 18> kMetrics = {{
    {MetricId::requests_in_flight, "requests_in_flight", MetricScope::pod, MetricShape::gauge,
     "requests", "requests sent to the instance and not ended"},
    {MetricId::requests_in_flight_mean, "requests_in_flight_mean", MetricScope::pod,
     MetricShape::mean, "requests", "requests_in_flight averaged over the samples of the window"},
    {MetricId::requests_waiting, "requests_waiting", MetricScope::pod, MetricShape::gauge,
     "requests", "requests in the instance's queue (vllm:num_requests_waiting)"},
    {MetricId::requests_running, "requests_running", MetricScope::pod, MetricShape::gauge,
     "requests", "requests in the batch or on a server (vllm:num_requests_running)"},
    {MetricId::kv_used_fraction, "kv_used_fraction", MetricScope::pod, MetricShape::gauge,
     "fraction", "KV cache blocks in use (vllm:kv_cache_usage_perc)", true},
    {MetricId::requests_per_second, "requests_per_second", MetricScope::pod, MetricShape::rate,
     "requests/s", "requests completed by the instance"},
    {MetricId::prompt_tokens_per_second, "prompt_tokens_per_second", MetricScope::pod,
     MetricShape::rate, "tokens/s", "prompt tokens computed", true},
    {MetricId::output_tokens_per_second, "output_tokens_per_second", MetricScope::pod,
     MetricShape::rate, "tokens/s", "output tokens generated", true},
    {MetricId::utilization, "utilization", MetricScope::pod, MetricShape::rate, "fraction",
     "share of the time with an iteration in progress, or of the servers in use"},
    {MetricId::ttft_mean_seconds, "ttft_mean_seconds", MetricScope::pod, MetricShape::rate, "s",
     "mean time to first token of the requests that got one in the window; none: no value", true},
    {MetricId::cpu, "cpu", MetricScope::resource, MetricShape::rate, "cores",
     "CPU use after the workload's usage model"},
    {MetricId::memory, "memory", MetricScope::resource, MetricShape::gauge, "bytes",
     "memory use after the workload's usage model"},
    {MetricId::gateway_queue, "gateway_queue", MetricScope::service, MetricShape::gauge, "requests",
     "requests the gateway holds because no instance can take them"},
    {MetricId::service_in_flight, "service_in_flight", MetricScope::service, MetricShape::gauge,
     "requests", "requests arrived at the service and not ended, gateway queue included"},
    {MetricId::arrivals_per_second, "arrivals_per_second", MetricScope::service, MetricShape::rate,
     "requests/s", "requests arriving at the service"},
    {MetricId::service_endpoints, "service_endpoints", MetricScope::service, MetricShape::gauge,
     "instances", "instances of the service that take new requests"},
    {MetricId::service_in_flight_seconds, "service_in_flight_seconds", MetricScope::service,
     MetricShape::counter, "requests s",
     "service_in_flight integrated over time: differences over time are mean concurrency"},
    {MetricId::arrivals, "arrivals", MetricScope::service, MetricShape::counter, "requests",
     "requests that arrived at the service"},
}};

}  // namespace

std::span<const MetricInfo> all_metrics() {
    return kMetrics;
}

const MetricInfo* find_metric(std::string_view name) {
    for (const MetricInfo& info : kMetrics) {
        if (info.name == name) return &info;
    }
    return nullptr;
}

}  // namespace headroom::control
