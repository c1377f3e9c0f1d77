// headroom calibrate predict: what a model would do on a GPU, without writing a scenario.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "analysis/calibration/offline.hpp"
#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/catalogue/profile.hpp"
#include "scenarios/quantities.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
using scenarios::ProfileKind;
using scenarios::ProfileRequest;
using serving::DType;
using serving::IterationShape;

constexpr std::uint64_t kMostTokens = 10'000'000;
constexpr std::uint64_t kMostRequests = 1'000'000;
constexpr Duration kLongestHost = Duration::seconds(10);  // as in a scenario

CommandSpec predict_spec() {
    return {
        .name = "predict",
        .usage = "--model MODEL --gpu GPU [OPTION]...",
        .summary = "Says what a model would do on a GPU: times, tokens/s, KV room.",
        .details =
            "Names are those of the catalogue (scenarios/catalogue/). The best profile there is "
            "stands behind it:\nmeasured, else observed, else estimated; the answer says which, "
            "and "
            "its error band.\n",
        .options = engine_options(
            "bf16, with --offline the weights'",
            {{.name = "kind",
              .value = "KIND",
              .help = "of the profile: best, measured, observed or estimated; default best",
              .choices = {"best", "measured", "observed", "estimated"}},
             {.name = "context",
              .value = "N",
              .help = "tokens each decoding sequence attends to; default 1000"},
             {.name = "gpus-per-node", .value = "N", .help = "default 8"},
             {.name = "offline",
              .value = "IN/OUT",
              .help = "throughput of equal requests, all there at the start: prompt and output "
                      "tokens, as 1000/1000"},
             {.name = "requests",
              .value = "N",
              .help = "of --offline; default 3000, for outputs beyond 2048 tokens 1000"},
             {.name = "host-per-iteration",
              .value = "TIME",
              .help = "of the host's own work in an iteration; default 1ms"},
             {.name = "host-per-sequence", .value = "TIME", .help = "and for each sequence; 5us"},
             output_option()}),
        .least_positional = 0,
        .most_positional = 0,
        .positional_name = ""};
}

Duration duration_option(const Arguments& given, const std::string& name, Duration otherwise) {
    const std::optional<std::string> text = given.value(name);
    if (!text) return otherwise;
    const auto parsed = scenarios::parse_duration(*text);
    if (!parsed.value || *parsed.value < Duration::zero() || *parsed.value > kLongestHost) {
        throw UsageError("--" + name + ": expected a time as 1ms or 5us, at most 10s, found \"" +
                         *text + "\"");
    }
    return *parsed.value;
}

/// Refuses options that would change nothing.
void refuse(const Arguments& given, const std::vector<const char*>& names, const char* why) {
    for (const char* name : names) {
        if (given.has(name)) throw UsageError(std::string("--") + name + " " + why);
    }
}

std::int64_t whole_option(const Arguments& given, const std::string& name, std::int64_t otherwise,
                          std::uint64_t most) {
    const std::optional<std::string> text = given.value(name);
    if (!text) return otherwise;
    return static_cast<std::int64_t>(whole_number("--" + name, *text, 1, most));
}

/// "1000/500".
OfflineLoad offline_load(const Arguments& given) {
    const std::string text = *given.value("offline");
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos) {
        throw UsageError("--offline: expected prompt and output tokens as 1000/1000, found \"" +
                         text + "\"");
    }
    OfflineLoad load;
    load.prompt =
        static_cast<std::int64_t>(whole_number("--offline", text.substr(0, slash), 1, kMostTokens));
    load.output = static_cast<std::int64_t>(
        whole_number("--offline", text.substr(slash + 1), 1, kMostTokens));
    load.requests = whole_option(given, "requests", offline_requests(load.output), kMostRequests);
    return load;
}

ProfileKind kind_of(const Arguments& given) {
    const auto& kinds = scenarios::profile_kind_names();
    const std::string kind = given.value("kind").value_or("best");
    return static_cast<ProfileKind>(std::find(kinds.begin(), kinds.end(), kind) - kinds.begin());
}

