// The part of the scenario format that describes services: engines, gateway, versions, autoscaling.

#include "scenarios/format.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/routing_policy.hpp"
#include "sim/serving/service_spec.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::scenarios {

namespace {

constexpr double kHorizonSeconds = 8'640'000;  // Time::horizon_limit()

/// A profile of the catalogue: of the kind `name`, "best" for the best there is.
ParameterSpec catalogue_profile_format(const char* name, const char* help) {
    return ParameterSpec::object(
        name,
        {ParameterSpec::text("model", "", "a model of the catalogue").required(),
         ParameterSpec::text("gpu", "", "a GPU of the catalogue").required(),
         ParameterSpec::integer("tensor_parallel", 1, "GPUs of one instance")
             .at_least(1)
             .at_most(64),
         ParameterSpec::choice("dtype", {"bf16", "fp8"}, "bf16", "of the weights"),
         ParameterSpec::choice("kv_cache_dtype", {"bf16", "fp8"}, "bf16", "of the KV cache"),
         ParameterSpec::duration("host_per_iteration", Duration::milliseconds(1),
                                 "time of the host in an iteration (an observed profile has its "
                                 "own)")
             .at_most(10),
         ParameterSpec::duration("host_per_sequence", Duration::microseconds(5),
                                 "and for each sequence of it")
             .at_most(10)},
        help);
}

ParameterSpec linear_profile_format() {
    const auto coefficient = [](const char* name, const char* help) {
        return ParameterSpec::duration(name, Duration::zero(), help).at_most(10);
    };
    return ParameterSpec::object(
        "linear",
        {coefficient("c0", "per iteration").required().above(0),
         coefficient("c1", "per prefill token"), coefficient("c2", "per decoding sequence"),
         coefficient("c3", "per context token of the decoding sequences"),
         coefficient("c4", "per prefill token and token of context before it")},
        "five coefficients: c0 + c1 P + c2 D + c3 K + c4 A");
}

std::vector<ParameterSpec> profile_formats() {
    return {catalogue_profile_format("best", "measured, else observed, else estimated"),
            catalogue_profile_format("measured", "from the kernel benchmark on this GPU"),
            catalogue_profile_format("observed", "fitted to a serving engine's log"),
            catalogue_profile_format(
                "estimated", "from first principles, with the error band that the report states"),
            linear_profile_format()};
}

ParameterSpec engine_format() {
    const serving::LlmEngineSpec defaults;
    return ParameterSpec::object(
               "engine",
               {ParameterSpec::tagged("profile", "kind", profile_formats(), "best",
                                      "how long an iteration takes"),
                policy_format<serving::BatchingPolicy>("batching", "policy", "vllm-v1",
                                                       "what enters the next iteration"),
                ParameterSpec::integer("block_size", defaults.block_size, "of the KV cache")
                    .at_least(1)
                    .at_most(4096)
                    .in("tokens"),
                ParameterSpec::integer("num_gpu_blocks", 8193,
                                       "KV blocks as vLLM counts them, the null block included; "
                                       "default: what fits into the memory")
                    .optional_without_default()
                    .at_least(2)
                    .at_most(1e12),
                ParameterSpec::integer("max_model_len", defaults.max_model_len,
                                       "longest sequence; default: the model's, or what fits")
                    .optional_without_default()
                    .at_least(1)
                    .at_most(1e9)
                    .in("tokens"),
                ParameterSpec::number("gpu_memory_utilization", 0.9,
                                      "share of the GPU memory that the engine may use")
                    .above(0)
                    .at_most(1)},
               "a continuous-batching LLM engine")
        .optional_without_default();
}

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

ParameterSpec versions_format() {
    ParameterSpec version = ParameterSpec::object(
        "version",
        {ParameterSpec::integer("weight", 100, "share of the traffic").at_least(0).at_most(1e9),
         engine_format(), simple_format(),
         ParameterSpec::integer("replicas", 1, "default: the service's")
             .optional_without_default()
             .at_least(0)
             .at_most(1e6)},
        "one version of the service");
    return ParameterSpec::map("versions", std::move(version),
                              "versions that share the traffic, instead of an engine; each has "
                              "replicas and an autoscaler of its own")
        .optional_without_default()
        .in("name");
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

}  // namespace

ParameterSpec service_format() {
    ParameterSpec autoscaling = policy_format<control::ScalingPolicy>(
        "autoscaling", "policy", "", "how many replicas there shall be");
    autoscaling.fields.push_back(
        ParameterSpec::duration("phase", Duration::zero(), "offset of its ticks")
            .at_most(kHorizonSeconds));
    return ParameterSpec::object(
        "service",
        {engine_format(), simple_format(), versions_format(),
         policy_format<serving::RoutingPolicy>("routing", "policy", "least-request",
                                               "which instance takes a request"),
         gateway_format(),
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
         ParameterSpec::integer("replicas", 1,
                                "at the start; default: the autoscaler's minimum, or 1")
             .optional_without_default()
             .at_least(0)
             .at_most(1e6),
         ParameterSpec::list(
             "speed_by_rank",
             ParameterSpec::number("speed", 1, "").required().above(0).at_most(1000),
             "speed factor of replica i modulo the length of the list"),
         pod_format(), std::move(autoscaling).optional_without_default()},
        "a service: exactly one of engine, simple and versions says what serves a request");
}

}  // namespace headroom::scenarios
