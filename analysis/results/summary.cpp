#include "analysis/results/summary.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "analysis/results/capacity_lag.hpp"
#include "analysis/results/energy.hpp"
#include "analysis/results/json_values.hpp"
#include "analysis/results/replica_series.hpp"
#include "analysis/results/utilisation.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
using serving::Outcome;

/// What the same names are filled from, for the run and for each service.
struct Part {
    const serving::ServiceStats& stats;
    const serving::OutcomeCounts& requests;
    std::optional<std::uint32_t> service;  ///< nothing: all of them
    EngineTime engine;
    Money cost;
    std::optional<double> energy_kwh;
    bool has_slo = false;
    bool saturated = false;
};

std::optional<double> ratio(double over, double under) {
    if (!(under > 0)) return std::nullopt;
    return over / under;
}

Json latency_of(const metrics::Histogram& histogram) {
    if (histogram.count() == 0) {
        return {{"mean", nullptr}, {"p50", nullptr}, {"p90", nullptr},
                {"p95", nullptr},  {"p99", nullptr}, {"max", nullptr}};
    }
    const auto at = [&](double q) {
        return Duration::picoseconds(histogram.quantile(q)).to_seconds();
    };
    const double mean = histogram.mean() / static_cast<double>(Duration::kPerSecond);
    return {{"mean", mean},    {"p50", at(0.50)}, {"p90", at(0.90)},
            {"p95", at(0.95)}, {"p99", at(0.99)}, {"max", at(1.0)}};
}

Json requests_of(const serving::OutcomeCounts& counts) {
    return {{"arrived", counts.arrived},
            {"completed", counts.of(Outcome::completed)},
            {"failed", counts.of(Outcome::failed)},
            {"rejected", counts.of(Outcome::rejected)},
            {"timed_out", counts.of(Outcome::timed_out)},
            {"in_flight", counts.in_flight()}};
}

Json throughput_of(const serving::ServiceStats& stats, double window_s) {
    const auto rate = [&](std::int64_t count) {
        return or_null(ratio(static_cast<double>(count), window_s));
    };
    return {{"requests_per_s", rate(stats.measured_completed)},
            {"prompt_tokens_per_s", rate(stats.prompt_tokens)},
            {"output_tokens_per_s", rate(stats.output_tokens)}};
}

/// What a dynamic batcher's model ran.
Json batches_of(const serving::ServiceStats& stats) {
    return {{"executed", stats.executions},
            {"mean_size", or_null(ratio(static_cast<double>(stats.executed_requests),
                                        static_cast<double>(stats.executions)))}};
}

Json replicas_of(const SimulationResult& result, std::optional<std::uint32_t> service) {
    const ReplicaSeries series = replica_series(result.control, service);
    if (!series.known) {
        return {{"min", nullptr}, {"mean", nullptr}, {"max", nullptr}, {"final", nullptr}};
    }
    const Time from = result.measure_from;
    return {{"min", series.ready.min_during(from, result.end)},
            {"mean", series.ready.mean_during(from, result.end)},
            {"max", series.ready.max_during(from, result.end)},
            {"final", series.ready.value_at(result.end)}};
}

/// The workloads' numbers, added up over those of the service.
struct WorkloadSums {
    std::int64_t ups = 0, downs = 0, reversals = 0;
    std::int64_t created = 0, deleted = 0, pending = 0, became_ready = 0;
    CapacityLag lag;
    std::int64_t warm_pool_size = 0, promotions = 0, returns = 0;
    TimeIntegral standby_loaded;
    Money standby_cost;
    TimeIntegral device_time;
    TimeIntegral pending_time, image_pull, container_start, weights_load, warm_up;
};

