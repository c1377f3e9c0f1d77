// Services: engines and their profiles, versions, gateway, SLO, calls.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "scenarios/build.hpp"
#include "scenarios/catalogue/profile.hpp"
#include "scenarios/nearest_name.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::scenarios {

void BuildContext::complain(const std::string& pointer, std::string message) {
    diagnostics.push_back({document.where(pointer), pointer, std::move(message)});
}

void BuildContext::unknown_name(const std::string& pointer, std::string_view kind,
                                const std::string& found, const std::vector<std::string>& valid) {
    const std::string near = nearest_name(found, valid);
    std::string message = fmt::format("expected {}, found \"{}\"", kind, found);
    if (!near.empty()) {
        message += did_you_mean(near);
    } else if (valid.empty()) {
        message += " (there is none)";
    } else if (valid.size() <= 12) {
        message += fmt::format(" (there is: {})", fmt::join(valid, ", "));
    }
    complain(pointer, std::move(message));
}

bool BuildContext::written(std::string_view pointer) const {
    return document.value().contains(nlohmann::json::json_pointer(std::string(pointer)));
}

bool BuildContext::clean(std::string_view pointer) const {
    return std::none_of(diagnostics.begin(), diagnostics.end(), [pointer](const Diagnostic& d) {
        return d.pointer.compare(0, pointer.size(), pointer) == 0 &&
               (d.pointer.size() == pointer.size() || d.pointer[pointer.size()] == '/');
    });
}

std::optional<std::uint32_t> BuildContext::find_service(const std::string& name) const {
    const auto found = std::find(services.begin(), services.end(), name);
    if (found == services.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - services.begin());
}

PolicyChoice choice_of(const Parameters& tagged, std::string_view tag) {
    PolicyChoice choice;
    for (const auto& [name, value] : tagged.values()) {
        if (name == tag) {
            choice.name = std::get<std::string>(value.data);
        } else {
            choice.parameters.set(name, value);
        }
    }
    return choice;
}

const Parameters& object_of(const ParameterValue& value) {
    return *std::get<std::shared_ptr<const Parameters>>(value.data);
}

