// The part of the scenario format that describes LLM engines.

#include "scenarios/format.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::scenarios {

namespace {

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

ParameterSpec lora_format() {
    return ParameterSpec::object(
               "lora",
               {ParameterSpec::integer("max_loras", 1,
                                       "adapters with a slot on the GPU, and in one batch, at most")
                    .at_least(1)
                    .at_most(65535),
                ParameterSpec::integer("max_cpu_loras", 1,
                                       "adapters in host memory at most; default: max_loras")
                    .optional_without_default()
                    .at_least(1)
                    .at_most(65535),
                ParameterSpec::duration("load_from_host", Duration::milliseconds(10),
                                        "of an adapter into a slot; the batch that needs it waits")
                    .at_most(600),
                ParameterSpec::duration("load_from_storage", Duration::milliseconds(500),
                                        "into host memory before that")
                    .at_most(600)},
               "LoRA adapters; a request's is an attribute of its source (leaps)")
        .optional_without_default();
}

ParameterSpec speculative_format() {
    return ParameterSpec::object(
               "speculative",
               {ParameterSpec::integer("num_speculative_tokens", 3, "drafted for each decode")
                    .at_least(1)
                    .at_most(64),
                ParameterSpec::number(
                    "acceptance_rate", 0.7,
                    "of a drafted token, given that those before it were accepted")
                    .at_least(0)
                    .at_most(1),
                ParameterSpec::duration("draft_time", Duration::zero(),
                                        "of one drafted token, for the whole batch")
                    .at_most(10)},
               "speculative decoding (single steps)")
        .optional_without_default();
}

ParameterSpec kv_offloading_format() {
    return ParameterSpec::object(
               "kv_offloading",
               {ParameterSpec::quantity("size", 0, "bytes", "of the host's memory that it may use")
                    .required()
                    .above(0),
                ParameterSpec::quantity("bandwidth", 50'000'000'000, "bytes/s",
                                        "between the host and the GPUs, in each direction")
                    .above(0),
                ParameterSpec::choice(
                    "preemption", {"recompute", "swap"}, "recompute",
                    "whether preempted sequences are computed anew or kept there")},
               "host memory behind the KV cache: takes in what prefix caching evicts (single "
               "steps)")
        .optional_without_default();
}

}  // namespace

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
                ParameterSpec::boolean("enable_prefix_caching", defaults.prefix_caching,
                                       "share KV blocks of equal contents, as far as the source "
                                       "names contents; vLLM has it on today (leaps)"),
                ParameterSpec::boolean(
                    "async_scheduling", defaults.async_scheduling,
                    "plan a batch while the one before it runs; vLLM has it on since "
                    "December 2025 (leaps)"),
                ParameterSpec::integer("pipeline_parallel_size", defaults.pipeline_stages,
                                       "stages that each hold an equal part of the layers (more "
                                       "than one: single steps)")
                    .at_least(1)
                    .at_most(64),
                ParameterSpec::quantity("kv_bytes_per_token", 0, "bytes",
                                        "of the KV cache, all GPUs together; default: the model's")
                    .optional_without_default()
                    .above(0),
                lora_format(), speculative_format(), kv_offloading_format(),
                ParameterSpec::number("gpu_memory_utilization", 0.9,
                                      "share of the GPU memory that the engine may use")
                    .above(0)
                    .at_most(1)},
               "a continuous-batching LLM engine")
        .optional_without_default();
}

}  // namespace headroom::scenarios