WorkloadSums sum_workloads(const SimulationResult& result, std::optional<std::uint32_t> service) {
    WorkloadSums sums;
    for (const control::WorkloadResult& workload : result.control.workloads) {
        if (service && workload.service != *service) continue;
        sums.ups += workload.scale_ups;
        sums.downs += workload.scale_downs;
        sums.reversals += workload.reversals;
        sums.created += workload.pods_created;
        sums.deleted += workload.pods_deleted;
        sums.pending += workload.pods_pending;
        sums.became_ready += workload.pods_became_ready;
        sums.lag += capacity_lag(workload.desired_replicas, workload.ready_replicas, result.end);
        sums.warm_pool_size += workload.warm_pool_size;
        sums.promotions += workload.promotions;
        sums.returns += workload.returns;
        sums.standby_loaded += workload.standby_loaded_time;
        sums.standby_cost += workload.standby_cost;
        sums.device_time += workload.device_time;
        sums.pending_time += workload.pending_time;
        sums.image_pull += workload.image_pull_time;
        sums.container_start += workload.container_start_time;
        sums.weights_load += workload.weights_load_time;
        sums.warm_up += workload.warm_up_time;
    }
    return sums;
}

/// How steady the replicas are: how often their number turns, what that costs in pods, and how late
/// they come.
Json scale_events_of(const WorkloadSums& sums, Time end) {
    const double hours = end.to_seconds() / 3600;
    return {{"up", sums.ups},
            {"down", sums.downs},
            {"reversals", sums.reversals},
            {"reversals_per_h", or_null(ratio(static_cast<double>(sums.reversals), hours))},
            {"pods_created", sums.created},
            {"pods_deleted", sums.deleted},
            {"capacity_lag_s",
             {{"mean", or_null(sums.lag.mean_s())}, {"max", or_null(sums.lag.max_s())}}}};
}

/// Standby pods; nulls where there is no warm pool.
Json warm_pool_of(const WorkloadSums& sums, double window_s) {
    const bool exists = sums.warm_pool_size > 0;
    const auto loaded = exists ? ratio(sums.standby_loaded.to_seconds(), window_s) : std::nullopt;
    const double cost = static_cast<double>(sums.standby_cost.count()) / 1e6;
    return {{"loaded_mean", or_null(loaded)},
            {"promoted", sums.promotions},
            {"returned", sums.returns},
            {"cost", exists ? Json(cost) : Json(nullptr)}};
}

/// Pods, and the mean parts of the time until one became ready.
Json pods_of(const WorkloadSums& sums) {
    const auto mean = [&](const TimeIntegral& time) {
        return or_null(ratio(time.to_seconds(), static_cast<double>(sums.became_ready)));
    };
    return {{"created", sums.created},
            {"deleted", sums.deleted},
            {"pending", sums.pending},
            {"became_ready", sums.became_ready},
            {"start_s",
             {{"pending", mean(sums.pending_time)},
              {"image_pull", mean(sums.image_pull)},
              {"container_start", mean(sums.container_start)},
              {"weights_load", mean(sums.weights_load)},
              {"warm_up", mean(sums.warm_up)}}}};
}

/// What the KV caches of LLM engines got from elsewhere than their own computing.
Json kv_cache_of(const serving::ServiceStats& stats) {
    return {{"prefix_query_tokens", stats.prefix_query_tokens},
            {"prefix_hit_tokens", stats.prefix_hit_tokens},
            {"prefix_hit_rate", or_null(ratio(static_cast<double>(stats.prefix_hit_tokens),
                                              static_cast<double>(stats.prefix_query_tokens)))},
            {"host_hit_tokens", stats.host_hit_tokens},
            {"swaps", stats.swaps},
            {"transferred_bytes", stats.kv_transferred_bytes}};
}