namespace {

std::optional<Duration> optional_duration(const Parameters& parameters, std::string_view name) {
    if (!parameters.given(name)) return std::nullopt;
    return parameters.duration(name);
}

std::int64_t integer_or(const Parameters& parameters, std::string_view name, std::int64_t other) {
    return parameters.given(name) ? parameters.integer(name) : other;
}

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
bool names_are_known(BuildContext& context, const std::string& pointer, const Parameters& profile) {
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
                        const Parameters& parameters, serving::LlmEngineSpec& engine,
                        Duration& front_end) {
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
    request.dtype = dtype_of("dtype");
    request.kv_dtype = dtype_of("kv_cache_dtype");
    request.limits = limits_of(context, pointer, gpu, engine.batching.parameters);
    request.block_size = engine.block_size;
    request.gpu_memory_utilization_ppm =
        std::llround(parameters.number("gpu_memory_utilization") * 1e6);
    request.host_per_iteration = profile.duration("host_per_iteration");
    request.host_per_sequence = profile.duration("host_per_sequence");
    const bool own_blocks = parameters.given("num_gpu_blocks");
    if (parameters.given("max_model_len") && !own_blocks) {
        request.max_model_len = parameters.integer("max_model_len");
    }
    const ProfileResult made = make_profile(context.catalogue, request);
    if (!made.profile) return context.complain(pointer + "/profile", made.error);
    engine.latency = made.profile->latency;
    engine.profile = made.profile->info;
    if (!own_blocks) engine.kv_blocks = made.profile->kv_blocks;
    front_end = made.profile->front_end;
    if (!parameters.given("max_model_len")) {
        const ModelEntry& model = *context.catalogue.find_model(request.model);
        engine.max_model_len = std::min(model.max_model_len, engine.kv_blocks * engine.block_size);
    }
}

serving::LlmEngineSpec build_llm(BuildContext& context, const std::string& pointer,
                                 const Parameters& parameters, Duration& front_end) {
    serving::LlmEngineSpec engine;
    const auto* profile = parameters.find("profile");
    engine.block_size = parameters.integer("block_size");
    engine.max_model_len = integer_or(parameters, "max_model_len", engine.max_model_len);
    if (parameters.given("batching")) {
        engine.batching = choice_of(parameters.object("batching"), "policy");
    }
    // vLLM keeps block 0 as the null block, which nothing may use.
    if (parameters.given("num_gpu_blocks")) {
        engine.kv_blocks = parameters.integer("num_gpu_blocks") - 1;
    }
    if (profile == nullptr || !profile->given()) return engine;
    const bool of_catalogue = is_of_catalogue(object_of(*profile));
    const bool known = !of_catalogue || names_are_known(context, pointer, object_of(*profile));
    if (!known || !context.clean(pointer)) return engine;
    if (of_catalogue) {
        set_from_catalogue(context, pointer, parameters, engine, front_end);
        return engine;
    }
    set_linear(object_of(*profile), engine);
    if (!parameters.given("num_gpu_blocks")) {
        context.complain(pointer,
                         "expected the key \"num_gpu_blocks\": a linear profile does not "
                         "know the GPU's memory");
    }
    return engine;
}

serving::SimpleEngineSpec build_simple(const Parameters& parameters) {
    serving::SimpleEngineSpec engine;
    engine.servers = parameters.integer("servers");
    engine.service_time = traces::duration_distribution(parameters.object("service_time"));
    engine.queue_limit = integer_or(parameters, "queue_limit", -1);
    return engine;
}

serving::VersionSpec build_version(BuildContext& context, const VersionParameters& version,
                                   Duration& front_end) {
    serving::VersionSpec out;
    out.name = version.name;
    const Parameters& parameters = *version.parameters;
    if (!version.alone) out.weight = parameters.integer("weight");
    const bool llm = context.written(version.pointer + "/engine");
    const bool simple = context.written(version.pointer + "/simple");
    if (llm && simple) {
        context.complain(version.pointer + "/simple",
                         "expected one of \"engine\" and \"simple\", found both");
    }
    if (!llm && !simple) {
        context.complain(version.pointer, std::string("expected \"engine\" or \"simple\"") +
                                              (version.alone ? " or \"versions\"" : "") +
                                              ": what serves a request");
    }
    if (llm && parameters.given("engine")) {
        out.engine.llm =
            build_llm(context, version.pointer + "/engine", parameters.object("engine"), front_end);
    }
    if (simple && parameters.given("simple")) {
        out.engine.simple = build_simple(parameters.object("simple"));
    }
    return out;
}

void build_versions(BuildContext& context, const std::string& name, const Parameters& service,
                    serving::ServiceSpec& out) {
    const std::string pointer = join_pointer("/services", name);
    if (context.written(pointer + "/versions")) {
        for (const char* other : {"engine", "simple"}) {
            if (!context.written(pointer + "/" + other)) continue;
            context.complain(pointer + "/" + other,
                             std::string("expected \"versions\" or \"") + other + "\", found both");
        }
    }
    std::int64_t weights = 0;
    for (const VersionParameters& version : versions_of(name, service)) {
        Duration front_end;
        out.versions.push_back(build_version(context, version, front_end));
        out.front_end_delay = std::max(out.front_end_delay, front_end);
        weights += out.versions.back().weight;
    }
    if (weights > 0 || !context.clean(pointer + "/versions")) return;
    context.complain(pointer + "/versions", "expected a version with a weight above 0");
}

serving::GatewaySpec build_gateway(const Parameters& parameters) {
    serving::GatewaySpec gateway;
    gateway.timeout = optional_duration(parameters, "timeout");
    gateway.queue_limit = integer_or(parameters, "queue_limit", -1);
    gateway.max_attempts = parameters.integer("max_attempts");
    gateway.max_in_flight_per_instance = integer_or(parameters, "max_in_flight_per_instance", -1);
    return gateway;
}

void build_calls(BuildContext& context, const std::string& pointer, const Parameters& service,
                 std::vector<std::uint32_t>& calls) {
    std::size_t i = 0;
    for (const ParameterValue& value : service.list("calls")) {
        const auto& name = std::get<std::string>(value.data);
        const std::string at = pointer + "/calls/" + std::to_string(i++);
        if (const auto index = context.find_service(name)) {
            calls.push_back(*index);
        } else {
            context.unknown_name(at, "the name of a service", name, context.services);
        }
    }
}

}  // namespace