ProfileRequest profile_request(const Arguments& given) {
    if (!given.has("model") || !given.has("gpu")) {
        throw UsageError("expected --model and --gpu");
    }
    ProfileRequest request;
    request.model = *given.value("model");
    request.gpu = *given.value("gpu");
    request.tp = whole_option(given, "tp", 1, 64);
    request.dtype = dtype_of(given.value("dtype").value_or("bf16"));
    const bool offline = given.has("offline");
    request.kv_dtype = given.has("kv-cache-dtype") ? dtype_of(*given.value("kv-cache-dtype"))
                       : offline                   ? request.dtype
                                                   : DType::bf16;
    request.kind = kind_of(given);
    request.host_per_iteration =
        duration_option(given, "host-per-iteration", request.host_per_iteration);
    request.host_per_sequence =
        duration_option(given, "host-per-sequence", request.host_per_sequence);
    return request;
}

/// `result` with its profile, or why there is none.
scenarios::Profile made_profile(const Arguments& given, scenarios::ProfileResult result) {
    if (!result.profile) throw UsageError(result.error);
    if (result.profile->transformer == nullptr) {
        refuse(given, {"host-per-iteration", "host-per-sequence"},
               "is not for an observed profile, whose times hold the host's");
    }
    return std::move(*result.profile);
}

Json profile_json(const serving::ProfileInfo& info) {
    return {{"name", info.name}, {"kind", info.kind}, {"error_band", info.error_band}};
}

Json request_json(const ProfileRequest& request, const scenarios::Profile& profile) {
    return {{"model", request.model},
            {"gpu", request.gpu},
            {"tensor_parallel", request.tp},
            {"dtype", serving::name_of(request.dtype)},
            {"kv_cache_dtype", serving::name_of(request.kv_dtype)},
            {"profile", profile_json(profile.info)}};
}

std::string heading(const scenarios::Profile& profile) {
    return fmt::format("{}: {}, +-{}\n", profile.info.name, profile.info.kind,
                       percent_text(profile.info.error_band));
}

// ---------------------------------------------------------------- offline

/// KV blocks, in which a request of the load has room.
std::int64_t offline_blocks(const scenarios::Catalogue& catalogue, const ProfileRequest& request,
                            const OfflineLoad& load) {
    const scenarios::ModelEntry& model = *catalogue.find_model(request.model);
    const scenarios::GpuEntry& gpu = *catalogue.find_gpu(request.gpu);
    const std::int64_t needed = (load.prompt + load.output) / load.block_size + 1;
    const auto blocks_at = [&](std::int64_t tp) {
        serving::EngineShape engine;
        engine.tp = tp;
        engine.dtype = request.dtype;
        engine.kv_dtype = request.kv_dtype;
        engine.block_size = load.block_size;
        return offline_kv_blocks(model, gpu, engine);
    };
    const std::int64_t blocks = blocks_at(request.tp);
    if (blocks >= needed) return blocks;
    std::string instead = "no number of GPUs up to 64 is enough";
    for (std::int64_t tp = request.tp + 1; tp <= 64; ++tp) {
        if (!serving::splits_over(model.shape, tp) || blocks_at(tp) < needed) continue;
        instead = fmt::format("it needs {} GPUs (--tp {})", tp, tp);
        break;
    }
    throw UsageError(fmt::format(
        "{} in {} on {} x {} has room for {} tokens of KV cache beside its weights, and one "
        "request takes {}; {}",
        model.id, serving::name_of(request.dtype), request.tp, gpu.id, blocks * load.block_size,
        load.prompt + load.output, instead));
}

