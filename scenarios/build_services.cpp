// Services: engines and their profiles, versions, gateway, SLO, calls.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "scenarios/build.hpp"
#include "sim/core/nearest_name.hpp"
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

bool BuildContext::services_are_unreadable() const {
    return written("/services") && !document.value().at("services").is_object();
}

std::vector<std::string> BuildContext::unreadable_services() const {
    std::vector<std::string> names;
    if (!written("/services") || services_are_unreadable()) return names;
    for (const auto& [name, value] : document.value().at("services").items()) {
        if (!find_service(name)) names.push_back(name);
    }
    return names;
}

void BuildContext::unknown_service(const std::string& pointer, const std::string& name) {
    const std::vector<std::string> unreadable = unreadable_services();
    if (services_are_unreadable() ||
        std::find(unreadable.begin(), unreadable.end(), name) != unreadable.end()) {
        return;
    }
    unknown_name(pointer, "the name of a service", name, services);
}

bool BuildContext::is_of_bad_entry(const std::string& map, const std::string& part) const {
    if (!written(map)) return false;
    const nlohmann::json& entries = document.value().at(nlohmann::json::json_pointer(map));
    if (!entries.is_object()) return true;
    for (const auto& [name, value] : entries.items()) {
        const bool names_it = part == name || part.compare(0, name.size() + 1, name + "-") == 0;
        if (names_it && !clean(join_pointer(map, name))) return true;
    }
    return false;
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

void warn_of_unused(BuildContext& context, const std::string& pointer, const char* choice,
                    const std::string& value, const std::vector<const char*>& keys) {
    for (const char* key : keys) {
        if (!context.written(pointer + "/" + key)) continue;
        context.warnings.push_back(fmt::format(
            "{}/{} has no effect: \"{}\" is \"{}\"{}", pointer, key, choice, value,
            context.written(pointer + "/" + choice) ? "" : " where the file does not say"));
    }
}

Distribution build_duration(BuildContext& context, const std::string& pointer,
                            const Parameters& parameters) {
    warn_of_unused(context, pointer, "distribution", parameters.text("distribution"),
                   traces::unused_of_duration(parameters));
    return traces::duration_distribution(parameters);
}

namespace {

std::optional<Duration> optional_duration(const Parameters& parameters, std::string_view name) {
    if (!parameters.given(name)) return std::nullopt;
    return parameters.duration(name);
}

serving::SimpleEngineSpec build_simple(BuildContext& context, const std::string& pointer,
                                       const Parameters& parameters) {
    serving::SimpleEngineSpec engine;
    engine.servers = parameters.integer("servers");
    engine.service_time =
        build_duration(context, pointer + "/service_time", parameters.object("service_time"));
    engine.queue_limit = integer_or(parameters, "queue_limit", -1);
    return engine;
}

/// The keys of which a version has exactly one.
constexpr std::array<const char*, 3> kEngineKeys = {"engine", "simple", "dynamic_batching"};

void check_one_engine(BuildContext& context, const VersionParameters& version,
                      const std::array<bool, 3>& written) {
    const char* first = nullptr;
    for (std::size_t i = 0; i < kEngineKeys.size(); ++i) {
        if (!written[i]) continue;
        if (first != nullptr) {
            context.complain(version.pointer + "/" + kEngineKeys[i],
                             fmt::format("expected one of \"{}\" and \"{}\", found both", first,
                                         kEngineKeys[i]));
        } else {
            first = kEngineKeys[i];
        }
    }
    if (first != nullptr) return;
    context.complain(version.pointer, fmt::format("expected \"{}\"{}: what serves a request",
                                                  fmt::join(kEngineKeys, "\" or \""),
                                                  version.alone ? " or \"versions\"" : ""));
}

serving::EngineRole role_of(const Parameters& version) {
    const std::string& role = version.text("role");
    if (role == "prefill") return serving::EngineRole::prefill;
    return role == "decode" ? serving::EngineRole::decode : serving::EngineRole::both;
}

serving::VersionSpec build_version(BuildContext& context, const VersionParameters& version,
                                   const Parameters& pod, Duration& front_end) {
    serving::VersionSpec out;
    out.name = version.name;
    const Parameters& parameters = *version.parameters;
    if (!version.alone) {
        out.weight = parameters.integer("weight");
        if (parameters.given("routing")) {
            out.routing = choice_of(parameters.object("routing"), "policy");
        }
    }
    const bool llm = context.written(version.pointer + "/engine");
    const bool simple = context.written(version.pointer + "/simple");
    const bool dynamic = context.written(version.pointer + "/dynamic_batching");
    check_one_engine(context, version, {llm, simple, dynamic});
    if (llm && parameters.given("engine")) {
        const auto role = version.alone ? serving::EngineRole::both : role_of(parameters);
        out.engine.llm = build_engine(context, version.pointer + "/engine",
                                      parameters.object("engine"), pod, role, front_end);
    }
    if (simple && parameters.given("simple")) {
        out.engine.simple =
            build_simple(context, version.pointer + "/simple", parameters.object("simple"));
    }
    if (dynamic && parameters.given("dynamic_batching")) {
        out.engine.dynamic = build_dynamic_batching(context, version.pointer + "/dynamic_batching",
                                                    parameters.object("dynamic_batching"));
    }
    return out;
}

void build_versions(BuildContext& context, const std::string& name, const Parameters& service,
                    serving::ServiceSpec& out) {
    const std::string pointer = join_pointer("/services", name);
    if (context.written(pointer + "/versions")) {
        for (const char* other : kEngineKeys) {
            if (!context.written(pointer + "/" + other)) continue;
            context.complain(pointer + "/" + other,
                             std::string("expected \"versions\" or \"") + other + "\", found both");
        }
    }
    std::int64_t weights = 0;
    for (const VersionParameters& version : versions_of(name, service)) {
        Duration front_end;
        out.versions.push_back(build_version(context, version, service.object("pod"), front_end));
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

/// Pools for prefill and decode: one version of each role, all or none.
void build_kv_transfer(BuildContext& context, const std::string& pointer, const Parameters& service,
                       serving::ServiceSpec& out) {
    const serving::LlmEngineSpec* prefill = nullptr;
    std::size_t prefills = 0;
    std::size_t decodes = 0;
    for (const serving::VersionSpec& version : out.versions) {
        if (!version.engine.llm) continue;
        const serving::EngineRole role = version.engine.llm->role;
        if (role == serving::EngineRole::prefill) prefill = &*version.engine.llm;
        prefills += role == serving::EngineRole::prefill ? 1 : 0;
        decodes += role == serving::EngineRole::decode ? 1 : 0;
    }
    const bool wanted = service.given("kv_transfer");
    if (!context.clean(pointer + "/kv_transfer") || !context.clean(pointer + "/versions")) return;
    if (!wanted && prefills + decodes == 0) return;
    if (prefills != 1 || decodes != 1 || out.versions.size() != 2) {
        context.complain(pointer + "/versions",
                         "expected two versions with engines, one of role \"prefill\" and one of "
                         "role \"decode\", as \"kv_transfer\" goes from the one to the other");
        return;
    }
    if (!wanted) {
        context.complain(pointer,
                         "expected the key \"kv_transfer\": how KV blocks go from the "
                         "prefill pool to the decode pool");
        return;
    }
    for (const VersionParameters& pool : versions_of(out.name, service)) {
        const std::int64_t replicas =
            integer_or(*pool.parameters, "replicas", integer_or(service, "replicas", 1));
        if (replicas > 0) continue;
        const std::string own = pool.pointer + "/replicas";
        context.complain(context.written(own) ? own : pointer + "/replicas",
                         fmt::format("expected at least 1 replica: without the pool \"{}\" no "
                                     "request is ever completed",
                                     pool.name));
    }
    const Parameters& p = service.object("kv_transfer");
    serving::KvTransferSpec transfer{prefill->kv_bytes_per_token, p.integer("nic_bandwidth"),
                                     integer_or(p, "fabric_bandwidth", 0), p.duration("latency")};
    out.kv_transfer = transfer;
    if (transfer.bytes_per_token > 0 || !context.clean(pointer)) return;
    context.complain(pointer + "/versions",
                     "expected the key \"kv_bytes_per_token\" in the engine of role \"prefill\": a "
                     "linear profile does not know how large the KV cache of a token is");
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
            context.unknown_service(at, name);
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
    if (version.given("dynamic_batching")) {
        return dynamic_batching_needs(context, version.object("dynamic_batching"));
    }
    if (version.given("engine")) return llm_engine_needs(context, version.object("engine"));
    return {};
}

serving::ServiceSpec build_service(BuildContext& context, const std::string& name,
                                   const Parameters& service) {
    const std::string pointer = join_pointer("/services", name);
    serving::ServiceSpec out;
    out.name = name;
    build_versions(context, name, service, out);
    if (service.given("routing")) out.routing = choice_of(service.object("routing"), "policy");
    out.gateway = build_gateway(service.object("gateway"));
    build_kv_transfer(context, pointer, service, out);
    const Parameters& slo = service.object("slo");
    out.slo = {optional_duration(slo, "ttft"), optional_duration(slo, "tpot"),
               optional_duration(slo, "e2e")};
    const bool has_tokens = std::any_of(out.versions.begin(), out.versions.end(),
                                        [](const auto& v) { return v.engine.llm.has_value(); });
    for (const char* limit : {"ttft", "tpot"}) {
        if (has_tokens || !slo.given(limit) || !context.clean(pointer)) continue;
        context.complain(pointer + "/slo/" + limit,
                         "expected only \"e2e\": what serves a request has no tokens");
    }
    if (service.given("front_end_delay")) out.front_end_delay = service.duration("front_end_delay");
    if (service.given("jitter") && context.clean(pointer + "/jitter")) {
        out.jitter = build_duration(context, pointer + "/jitter", service.object("jitter"));
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
