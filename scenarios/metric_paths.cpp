#include "scenarios/metric_paths.hpp"

#include <algorithm>
#include <functional>
#include <initializer_list>

namespace headroom::scenarios {

namespace {

constexpr std::string_view kServices = "services.";

bool starts_with(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

std::vector<std::string> build_service_paths() {
    std::vector<std::string> paths = {"preemptions",    "saturated",
                                      "slo.attainment", "energy_kwh",
                                      "cost.total",     "cost.per_million_output_tokens"};
    const auto add = [&](const std::string& prefix, std::initializer_list<const char*> names) {
        for (const char* name : names) paths.push_back(prefix + "." + name);
    };
    add("requests", {"arrived", "completed", "failed", "rejected", "timed_out", "in_flight"});
    add("tokens", {"prompt", "output"});
    add("throughput", {"requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s"});
    for (const char* latency : {"e2e_s", "ttft_s", "tpot_s", "itl_s", "queue_s"}) {
        add(std::string("latency.") + latency, {"mean", "p50", "p90", "p95", "p99", "max"});
    }
    add("replicas", {"min", "mean", "max", "final"});
    add("warm_pool", {"loaded_mean", "promoted", "returned", "cost"});
    add("scale_events",
        {"up", "down", "reversals", "reversals_per_h", "pods_created", "pods_deleted"});
    add("scale_events.capacity_lag_s", {"mean", "max"});
    add("pods", {"created", "deleted", "pending", "became_ready"});
    add("pods.start_s", {"pending", "image_pull", "container_start", "weights_load", "warm_up"});
    add("kv_cache", {"prefix_query_tokens", "prefix_hit_tokens", "prefix_hit_rate",
                     "host_hit_tokens", "swaps", "transferred_bytes"});
    add("speculation", {"drafted_tokens", "accepted_tokens"});
    add("adapters", {"loads"});
    add("batches", {"executed", "mean_size"});
    add("gpu", {"hours", "busy_fraction", "kv_fraction"});
    std::sort(paths.begin(), paths.end());
    return paths;
}

void add_for_services(const std::vector<std::string>& services,
                      const std::vector<std::string>& below, std::vector<std::string>& paths) {
    for (const std::string& service : services) {
        for (const std::string& path : below) {
            paths.push_back(std::string(kServices) + service + "." + path);
        }
    }
    std::sort(paths.begin(), paths.end());
}

}  // namespace

const std::vector<std::string>& service_metric_paths() {
    static const std::vector<std::string> paths = build_service_paths();
    return paths;
}

const std::vector<std::string>& run_metric_paths() {
    static const std::vector<std::string> paths = {"seed", "simulated_s"};
    return paths;
}

std::vector<std::string> summary_metric_paths(const std::vector<std::string>& services) {
    std::vector<std::string> paths = service_metric_paths();
    paths.insert(paths.end(), run_metric_paths().begin(), run_metric_paths().end());
    add_for_services(services, service_metric_paths(), paths);
    return paths;
}

std::string_view path_within_service(std::string_view metric) {
    if (!starts_with(metric, kServices)) return metric;
    const std::vector<std::string>& paths = service_metric_paths();
    for (std::size_t dot = metric.find('.', kServices.size()); dot != std::string_view::npos;
         dot = metric.find('.', dot + 1)) {
        const std::string_view path = metric.substr(dot + 1);
        if (std::binary_search(paths.begin(), paths.end(), path, std::less<>())) return path;
    }
    return metric;
}

MetricUnit unit_of(std::string_view metric) {
    const std::string_view path = path_within_service(metric);
    if (starts_with(path, "latency.") || starts_with(path, "scale_events.capacity_lag_s.") ||
        starts_with(path, "pods.start_s.") || path == "simulated_s") {
        return MetricUnit::seconds;
    }
    if (starts_with(path, "cost.")) return MetricUnit::money;
    if (starts_with(path, "throughput.")) return MetricUnit::rate;
    if (path == "slo.attainment" || path == "gpu.busy_fraction" || path == "gpu.kv_fraction" ||
        path == "kv_cache.prefix_hit_rate") {
        return MetricUnit::fraction;
    }
    return MetricUnit::number;
}

std::vector<std::string> series_metric_paths(const std::vector<std::string>& services) {
    const std::vector<std::string> names = {std::string(kDesiredReplicasSeries),
                                            std::string(kReplicasSeries)};
    std::vector<std::string> paths = names;
    add_for_services(services, names, paths);
    return paths;
}

}  // namespace headroom::scenarios