std::vector<VersionParameters> versions_of(const std::string& service_name,
                                           const Parameters& service) {
    const std::string pointer = join_pointer("/services", service_name);
    if (!service.given("versions")) return {{"v1", pointer, &service, true}};
    std::vector<VersionParameters> out;
    for (const auto& [name, value] : service.object("versions").values()) {
        out.push_back({name, join_pointer(pointer + "/versions", name), &object_of(value), false});
    }
    return out;
}

EngineNeeds engine_needs(const BuildContext& context, const Parameters& version) {
    EngineNeeds needs;
    if (!version.given("engine")) return needs;
    const Parameters& engine = version.object("engine");
    if (!engine.given("profile") || !is_of_catalogue(engine.object("profile"))) return needs;
    const Parameters& profile = engine.object("profile");
    if (!profile.given("model") || !profile.given("gpu")) return needs;
    const ModelEntry* model = context.catalogue.find_model(profile.text("model"));
    if (model == nullptr || context.catalogue.find_gpu(profile.text("gpu")) == nullptr)
        return needs;
    needs.gpus = profile.integer("tensor_parallel");
    needs.gpu = profile.text("gpu");
    const auto dtype = profile.text("dtype") == "fp8" ? serving::DType::fp8 : serving::DType::bf16;
    needs.weights = {model->id + "-" + profile.text("dtype"), weight_bytes(model->shape, dtype)};
    return needs;
}

serving::ServiceSpec build_service(BuildContext& context, const std::string& name,
                                   const Parameters& service) {
    const std::string pointer = join_pointer("/services", name);
    serving::ServiceSpec out;
    out.name = name;
    build_versions(context, name, service, out);
    if (service.given("routing")) out.routing = choice_of(service.object("routing"), "policy");
    out.gateway = build_gateway(service.object("gateway"));
    const Parameters& slo = service.object("slo");
    out.slo = {optional_duration(slo, "ttft"), optional_duration(slo, "tpot"),
               optional_duration(slo, "e2e")};
    const bool has_tokens = std::any_of(out.versions.begin(), out.versions.end(),
                                        [](const auto& v) { return v.engine.llm.has_value(); });
    for (const char* limit : {"ttft", "tpot"}) {
        if (has_tokens || !slo.given(limit) || !context.clean(pointer)) continue;
        context.complain(pointer + "/slo/" + limit,
                         "expected only \"e2e\": a simple engine has no tokens");
    }
    if (service.given("front_end_delay")) out.front_end_delay = service.duration("front_end_delay");
    if (service.given("jitter") && context.clean(pointer + "/jitter")) {
        out.jitter = traces::duration_distribution(service.object("jitter"));
    }
    build_calls(context, pointer, service, out.calls);
    return out;
}

void check_calls(BuildContext& context, const std::vector<serving::ServiceSpec>& services) {
    enum class Mark : std::uint8_t { unseen, open, done };
    std::vector<Mark> marks(services.size(), Mark::unseen);
    std::vector<std::uint32_t> path;
    // Depth first; a call to a service that is still open closes a cycle.
    const auto visit = [&](const auto& self, std::uint32_t at) -> void {
        marks[at] = Mark::open;
        path.push_back(at);
        for (std::size_t i = 0; i < services[at].calls.size(); ++i) {
            const std::uint32_t next = services[at].calls[i];
            if (next >= services.size() || marks[next] == Mark::done) continue;
            if (marks[next] == Mark::unseen) {
                self(self, next);
                continue;
            }
            std::string cycle;
            const auto from = std::find(path.begin(), path.end(), next);
            for (auto it = from; it != path.end(); ++it) cycle += services[*it].name + " -> ";
            context.complain(
                join_pointer("/services", services[at].name) + "/calls",
                "expected calls without a cycle, found " + cycle + services[next].name);
        }
        path.pop_back();
        marks[at] = Mark::done;
    };
    for (std::uint32_t i = 0; i < services.size(); ++i) {
        if (marks[i] == Mark::unseen) visit(visit, i);
    }
}

}  // namespace headroom::scenarios
