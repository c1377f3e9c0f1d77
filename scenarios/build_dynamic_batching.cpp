// A model behind a dynamic batcher: its profile, and the rules between its fields.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scenarios/build.hpp"
#include "scenarios/catalogue/profile.hpp"
#include "sim/serving/latency/batch_latency.hpp"

namespace headroom::scenarios {

namespace {

constexpr std::int64_t kParameterBytes = 2;  // bf16

bool is_linear(const Parameters& profile) {
    return profile.find("kind") != nullptr && profile.text("kind") == "linear";
}

/// Complains about names first, so that each gets its own place in the file.
bool network_and_gpu_known(BuildContext& context, const std::string& pointer,
                           const Parameters& profile) {
    const Catalogue& catalogue = context.catalogue;
    const bool both = profile.given("model") && profile.given("gpu");
    bool known = both;
    if (profile.given("model") && catalogue.find_network(profile.text("model")) == nullptr) {
        context.unknown_name(pointer + "/model", "a network of the catalogue",
                             profile.text("model"), catalogue.network_names());
        known = false;
    }
    if (profile.given("gpu") && catalogue.find_gpu(profile.text("gpu")) == nullptr) {
        context.unknown_name(pointer + "/gpu", "a GPU of the catalogue", profile.text("gpu"),
                             catalogue.gpu_names());
        known = false;
    }
    return known;
}

void set_linear(BuildContext& context, const std::string& pointer, const Parameters& profile,
                serving::DynamicEngineSpec& engine) {
    if (!profile.given("t0")) return;
    const Duration t0 = profile.duration("t0");
    const Duration t1 = profile.duration("t1");
    if (t0 + t1 == Duration::zero()) {
        return context.complain(pointer, "expected t0 or t1 above 0, found a batch in no time");
    }
    engine.latency = std::make_shared<const serving::BatchLatency>(
        serving::BatchTimes{{1, 2}, {(t0 + t1).to_seconds(), (t0 + t1 * 2).to_seconds()}});
    engine.profile = {"linear", "linear", 0};
}

void set_profile(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                 serving::DynamicEngineSpec& engine) {
    if (!parameters.given("profile")) return;
    const Parameters& profile = parameters.object("profile");
    if (is_linear(profile)) return set_linear(context, pointer, profile, engine);
    if (!network_and_gpu_known(context, pointer, profile) || !context.clean(pointer)) return;
    const std::vector<std::string>& kinds = profile_kind_names();
    const auto kind = std::find(kinds.begin(), kinds.end(), profile.text("kind")) - kinds.begin();
    BatchProfileResult made =
        make_batch_profile(context.catalogue, profile.text("model"), profile.text("gpu"),
                           static_cast<ProfileKind>(kind));
    if (!made.profile) return context.complain(pointer, made.error);
    engine.latency = made.profile->latency;
    engine.profile = made.profile->info;
}

void set_preferred(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                   serving::DynamicEngineSpec& engine) {
    std::set<std::int64_t> sizes;
    std::size_t i = 0;
    for (const ParameterValue& value : parameters.list("preferred_batch_size")) {
        const std::int64_t size = std::get<std::int64_t>(value.data);
        if (size > engine.max_batch_size) {
            context.complain(pointer + "/" + std::to_string(i),
                             fmt::format("expected at most max_batch_size ({}), found {}",
                                         engine.max_batch_size, size));
        }
        sizes.insert(size);
        ++i;
    }
    if (sizes.empty()) sizes.insert(engine.max_batch_size);
    engine.preferred_batch_sizes.assign(sizes.begin(), sizes.end());
}

void set_queue_policy(const Parameters& policy, serving::DynamicEngineSpec& engine) {
    engine.max_queue_size = policy.integer("max_queue_size");
    if (policy.given("default_timeout")) {
        engine.default_timeout = policy.duration("default_timeout");
    }
    engine.timeout_action = policy.text("timeout_action") == "delay"
                                ? serving::QueueTimeoutAction::delay
                                : serving::QueueTimeoutAction::reject;
}

void set_priorities(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                    serving::DynamicEngineSpec& engine) {
    engine.priority_levels = parameters.integer("priority_levels");
    engine.default_priority_level = parameters.integer("default_priority_level");
    const bool is_level = engine.default_priority_level >= 1 &&
                          engine.default_priority_level <= engine.priority_levels;
    if (engine.priority_levels > 0 && !is_level) {
        context.complain(pointer + "/default_priority_level",
                         fmt::format("expected a level from 1 to priority_levels ({}), found {}",
                                     engine.priority_levels, engine.default_priority_level));
    }
    if (engine.priority_levels == 0 && engine.default_priority_level != 0) {
        context.complain(pointer + "/default_priority_level",
                         "expected \"priority_levels\" beside it");
    }
}

}  // namespace

serving::DynamicEngineSpec build_dynamic_batching(BuildContext& context, const std::string& pointer,
                                                  const Parameters& parameters) {
    serving::DynamicEngineSpec engine;
    set_profile(context, pointer + "/profile", parameters, engine);
    if (parameters.given("max_batch_size")) {
        engine.max_batch_size = parameters.integer("max_batch_size");
        set_preferred(context, pointer + "/preferred_batch_size", parameters, engine);
    }
    engine.max_queue_delay = parameters.duration("max_queue_delay");
    engine.instances = parameters.object("instance_group").integer("count");
    set_queue_policy(parameters.object("default_queue_policy"), engine);
    set_priorities(context, pointer, parameters, engine);
    return engine;
}

EngineNeeds dynamic_batching_needs(const BuildContext& context, const Parameters& parameters) {
    EngineNeeds needs;
    if (!parameters.given("profile")) return needs;
    const Parameters& profile = parameters.object("profile");
    if (is_linear(profile) || !profile.given("model") || !profile.given("gpu")) return needs;
    const NetworkEntry* network = context.catalogue.find_network(profile.text("model"));
    if (network == nullptr || context.catalogue.find_gpu(profile.text("gpu")) == nullptr) {
        return needs;
    }
    needs.gpus = 1;
    needs.gpu = profile.text("gpu");
    needs.weights = {network->id + "-bf16", Bytes{network->network.parameters * kParameterBytes}};
    return needs;
}

}  // namespace headroom::scenarios