int predict_offline_load(const scenarios::Catalogue& catalogue, const Arguments& given) {
    const OfflineLoad load = offline_load(given);
    ProfileRequest request = profile_request(given);
    request.limits = {load.max_num_batched_tokens, load.max_num_seqs};
    request.kv_blocks = 1;  // the benchmark's memory rule decides below
    const scenarios::Profile profile =
        made_profile(given, scenarios::make_profile(catalogue, request));
    const std::int64_t blocks = offline_blocks(catalogue, request, load);
    const std::int64_t room = blocks * load.block_size;
    const std::optional<OfflineResult> done = predict_offline(profile.latency, load, blocks);
    if (!done) {
        throw UsageError(
            fmt::format("--offline: {} requests take more than 100 days; expected fewer",
                        count_text(load.requests)));
    }
    const OfflineResult& result = *done;

    if (given.value("output") == "json") {
        Json out = request_json(request, profile);
        out["prompt_tokens"] = load.prompt;
        out["output_tokens"] = load.output;
        out["requests"] = result.requests;
        out["max_num_batched_tokens"] = load.max_num_batched_tokens;
        out["max_num_seqs"] = load.max_num_seqs;
        out["kv_blocks"] = blocks;
        out["kv_tokens"] = room;
        if (profile.transformer != nullptr) {
            out["host_per_iteration_s"] = request.host_per_iteration.to_seconds();
            out["host_per_sequence_s"] = request.host_per_sequence.to_seconds();
        }
        out["makespan_s"] = result.makespan_s;
        out["output_tokens_per_s"] = result.output_tokens_per_s;
        out["requests_per_s"] = result.requests_per_s;
        out["mean_sequences"] = result.mean_sequences;
        out["preemptions"] = result.preemptions;
        print_out(out.dump(2) + "\n");
        return kExitGood;
    }
    std::string out = heading(profile);
    out += fmt::format("Load        {} of {} + {} tokens, all at the start\n",
                       plural(result.requests, "request"), count_text(load.prompt),
                       count_text(load.output));
    out +=
        fmt::format("Engine      {} tokens an iteration, {} sequences, {} KV, room for {} tokens\n",
                    count_text(load.max_num_batched_tokens), count_text(load.max_num_seqs),
                    serving::name_of(request.kv_dtype), count_text(room));
    out += fmt::format("Throughput  {} output tokens/s, {} requests/s\n",
                       rate_text(result.output_tokens_per_s), rate_text(result.requests_per_s));
    out += fmt::format("Makespan    {}, {} sequences at once on average, {}\n",
                       clock_text(result.makespan_s), rate_text(result.mean_sequences),
                       plural(result.preemptions, "preemption"));
    print_out(out);
    return kExitGood;
}

// ---------------------------------------------------------------- one iteration

struct DecodePoint {
    std::int64_t batch = 0;
    std::int64_t context = 0;
    Duration time;
    bool fits = true;  ///< into the KV cache
};

struct PrefillPoint {
    std::int64_t tokens = 0;
    Duration time;
};

Duration decode_time(const serving::LatencyModel& latency, std::int64_t batch,
                     std::int64_t context) {
    IterationShape shape;
    shape.decode_sequences = shape.sampled_tokens = batch;
    shape.context_tokens = batch * context;
    return latency.iteration_cost(shape).at(shape.context_tokens);
}

Duration prefill_time(const serving::LatencyModel& latency, std::int64_t tokens) {
    IterationShape shape;
    shape.prefill_tokens = tokens;
    shape.prefill_attention_doubled = tokens * tokens;
    shape.prefill_chunks = shape.sampled_tokens = 1;
    return latency.iteration_cost(shape).at(0);
}

struct Prediction {
    scenarios::Profile profile;
    ProfileRequest request;
    std::int64_t context = 0;
    std::int64_t kv_tokens = 0;
    std::int64_t gpus_per_node = 0;
    std::vector<DecodePoint> decode;
    std::vector<PrefillPoint> prefill;
};

Prediction predict_iterations(const scenarios::Catalogue& catalogue, const Arguments& given) {
    Prediction p;
    p.request = profile_request(given);
    p.profile = made_profile(given, scenarios::make_profile(catalogue, p.request));
    p.context = whole_option(given, "context", 1000, kMostTokens);
    p.gpus_per_node = whole_option(given, "gpus-per-node", 8, 1024);
    p.kv_tokens = p.profile.kv_blocks * p.request.block_size;
    const std::int64_t most = p.profile.limits.max_num_seqs;
    const std::int64_t blocks_each = p.context / p.request.block_size + 1;
    for (std::int64_t batch = 1; batch <= most; batch *= 2) {
        p.decode.push_back({batch, p.context, decode_time(*p.profile.latency, batch, p.context),
                            batch * blocks_each <= p.profile.kv_blocks});
    }
    for (std::int64_t tokens = 128; tokens <= p.profile.limits.max_num_batched_tokens;
         tokens *= 2) {
        p.prefill.push_back({tokens, prefill_time(*p.profile.latency, tokens)});
    }
    return p;
}

