// The part of the scenario format that describes services: engines, gateway, versions, autoscaling.

#include "scenarios/format.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/routing_policy.hpp"
#include "sim/serving/service_spec.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::scenarios {

namespace {

ParameterSpec simple_format() {
    return ParameterSpec::object(
               "simple",
               {ParameterSpec::integer("servers", 1, "requests served at once")
                    .at_least(1)
                    .at_most(1e6),
                ParameterSpec::object("service_time",
                                      traces::duration_specs(Duration::milliseconds(100)),
                                      "of one request"),
                ParameterSpec::integer("queue_limit", 0, "waiting requests at most; default: any")
                    .optional_without_default()
                    .at_least(0)},
               "servers in parallel behind one queue")
        .optional_without_default();
}

ParameterSpec warm_pool_format(const char* help) {
    return ParameterSpec::object(
               "warm_pool",
               {control::replica_count("size", 0,
                                       "pods that stand by: they hold and cost what any pod does, "
                                       "loaded and without traffic; 0: no pool")
                    .required(),
                ParameterSpec::duration("activation", Duration::zero(),
                                        "from a loaded pod's promotion until its server is up; "
                                        "readiness comes after it")
                    .at_most(kHorizonSeconds),
                ParameterSpec::boolean("reuse_on_scale_in", false,
                                       "pods that are scaled in go back to the pool once they are "
                                       "drained, as far as it lacks loaded ones")},
               help)
        .optional_without_default();
}

ParameterSpec versions_format() {
    ParameterSpec version = ParameterSpec::object(
        "version",
        {ParameterSpec::integer("weight", 100, "share of the traffic").at_least(0).at_most(1e9),
         engine_format(), simple_format(), dynamic_batching_format(),
         ParameterSpec::choice("role", {"both", "prefill", "decode"}, "both",
                               "what its engine does of a request; with pools for prefill and "
                               "decode the weight does not matter"),
         policy_format<serving::RoutingPolicy>("routing", "policy", "least-request",
                                               "which instance takes a request; default: the "
                                               "service's")
             .optional_without_default(),
         control::replica_count("replicas", 1, "default: the service's").optional_without_default(),
         warm_pool_format("default: the service's")},
        "one version of the service");
    return ParameterSpec::map("versions", std::move(version),
                              "versions that share the traffic, instead of an engine; each has "
                              "replicas and an autoscaler of its own")
        .optional_without_default()
        .in("name");
}

ParameterSpec kv_transfer_format() {
    return ParameterSpec::object(
               "kv_transfer",
               {ParameterSpec::quantity("nic_bandwidth", 0, "bytes/s",
                                        "of one instance, in each direction")
                    .required()
                    .above(0),
                ParameterSpec::quantity("fabric_bandwidth", 0, "bytes/s",
                                        "that all transfers share; default: as much as the NICs")
                    .optional_without_default()
                    .above(0),
                ParameterSpec::duration("latency", Duration::microseconds(50), "of a transfer")
                    .at_most(10)},
               "how KV blocks go from the version of role prefill to that of role decode")
        .optional_without_default();
}

ParameterSpec gateway_format() {
    return ParameterSpec::object(
        "gateway",
        {ParameterSpec::duration("timeout", Duration::seconds(60),
                                 "from arrival, over all attempts; default: none")
             .optional_without_default()
             .above(0)
             .at_most(kHorizonSeconds),
         ParameterSpec::integer("queue_limit", 0,
                                "requests held while no instance can take them; default: any")
             .optional_without_default()
             .at_least(0),
         ParameterSpec::integer("max_attempts", 1, "tries of a request that loses its instance")
             .at_least(1)
             .at_most(100),
         ParameterSpec::integer("max_in_flight_per_instance", 1, "default: any")
             .optional_without_default()
             .at_least(1)},
        "in front of the instances");
}

ParameterSpec slo_format() {
    const auto limit = [](const char* name, const char* help) {
        return ParameterSpec::duration(name, Duration::seconds(1), help)
            .optional_without_default()
            .above(0)
            .at_most(kHorizonSeconds);
    };
    return ParameterSpec::object(
        "slo",
        {limit("ttft", "time to first token"), limit("tpot", "mean time per further token"),
         limit("e2e", "time to the end of the answer")},
        "a request is good when it completes within every limit that is set");
}

ParameterSpec strategy_format() {
    return ParameterSpec::object(
        "strategy",
        {ParameterSpec::choice("type", {"RollingUpdate", "Recreate"}, "RollingUpdate",
                               "whether old and new pods run side by side meanwhile"),
         ParameterSpec::count_or_percent("max_surge", "25%",
                                         "pods above the wanted number at most: 2, or of that "
                                         "number \"25%\", rounded up")
             .at_most(10'000),
         ParameterSpec::count_or_percent("max_unavailable", "25%",
                                         "wanted pods that may be missing: 1, or of the wanted "
                                         "number \"25%\", rounded down")
             .at_most(100)},
        "how the pods of a new revision replace the old ones (event restart_workload)");
}

}  // namespace

ParameterSpec autoscaler_format(const char* name, const char* help) {
    ParameterSpec autoscaling = policy_format<control::ScalingPolicy>(name, "policy", "", help);
    autoscaling.fields.push_back(
        ParameterSpec::duration("phase", Duration::zero(), "offset of its ticks")
            .at_most(kHorizonSeconds));
    return std::move(autoscaling).optional_without_default();
}

ParameterSpec service_format() {
    return ParameterSpec::object(
        "service",
        {engine_format(), simple_format(), dynamic_batching_format(), versions_format(),
         policy_format<serving::RoutingPolicy>("routing", "policy", "least-request",
                                               "which instance takes a request"),
         gateway_format(), kv_transfer_format(),
         ParameterSpec::duration("front_end_delay", Duration::zero(),
                                 "from the gateway to the engine's queue; default: the profile's")
             .optional_without_default()
             .at_most(3600),
         ParameterSpec::object("jitter", traces::duration_specs(Duration::milliseconds(1)),
                               "random part of the front-end delay")
             .optional_without_default(),
         slo_format(),
         ParameterSpec::list("calls", ParameterSpec::text("service", "", "").required(),
                             "services called one after the other once this one is done"),
         control::replica_count("replicas", 1,
                                "at the start; default: the autoscaler's minimum, or 1")
             .optional_without_default(),
         strategy_format(),
         ParameterSpec::integer("min_ready_seconds", 0,
                                "in a rollout a pod counts once it was ready for so long")
             .in("s")
             .at_least(0)
             .at_most(kHorizonSeconds),
         warm_pool_format("standby pods beside the active ones, to be promoted when more are "
                          "wanted instead of starting new ones; of each version"),
         ParameterSpec::list(
             "speed_by_rank",
             ParameterSpec::number("speed", 1, "").required().above(0).at_most(1000),
             "speed factor of replica i modulo the length of the list"),
         pod_format(), autoscaler_format("autoscaling", "how many replicas there shall be"),
         autoscaler_format("vertical_autoscaling", "what the pods shall request")},
        "a service: exactly one of engine, simple, dynamic_batching and versions says what serves "
        "a "
        "request");
}

}  // namespace headroom::scenarios
