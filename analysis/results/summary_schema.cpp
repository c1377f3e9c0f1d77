// The JSON Schema of summary.json.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "analysis/results/summary.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

Json typed(const char* type, const char* help) {
    return {{"type", type}, {"description", help}};
}
Json nullable(const char* type, const char* help) {
    return {{"type", {type, "null"}}, {"description", help}};
}

Json object(Json properties, const char* help) {
    Json required = Json::array();
    for (const auto& [name, schema] : properties.items()) required.push_back(name);
    return {{"type", "object"},
            {"description", help},
            {"additionalProperties", false},
            {"required", std::move(required)},
            {"properties", std::move(properties)}};
}

Json latency(const char* help) {
    Json properties;
    for (const char* name : {"mean", "p50", "p90", "p95", "p99", "max"}) {
        properties[name] = {{"type", {"number", "null"}}, {"minimum", 0}};
    }
    return object(std::move(properties), help);
}

Json counts(std::initializer_list<const char*> names, const char* help) {
    Json properties;
    for (const char* name : names) properties[name] = {{"type", "integer"}, {"minimum", 0}};
    return object(std::move(properties), help);
}

Json numbers(std::initializer_list<const char*> names, const char* help) {
    Json properties;
    for (const char* name : names) properties[name] = {{"type", {"number", "null"}}};
    return object(std::move(properties), help);
}

void add_load(Json& p) {
    p["requests"] = counts({"arrived", "completed", "failed", "rejected", "timed_out", "in_flight"},
                           "of the whole run; arrived is the sum of the others");
    p["tokens"] = counts({"prompt", "output"}, "of requests that completed after measure_from");
    p["throughput"] = numbers({"requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s"},
                              "completed, over the measured time");
    p["latency"] = object({{"e2e_s", latency("arrival to completion")},
                           {"ttft_s", latency("arrival to the first output token")},
                           {"tpot_s", latency("mean time per output token after the first")},
                           {"itl_s", latency("gaps between tokens of one request")},
                           {"queue_s", latency("arrival until the engine takes it up")}},
                          "seconds; null where nothing was measured");
    p["saturated"] = typed("boolean", "the backlog grows: latencies depend on how long one looks");
    p["slo"] = object({{"attainment", nullable("number", "fraction of requests within the SLO")}},
                      "null without an SLO");
}

void add_resources(Json& p) {
    p["replicas"] = numbers({"min", "mean", "max", "final"}, "ready replicas");
    p["warm_pool"] =
        object({{"loaded_mean", nullable("number", "pods that could be promoted")},
                {"promoted", typed("integer", "of the whole run")},
                {"returned", typed("integer", "pods scaled in; likewise")},
                {"cost", nullable("number", "of pods standing by, part of cost.total")}},
               "standby pods beside the replicas; null where there is no warm pool");
    Json events =
        counts({"up", "down", "reversals", "pods_created", "pods_deleted"},
               "changes of the desired replicas, of the whole run; a reversal is opposite "
               "to the one before");
    events["properties"]["reversals_per_h"] = nullable("number", "reversals over the run's hours");
    events["properties"]["capacity_lag_s"] =
        numbers({"mean", "max"},
                "from a raise until that many are ready; the mean is over replicas asked for");
    events["required"].push_back("reversals_per_h");
    events["required"].push_back("capacity_lag_s");
    p["scale_events"] = std::move(events);
    Json pods = counts({"created", "deleted", "pending", "became_ready"},
                       "pending: without a node at the end");
    pods["properties"]["start_s"] =
        numbers({"pending", "image_pull", "container_start", "weights_load", "warm_up"},
                "mean parts of the time until a pod became ready");
    pods["required"].push_back("start_s");
    p["pods"] = std::move(pods);
    p["preemptions"] = typed("integer", "sequences that lost their KV cache to others");
    p["kv_cache"] =
        object({{"prefix_query_tokens", typed("integer", "looked up, at every look-up")},
                {"prefix_hit_tokens", typed("integer", "of them found")},
                {"prefix_hit_rate", nullable("number", "the ratio")},
                {"host_hit_tokens", typed("integer", "fetched from the host's memory")},
                {"swaps", typed("integer", "preempted sequences that the host took in")},
                {"transferred_bytes", typed("integer", "from prefill to decode instances")}},
               "of the whole run");
    p["speculation"] = counts({"drafted_tokens", "accepted_tokens"}, "of the whole run");
    p["adapters"] = counts({"loads"}, "LoRA adapters into slots, of the whole run");
    p["batches"] = object({{"executed", typed("integer", "of the whole run")},
                           {"mean_size", nullable("number", "requests in a batch")}},
                          "of models behind a dynamic batcher");
    p["gpu"] = object({{"hours", typed("number", "devices held by pods")},
                       {"busy_fraction", nullable("number", "busy over existing engine time")},
                       {"kv_fraction", nullable("number", "KV blocks held over those that exist")}},
                      "devices and engines");
    p["cost"] = object({{"total", typed("number", "nodes; of a service: its pods' share")},
                        {"currency", typed("string", "ISO 4217")},
                        {"per_million_output_tokens", nullable("number", "in that currency")}},
                       "of the measured time");
    p["energy_kwh"] = nullable("number", "null where no node states its watts");
}

Json profile_schema() {
    Json one =
        object({{"kind", {{"enum", {"linear", "estimated", "observed", "measured"}}}},
                {"name", {{"type", "string"}}},
                {"error_band", {{"type", "number"}, {"minimum", 0}}}},
               "where an engine's speed comes from; error_band is relative, 0 if not stated");
    Json several = object({{"versions", {{"type", "object"}, {"additionalProperties", one}}}},
                          "where the versions differ");
    return {{"anyOf", {{{"type", "null"}}, std::move(one), std::move(several)}}};
}

}  // namespace

Json summary_schema() {
    Json service;
    add_load(service);
    add_resources(service);
    service["profile"] = profile_schema();

    Json top;
    top["version"] = typed("string", "of the program");
    top["scenario"] = typed("string", "its name");
    top["scenario_hash"] = typed("string", "of its merged content");
    top["seed"] = typed("integer", "of all random numbers");
    top["digest"] = typed("string", "fingerprint of every outcome and decision");
    top["simulated_s"] = typed("number", "length of the run");
    add_load(top);
    add_resources(top);
    top["cells"] = {{"type", "array"},
                    {"description", "services that may touch each other"},
                    {"items", {{"type", "array"}, {"items", {{"type", "string"}}}}}};
    top["services"] = {{"type", "object"},
                       {"additionalProperties", object(std::move(service), "one service")}};
    Json expect = object({{"condition", {{"type", "string"}}},
                          {"held", {{"type", "boolean"}}},
                          {"found", {{"type", {"number", "null"}}}}},
                         "one expectation of the scenario");
    top["expect"] = {{"type", "array"}, {"items", std::move(expect)}};

    Json schema =
        object(std::move(top), "What a run says in numbers; seconds unless named otherwise.");
    Json out = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                {"title", "Headroom summary"}};
    out.update(schema);
    return out;
}

}  // namespace headroom::analysis
