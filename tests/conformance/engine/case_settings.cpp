#include "tests/conformance/engine/case_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "scenarios/located_json.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using scenarios::Diagnostics;

/// The settings of a case, each asked for by name; what nobody asked for is not covered either.
class Settings {
  public:
    Settings(const fs::path& file, Diagnostics& problems) : problems_(problems) {
        auto document = scenarios::read_json_file(file.string(), problems);
        if (!document) return;
        document_ = std::move(*document);
        if (!document_.value().is_object()) complain("", "expected an object");
    }

    [[nodiscard]] bool has(const std::string& key) {
        asked_.insert(key);
        return find(key) != nullptr;
    }
    std::int64_t whole_number(const std::string& key, std::int64_t least) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_number_integer() && value->get<std::int64_t>() >= least) {
            return value->get<std::int64_t>();
        }
        complain(key, fmt::format("expected a whole number >= {}", least));
        return least;
    }
    double number(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_number() && value->get<double>() >= 0) {
            return value->get<double>();
        }
        complain(key, "expected a number >= 0");
        return 0;
    }
    bool boolean(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_boolean()) return value->get<bool>();
        complain(key, "expected true or false");
        return false;
    }
    std::string text(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_string()) return value->get<std::string>();
        complain(key, "expected a text");
        return "";
    }
    /// Does not bear on the outcome.
    void ignore(const std::vector<std::string>& keys) { asked_.insert(keys.begin(), keys.end()); }
    /// Keys of the top level that were neither asked for nor ignored.
    [[nodiscard]] std::vector<std::string> unknown() const {
        std::vector<std::string> keys;
        for (const auto& [key, value] : document_.value().items()) {
            if (asked_.count(key) == 0) keys.push_back(key);
        }
        return keys;
    }

  private:
    /// "coef/c0" is the key c0 of the object coef.
    [[nodiscard]] const nlohmann::json* find(const std::string& key) {
        const nlohmann::json::json_pointer pointer("/" + key);
        asked_.insert(key.substr(0, key.find('/')));
        const nlohmann::json& value = document_.value();
        return value.contains(pointer) ? &value.at(pointer) : nullptr;
    }
    void complain(const std::string& key, const std::string& message) {
        const std::string pointer = key.empty() ? "" : "/" + key;
        problems_.push_back({document_.where(pointer), pointer, message});
    }

    Diagnostics& problems_;
    scenarios::LocatedJson document_;
    std::set<std::string> asked_;
};

/// The closed form's coefficients, in seconds. Vidur counts the token being computed as context:
/// `context_of_its_own` more for each decoding sequence.
std::shared_ptr<const serving::LatencyModel> linear_profile(Settings& settings,
                                                            bool context_of_its_own) {
    serving::LinearCoefficients c;
    c.per_iteration = Duration::from_seconds(settings.number("coef/c0"));
    c.per_prefill_token = Duration::from_seconds(settings.number("coef/c1"));
    c.per_decode_sequence = Duration::from_seconds(settings.number("coef/c2"));
    c.per_context_token = Duration::from_seconds(settings.number("coef/c3"));
    c.per_prefill_attention = Duration::from_seconds(settings.number("coef/c4"));
    if (context_of_its_own) c.per_decode_sequence += c.per_context_token;
    return std::make_shared<serving::LinearLatency>(c);
}

using Values = std::vector<std::pair<std::string, ParameterValue>>;

void set_engine(ReferenceCase& reference, const std::string& policy, const Values& values,
                std::int64_t kv_blocks, std::int64_t replicas) {
    reference.spec.services.push_back(
        llm_service("llm", choose<serving::BatchingPolicy>(policy, values), kv_blocks));
    add_workload(reference.spec, 0, replicas);
}

serving::LlmEngineSpec& engine_of(ReferenceCase& reference) {
    return *reference.spec.services[0].versions[0].engine.llm;
}

