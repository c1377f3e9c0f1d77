// LLM engines: profiles, limits, what the engine can do besides, what they need.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "scenarios/build.hpp"
#include "scenarios/catalogue/profile.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/latency/linear_latency.hpp"

namespace headroom::scenarios {

namespace {

bool is_of_catalogue(const Parameters& profile) {
    return profile.find("kind") != nullptr && profile.text("kind") != "linear";
}

void set_linear(const Parameters& profile, serving::LlmEngineSpec& engine) {
    serving::LinearCoefficients c;
    c.per_iteration = profile.duration("c0");
    c.per_prefill_token = profile.duration("c1");
    c.per_decode_sequence = profile.duration("c2");
    c.per_context_token = profile.duration("c3");
    c.per_prefill_attention = profile.duration("c4");
    engine.latency = std::make_shared<const serving::LinearLatency>(c);
    engine.profile = {"linear", "linear", 0};
}

/// vLLM takes its limits from the GPU where the user says nothing; so does the batching policy
/// here, when it has such limits.
std::optional<EngineLimits> limits_of(BuildContext& context, const std::string& pointer,
                                      const GpuEntry& gpu, Parameters& batching) {
    if (!batching.given("max_num_seqs") || !batching.given("max_num_batched_tokens")) {
        return std::nullopt;
    }
    EngineLimits limits = default_limits(gpu);
    const bool tokens_written = context.written(pointer + "/batching/max_num_batched_tokens");
    const bool seqs_written = context.written(pointer + "/batching/max_num_seqs");
    if (tokens_written) limits.max_num_batched_tokens = batching.integer("max_num_batched_tokens");
    if (seqs_written) limits.max_num_seqs = batching.integer("max_num_seqs");
    if (!seqs_written) {
        limits.max_num_seqs = std::min(limits.max_num_seqs, limits.max_num_batched_tokens);
    } else if (!tokens_written) {
        limits.max_num_batched_tokens =
            std::max(limits.max_num_batched_tokens, limits.max_num_seqs);
    }
    batching.set("max_num_seqs", {limits.max_num_seqs});
    batching.set("max_num_batched_tokens", {limits.max_num_batched_tokens});
    return limits;
}

/// Complains about names first, so that each gets its own place in the file.
bool model_and_gpu_known(BuildContext& context, const std::string& pointer,
                         const Parameters& profile) {
    const bool model_known =
        !profile.given("model") || context.catalogue.find_model(profile.text("model")) != nullptr;
    const bool gpu_known =
        !profile.given("gpu") || context.catalogue.find_gpu(profile.text("gpu")) != nullptr;
    if (!model_known) {
        context.unknown_name(pointer + "/profile/model", "a model of the catalogue",
                             profile.text("model"), context.catalogue.model_names());
    }
    if (!gpu_known) {
        context.unknown_name(pointer + "/profile/gpu", "a GPU of the catalogue",
                             profile.text("gpu"), context.catalogue.gpu_names());
    }
    return model_known && gpu_known && profile.given("model") && profile.given("gpu");
}

ProfileKind kind_of(const std::string& name) {
    const std::vector<std::string>& names = profile_kind_names();
    return static_cast<ProfileKind>(std::find(names.begin(), names.end(), name) - names.begin());
}

void set_from_catalogue(BuildContext& context, const std::string& pointer,
                        const Parameters& parameters, const Parameters& pod,
                        serving::LlmEngineSpec& engine, Duration& front_end) {
    const Parameters& profile = parameters.object("profile");
    const GpuEntry& gpu = *context.catalogue.find_gpu(profile.text("gpu"));
    const auto dtype_of = [&](const char* field) {
        return profile.text(field) == "fp8" ? serving::DType::fp8 : serving::DType::bf16;
    };
    ProfileRequest request;
    request.kind = kind_of(profile.text("kind"));
    request.model = profile.text("model");
    request.gpu = profile.text("gpu");
    request.tp = profile.integer("tensor_parallel");
    request.pipeline_stages = engine.pipeline_stages;
    request.dtype = dtype_of("dtype");
    request.kv_dtype = dtype_of("kv_cache_dtype");
    request.limits = limits_of(context, pointer, gpu, engine.batching.parameters);
    request.block_size = engine.block_size;
    const GpuPart part = gpu_part(pod, gpu);
    request.gpu_memory_utilization_ppm =
        std::llround(parameters.number("gpu_memory_utilization") * part.memory * 1e6);
    request.host_per_iteration = profile.duration("host_per_iteration");
    request.host_per_sequence = profile.duration("host_per_sequence");
    const bool own_blocks = parameters.given("num_gpu_blocks");
    if (parameters.given("max_model_len") && !own_blocks) {
        request.max_model_len = parameters.integer("max_model_len");
    }
    const ProfileResult made = make_profile(context.catalogue, request);
    if (!made.profile) {
        const std::string why = part.name.empty() ? "" : " (its pods have " + part.name + " of it)";
        return context.complain(pointer + "/profile", made.error + why);
    }
    engine.latency = made.profile->latency;
    engine.profile = made.profile->info;
    if (!own_blocks) engine.kv_blocks = made.profile->kv_blocks;
    const ModelEntry& of_model = *context.catalogue.find_model(request.model);
    if (engine.kv_bytes_per_token == 0) {
        engine.kv_bytes_per_token =
            kv_bytes_per_token(of_model.shape, request.kv_dtype, request.tp).count() * request.tp;
    }
    front_end = made.profile->front_end;
    if (!parameters.given("max_model_len")) {
        engine.max_model_len =
            std::min(of_model.max_model_len, engine.kv_blocks * engine.block_size);
    }
}

/// Not every batching policy can plan for all that an engine can do.
void check_abilities(BuildContext& context, const std::string& pointer,
                     const serving::LlmEngineSpec& engine) {
    const PolicyContext unused{RandomStream(0, "abilities")};
    const auto abilities =
        make_policy<serving::BatchingPolicy>(engine.batching, unused)->abilities();
    const auto check = [&](const char* key, bool wanted, bool able, const char* without) {
        if (!wanted || able) return;
        context.complain(pointer + "/" + key,
                         fmt::format("expected {}: the batching policy \"{}\" cannot plan for it "
                                     "(\"vllm-v1\" can)",
                                     without, engine.batching.name));
    };
    check("enable_prefix_caching", engine.prefix_caching, abilities.prefix_caching, "false");
    check("async_scheduling", engine.async_scheduling, abilities.async_scheduling, "false");
    check("pipeline_parallel_size", engine.pipeline_stages > 1, abilities.pipeline, "1");
    check("lora", engine.adapters.has_value(), abilities.adapters, "no such key");
    check("speculative", engine.speculation.has_value(), abilities.speculation, "no such key");
    check("kv_offloading", engine.host_kv.has_value(), abilities.prefix_caching, "no such key");
    // A decode instance takes in KV blocks that another one has, by the ledger of prefix caching.
    const bool decodes = engine.role == serving::EngineRole::decode;
    check("batching", decodes, abilities.prefix_caching, "a policy that takes in KV blocks");
    const auto refuse_with_drafts = [&](const char* key, bool wanted) {
        if (!wanted || !engine.speculation) return;
        context.complain(pointer + "/" + key,
                         "expected neither async_scheduling nor pipeline stages together with "
                         "\"speculative\": how many tokens a batch gives is known at its end");
    };
    refuse_with_drafts("async_scheduling", engine.async_scheduling);
    refuse_with_drafts("pipeline_parallel_size", engine.pipeline_stages > 1);
}

/// LoRA adapters, speculation and the host tier: what an engine can do besides.
void set_options(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                 serving::LlmEngineSpec& engine) {
    engine.prefix_caching = parameters.boolean("enable_prefix_caching");
    engine.async_scheduling = parameters.boolean("async_scheduling");
    engine.pipeline_stages = parameters.integer("pipeline_parallel_size");
    if (parameters.given("lora") && context.clean(pointer + "/lora")) {
        const Parameters& p = parameters.object("lora");
        engine.adapters = serving::AdapterSpec{
            p.integer("max_loras"), integer_or(p, "max_cpu_loras", p.integer("max_loras")),
            p.duration("load_from_host"), p.duration("load_from_storage")};
        if (engine.adapters->max_cpu_loras < engine.adapters->max_loras) {
            context.complain(
                pointer + "/lora/max_cpu_loras",
                fmt::format("expected at least max_loras = {}, found {}",
                            engine.adapters->max_loras, engine.adapters->max_cpu_loras));
        }
    }
    if (parameters.given("speculative") && context.clean(pointer + "/speculative")) {
        const Parameters& p = parameters.object("speculative");
        engine.speculation =
            serving::SpeculationSpec{p.integer("num_speculative_tokens"),
                                     p.number("acceptance_rate"), p.duration("draft_time")};
    }
    if (parameters.given("kv_offloading") && context.clean(pointer + "/kv_offloading")) {
        const bool swap = parameters.object("kv_offloading").text("preemption") == "swap";
        engine.host_kv = serving::HostKvSpec{0, Duration::zero(), swap};
        if (!swap && !engine.prefix_caching) {
            context.complain(pointer + "/kv_offloading",
                             "expected \"enable_prefix_caching\": true, or \"preemption\": "
                             "\"swap\": nothing else would use the host's memory");
        }
    }
}

/// Needs to know how large a block is.
void size_host_tier(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                    serving::LlmEngineSpec& engine) {
    if (!engine.host_kv) return;
    if (engine.kv_bytes_per_token == 0) {
        context.complain(pointer,
                         "expected the key \"kv_bytes_per_token\": a linear profile does "
                         "not know how large the KV cache of a token is");
        return;
    }
    const Parameters& p = parameters.object("kv_offloading");
    const std::int64_t block = engine.kv_bytes_per_token * engine.block_size;
    engine.host_kv->blocks = p.integer("size") / block;
    engine.host_kv->time_per_block = Duration::from_seconds(
        static_cast<double>(block) / static_cast<double>(p.integer("bandwidth")));
    if (engine.host_kv->blocks > 0) return;
    context.complain(pointer + "/kv_offloading/size",
                     fmt::format("expected room for one block of {} bytes at least", block));
}

}  // namespace

serving::LlmEngineSpec build_engine(BuildContext& context, const std::string& pointer,
                                    const Parameters& parameters, const Parameters& pod,
                                    serving::EngineRole role, Duration& front_end) {
    serving::LlmEngineSpec engine;
    engine.role = role;
    const auto* profile = parameters.find("profile");
    engine.block_size = parameters.integer("block_size");
    engine.max_model_len = integer_or(parameters, "max_model_len", engine.max_model_len);
    if (parameters.given("batching")) {
        engine.batching = choice_of(parameters.object("batching"), "policy");
    }
    if (parameters.given("kv_bytes_per_token")) {
        engine.kv_bytes_per_token = parameters.integer("kv_bytes_per_token");
    }
    set_options(context, pointer, parameters, engine);
    if (context.clean(pointer)) check_abilities(context, pointer, engine);
    // vLLM keeps block 0 as the null block, which nothing may use.
    if (parameters.given("num_gpu_blocks")) {
        engine.kv_blocks = parameters.integer("num_gpu_blocks") - 1;
    }
    if (profile == nullptr || !profile->given()) return engine;
    const bool of_catalogue = is_of_catalogue(object_of(*profile));
    const bool known = !of_catalogue || model_and_gpu_known(context, pointer, object_of(*profile));
    if (!known || !context.clean(pointer)) return engine;
    if (of_catalogue) {
        set_from_catalogue(context, pointer, parameters, pod, engine, front_end);
        size_host_tier(context, pointer, parameters, engine);
        return engine;
    }
    size_host_tier(context, pointer, parameters, engine);
    set_linear(object_of(*profile), engine);
    if (!parameters.given("num_gpu_blocks")) {
        context.complain(pointer,
                         "expected the key \"num_gpu_blocks\": a linear profile does not "
                         "know the GPU's memory");
    }
    return engine;
}

EngineNeeds llm_engine_needs(const BuildContext& context, const Parameters& engine) {
    EngineNeeds needs;
    if (!engine.given("profile") || !is_of_catalogue(engine.object("profile"))) return needs;
    const Parameters& profile = engine.object("profile");
    if (!profile.given("model") || !profile.given("gpu")) return needs;
    const ModelEntry* model = context.catalogue.find_model(profile.text("model"));
    if (model == nullptr || context.catalogue.find_gpu(profile.text("gpu")) == nullptr)
        return needs;
    needs.gpus = profile.integer("tensor_parallel") * engine.integer("pipeline_parallel_size");
    needs.gpu = profile.text("gpu");
    const auto dtype = profile.text("dtype") == "fp8" ? serving::DType::fp8 : serving::DType::bf16;
    needs.weights = {model->id + "-" + profile.text("dtype"), weight_bytes(model->shape, dtype)};
    return needs;
}

}  // namespace headroom::scenarios