void add_part(Json& out, const Part& part, const scenarios::Scenario& scenario,
              const SimulationResult& result) {
    const serving::ServiceStats& stats = part.stats;
    const WorkloadSums sums = sum_workloads(result, part.service);
    const double window_s = (result.end - result.measure_from).to_seconds();
    out["requests"] = requests_of(part.requests);
    out["tokens"] = {{"prompt", stats.prompt_tokens}, {"output", stats.output_tokens}};
    out["throughput"] = throughput_of(stats, window_s);
    out["latency"] = {{"e2e_s", latency_of(stats.e2e)},
                      {"ttft_s", latency_of(stats.ttft)},
                      {"tpot_s", latency_of(stats.tpot)},
                      {"itl_s", latency_of(stats.itl)},
                      {"queue_s", latency_of(stats.queue)}};
    out["saturated"] = part.saturated;
    const auto judged = static_cast<double>(stats.slo_good + stats.slo_missed);
    out["slo"]["attainment"] =
        or_null(part.has_slo ? ratio(static_cast<double>(stats.slo_good), judged) : std::nullopt);
    out["replicas"] = replicas_of(result, part.service);
    out["warm_pool"] = warm_pool_of(sums, window_s);
    out["scale_events"] = scale_events_of(sums, result.end);
    out["pods"] = pods_of(sums);
    out["preemptions"] = stats.preemptions;
    out["kv_cache"] = kv_cache_of(stats);
    out["speculation"] = {{"drafted_tokens", stats.drafted_tokens},
                          {"accepted_tokens", stats.accepted_tokens}};
    out["adapters"] = {{"loads", stats.adapter_loads}};
    out["batches"] = batches_of(stats);
    out["gpu"] = {{"hours", sums.device_time.to_seconds() / 3600},
                  {"busy_fraction", or_null(part.engine.busy_fraction())},
                  {"kv_fraction", or_null(ratio(stats.kv_block_time.to_seconds(),
                                                stats.kv_capacity_time.to_seconds()))}};
    const double cost = static_cast<double>(part.cost.count()) / 1e6;
    const auto million_tokens = static_cast<double>(stats.output_tokens) / 1e6;
    out["cost"] = {{"total", cost},
                   {"currency", scenario.currency},
                   {"per_million_output_tokens", or_null(ratio(cost, million_tokens))}};
    out["energy_kwh"] = or_null(part.energy_kwh);
}

Json profile_json(const serving::ProfileInfo& info) {
    return {{"kind", info.kind}, {"name", info.name}, {"error_band", info.error_band}};
}

/// The profile of the service's LLM engines; where its versions differ, one by version.
Json profile_of(const scenarios::Scenario& scenario, const std::string& service) {
    Json first = nullptr;
    Json by_version = Json::object();
    bool same = true;
    for (const scenarios::ProfileUse& use : scenario.profiles) {
        if (use.service != service) continue;
        Json profile = profile_json(use.info);
        if (first.is_null()) first = profile;
        same = same && profile == first;
        by_version[use.version] = std::move(profile);
    }
    return same ? first : Json{{"versions", by_version}};
}

Money cost_of(const control::ControlResults& control, std::uint32_t service) {
    Money cost;
    for (const control::WorkloadResult& workload : control.workloads) {
        if (workload.service == service) cost += workload.cost;
    }
    return cost;
}

}  // namespace

Json build_summary(const scenarios::Scenario& scenario, const SimulationResult& result) {
    const EnergyUse energy = energy_use(scenario.spec, result);
    bool any_slo = false;
    for (const serving::ServiceSpec& service : scenario.spec.services) {
        any_slo = any_slo || service.slo.any();
    }
    Json out;
    out["version"] = program_version();
    out["scenario"] = scenario.name;
    out["scenario_hash"] = scenario.hash;
    out["seed"] = scenario.spec.seed;
    out["digest"] = result.digest.hex();
    out["simulated_s"] = result.end.to_seconds();
    add_part(out,
             {result.total, result.total.requests, std::nullopt,
              total_engine_time(scenario.spec, result), result.control.cost, energy.total_kwh,
              any_slo, result.saturated},
             scenario, result);
    out["cells"] = Json::array();
    for (const CellInfo& cell : result.cells) {
        Json names = Json::array();
        for (const std::uint32_t service : cell.services) {
            names.push_back(result.services[service].name);
        }
        out["cells"].push_back(std::move(names));
    }
    out["services"] = Json::object();
    for (std::uint32_t i = 0; i < result.services.size(); ++i) {
        const ServiceResult& service = result.services[i];
        Json& entry = out["services"][service.name] = Json::object();
        add_part(entry,
                 {service.stats, service.stats.calls, i, engine_time(scenario.spec, result, i),
                  cost_of(result.control, i), energy.service_kwh[i],
                  scenario.spec.services[i].slo.any(), service.saturated},
                 scenario, result);
        entry["profile"] = profile_of(scenario, service.name);
    }
    return out;
}

std::string summary_text(const Json& summary) {
    return summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace headroom::analysis