/// Of a decode step with half of the largest batch that fits, in the order of their share.
std::vector<std::pair<std::string, double>> shares_of(const Prediction& p, std::int64_t& batch) {
    std::vector<std::pair<std::string, double>> shares;
    if (p.profile.transformer == nullptr) return shares;
    for (const DecodePoint& point : p.decode) {
        if (point.fits) batch = point.batch;
    }
    if (batch == 0) return shares;
    IterationShape shape;
    shape.decode_sequences = shape.sampled_tokens = batch;
    shape.context_tokens = batch * p.context;
    const serving::OperatorBreakdown parts = p.profile.transformer->breakdown(shape);
    const double total = parts.total().to_seconds();
    shares = {{"matrix products", parts.gemm.to_seconds()},
              {"attention", parts.decode_attention.to_seconds()},
              {"elementwise", parts.elementwise.to_seconds()},
              {"communication", parts.communication.to_seconds()},
              {"vocabulary", (parts.lm_head + parts.sampling).to_seconds()},
              {"host", parts.host.to_seconds()}};
    for (auto& share : shares) share.second /= total;
    std::stable_sort(shares.begin(), shares.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return shares;
}

std::string to_json(const Prediction& p) {
    Json out = request_json(p.request, p.profile);
    out["weights_bytes_per_gpu"] = p.profile.room.weights.count();
    out["reserve_bytes_per_gpu"] = p.profile.room.reserve.count();
    out["kv_blocks"] = p.profile.kv_blocks;
    out["kv_tokens"] = p.kv_tokens;
    out["gpus_per_node"] = p.gpus_per_node;
    out["instances_per_node"] = p.gpus_per_node / p.request.tp;
    out["front_end_s"] = p.profile.front_end.to_seconds();
    Json decode = Json::array();
    for (const DecodePoint& point : p.decode) {
        const double seconds = point.time.to_seconds();
        decode.push_back({{"batch", point.batch},
                          {"context_tokens", point.context},
                          {"iteration_s", seconds},
                          {"output_tokens_per_s", static_cast<double>(point.batch) / seconds},
                          {"fits", point.fits}});
    }
    out["decode"] = std::move(decode);
    Json prefill = Json::array();
    for (const PrefillPoint& point : p.prefill) {
        const double seconds = point.time.to_seconds();
        prefill.push_back({{"prompt_tokens", point.tokens},
                           {"iteration_s", seconds},
                           {"prompt_tokens_per_s", static_cast<double>(point.tokens) / seconds}});
    }
    out["prefill"] = std::move(prefill);
    std::int64_t batch = 0;
    const auto shares = shares_of(p, batch);
    if (!shares.empty()) {
        Json parts;
        for (const auto& [name, share] : shares) parts[name] = share;
        out["shares"] = {{"batch", batch}, {"of_iteration", std::move(parts)}};
    }
    return out.dump(2) + "\n";
}

std::string to_table(const Prediction& p) {
    const auto gigabytes = [](Bytes bytes) {
        return significant(static_cast<double>(bytes.count()) / 1e9) + " GB";
    };
    std::string out = heading(p.profile);
    out += fmt::format(
        "Memory      {} of weights and {} of activations a GPU; KV cache for {} tokens "
        "({} blocks)\n",
        gigabytes(p.profile.room.weights), gigabytes(p.profile.room.reserve),
        count_text(p.kv_tokens), count_text(p.profile.kv_blocks));
    if (const std::int64_t instances = p.gpus_per_node / p.request.tp; instances > 0) {
        out += fmt::format("Node        {} with {} each\n", plural(instances, "instance"),
                           plural(p.request.tp, "GPU"));
    } else {
        out += fmt::format(
            "Node        too small: {}, an instance takes {}; times are as if one node held them\n",
            plural(p.gpus_per_node, "GPU"), p.request.tp);
    }
    out += fmt::format("\nDecoding, {} tokens of context a sequence\n", count_text(p.context));
    std::vector<std::vector<std::string>> rows = {{"batch", "iteration", "tokens/s", "a sequence"}};
    bool all_fit = true;
    for (const DecodePoint& point : p.decode) {
        const double seconds = point.time.to_seconds();
        rows.push_back({count_text(point.batch) + (point.fits ? "" : " *"), duration_text(seconds),
                        rate_text(static_cast<double>(point.batch) / seconds),
                        rate_text(1 / seconds)});
        all_fit = all_fit && point.fits;
    }
    out += columns(rows, 2);
    if (!all_fit) out += "  * more context than the KV cache holds\n";
    out += "\nOne prompt alone\n";
    rows = {{"tokens", "iteration", "tokens/s"}};
    for (const PrefillPoint& point : p.prefill) {
        const double seconds = point.time.to_seconds();
        rows.push_back({count_text(point.tokens), duration_text(seconds),
                        rate_text(static_cast<double>(point.tokens) / seconds)});
    }
    out += columns(rows, 2);
    std::int64_t batch = 0;
    const auto shares = shares_of(p, batch);
    if (!shares.empty()) {
        out += fmt::format("\nWhere the time of batch {} goes:", batch);
        for (std::size_t i = 0; i < shares.size(); ++i) {
            if (shares[i].second < 0.005) continue;
            out += fmt::format("{} {} {}", i == 0 ? "" : ",", shares[i].first,
                               percent_text(shares[i].second));
        }
        out += "\n";
    }
    return out;
}

// ---------------------------------------------------------------- networks served in batches

int predict_network(const scenarios::Catalogue& catalogue, const Arguments& given) {
    refuse(given,
           {"offline", "requests", "context", "tp", "dtype", "kv-cache-dtype", "gpus-per-node",
            "host-per-iteration", "host-per-sequence"},
           "is for language models");
    if (!given.has("gpu")) throw UsageError("expected --model and --gpu");
    const scenarios::BatchProfileResult made = scenarios::make_batch_profile(
        catalogue, *given.value("model"), *given.value("gpu"), kind_of(given));
    if (!made.profile) throw UsageError(made.error);
    const scenarios::BatchProfile& profile = *made.profile;
    Json points = Json::array();
    std::vector<std::vector<std::string>> rows = {{"batch", "time", "items/s"}};
    for (std::int64_t batch = 1; batch <= 256; batch *= 2) {
        const double seconds = profile.latency->at(batch).to_seconds();
        const double rate = static_cast<double>(batch) / seconds;
        points.push_back({{"batch", batch}, {"t_s", seconds}, {"items_per_s", rate}});
        rows.push_back({count_text(batch), duration_text(seconds), rate_text(rate)});
    }
    if (given.value("output") == "json") {
        const Json out = {{"model", *given.value("model")},
                          {"gpu", *given.value("gpu")},
                          {"profile", profile_json(profile.info)},
                          {"batches", points}};
        print_out(out.dump(2) + "\n");
    } else {
        print_out(fmt::format("{}: {}, +-{}\n", profile.info.name, profile.info.kind,
                              percent_text(profile.info.error_band)) +
                  columns(rows, 2));
    }
    return kExitGood;
}

int predict(const Arguments& given) {
    const scenarios::Catalogue catalogue = load_catalogue();
    if (const auto model = given.value("model")) {
        if (catalogue.find_network(*model) != nullptr) return predict_network(catalogue, given);
        std::vector<std::string> names = catalogue.model_names();
        for (const std::string& network : catalogue.network_names()) names.push_back(network);
        if (catalogue.find_model(*model) == nullptr) {
            throw UsageError("unknown model \"" + *model + "\"" +
                             scenarios::did_you_mean(nearest_name(*model, names)));
        }
    }
    if (given.has("offline")) {
        refuse(given, {"context", "gpus-per-node"}, "does not go with --offline");
        return predict_offline_load(catalogue, given);
    }
    refuse(given, {"requests"}, "is for --offline");
    const Prediction prediction = predict_iterations(catalogue, given);
    print_out(given.value("output") == "json" ? to_json(prediction) : to_table(prediction));
    return kExitGood;
}

}  // namespace

Command calibrate_predict_command() {
    return {predict_spec(), predict};
}

}  // namespace headroom::analysis