void read_vidur(Settings& settings, ReferenceCase& reference) {
    settings.ignore({"model", "device", "network_device", "tp", "derived", "stats"});
    const std::string scheduler = settings.text("scheduler");
    const std::int64_t batch = settings.whole_number("batch_size_cap", 1);
    const ParameterValue watermark{settings.number("watermark_blocks_fraction")};
    // Limits that only one of the schedulers reads.
    const std::int64_t padded = settings.whole_number("max_tokens_in_batch", 1);
    const std::int64_t chunk = settings.whole_number("chunk_size", 1);
    const std::int64_t longest = settings.whole_number("max_tokens", 1);
    Values values;
    std::string policy;
    if (scheduler == "vllm") {
        policy = "vllm-v0";
        values = {{"max_num_seqs", whole(batch)},
                  {"max_num_batched_tokens", whole(padded)},
                  {"watermark", watermark}};
    } else if (scheduler == "sarathi") {
        policy = "sarathi";
        values = {
            {"max_num_seqs", whole(batch)}, {"chunk_size", whole(chunk)}, {"watermark", watermark}};
    } else if (scheduler == "orca") {
        policy = "orca";
        // Its memory planner may have found fewer slots.
        const double slots = settings.has("derived/max_batch_size")
                                 ? settings.number("derived/max_batch_size")
                                 : static_cast<double>(batch);
        const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(slots));
        values = {{"max_num_seqs", whole(std::min(batch, most))},
                  {"reserve_tokens", whole(longest)}};
    } else if (scheduler == "sglang") {
        policy = "sglang";
        values = {{"max_running_requests", whole(batch)},
                  {"chunked_prefill_size", whole(chunk)},
                  {"max_prefill_tokens", whole(padded)}};
    } else if (scheduler == "tensorrt-llm") {
        policy = "tensorrt-llm";
        values = {{"max_batch_size", whole(batch)}, {"max_num_tokens", whole(padded)}};
    } else if (scheduler == "static") {
        policy = "static";
        values = {{"batch_size", whole(batch)}};
    } else {
        reference.not_covered.push_back("the scheduler \"" + scheduler + "\"");
        policy = "vllm-v0";
    }
    const std::int64_t stages = settings.whole_number("pp", 1);
    const std::string router = settings.text("router");
    if (router != "rr" && router != "lor") {
        reference.not_covered.push_back("the router \"" + router + "\"");
    }
    const std::string predictor = settings.text("predictor");
    set_engine(reference, policy, values, settings.whole_number("num_blocks", 1),
               settings.whole_number("replicas", 1));
    engine_of(reference).block_size = settings.whole_number("block_size", 1);
    engine_of(reference).pipeline_stages = stages;
    if (router == "lor") {
        reference.spec.services[0].routing = choose<serving::RoutingPolicy>("shortest-queue");
    }
    if (predictor == "linear") {
        engine_of(reference).latency = linear_profile(settings, true);
    } else {
        reference.not_covered.push_back("the iteration times of \"" + predictor + "\"");
    }
}

void read_vllm_v1(Settings& settings, ReferenceCase& reference) {
    settings.ignore({"stats"});
    const std::string engine = settings.text("engine");
    if (engine != "vllm-v1") reference.not_covered.push_back("the engine \"" + engine + "\"");
    const std::string policy = settings.text("policy");
    if (policy != "fcfs" && policy != "priority") {
        reference.not_covered.push_back("the policy \"" + policy + "\"");
    }
    reference.ids_are_texts = policy == "priority";
    const std::int64_t seqs = settings.whole_number("max_num_seqs", 1);
    const std::int64_t budget = settings.whole_number("max_num_batched_tokens", 1);
    const std::int64_t threshold = settings.whole_number("long_prefill_token_threshold", 0);
    // Block 0 is never handed out.
    set_engine(reference, "vllm-v1",
               {{"max_num_seqs", whole(seqs)},
                {"max_num_batched_tokens", whole(budget)},
                {"long_prefill_token_threshold", whole(threshold)},
                {"enable_chunked_prefill", {settings.boolean("enable_chunked_prefill")}},
                {"scheduler_reserve_full_isl", {settings.boolean("scheduler_reserve_full_isl")}},
                {"scheduling_policy", {policy}}},
               settings.whole_number("num_gpu_blocks", 2) - 1, 1);
    serving::LlmEngineSpec& engine_spec = engine_of(reference);
    engine_spec.block_size = settings.whole_number("block_size", 1);
    engine_spec.max_model_len = settings.whole_number("max_model_len", 2);
    engine_spec.async_scheduling = settings.boolean("async_scheduling");
    engine_spec.prefix_caching = settings.boolean("enable_prefix_caching");
    engine_spec.pipeline_stages = settings.whole_number("pipeline_parallel_size", 1);
    engine_spec.latency = linear_profile(settings, false);
}

}  // namespace

void read_settings(const fs::path& file, ReferenceCase& reference, Diagnostics& problems) {
    Settings settings(file, problems);
    if (!problems.empty()) return;
    if (settings.has("scheduler")) {
        read_vidur(settings, reference);
    } else {
        read_vllm_v1(settings, reference);
    }
    for (const std::string& key : settings.unknown()) {
        reference.not_covered.push_back("the setting \"" + key + "\"");
    }
}

}  // namespace headroom::tests
