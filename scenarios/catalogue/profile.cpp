#include "scenarios/catalogue/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "scenarios/catalogue/profile_file.hpp"
#include "sim/core/nearest_name.hpp"
#include "sim/serving/latency/estimated_operators.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "sim/serving/latency/measured_operators.hpp"

namespace headroom::scenarios {

namespace {

constexpr std::int64_t kMostBatchedTokens = 10'000'000;
constexpr std::int64_t kLargestBlock = 1024;

[[nodiscard]] std::string unknown(const char* kind, const std::string& name,
                                  const std::vector<std::string>& names) {
    return fmt::format("unknown {} \"{}\"{}", kind, name, did_you_mean(nearest_name(name, names)));
}

[[nodiscard]] double gigabytes(Bytes bytes) {
    return static_cast<double>(bytes.count()) / 1e9;
}

[[nodiscard]] std::string does_not_fit(const ModelEntry& model, const GpuEntry& gpu,
                                       const serving::EngineShape& engine,
                                       const serving::KvRoom& room) {
    const std::string need = room.gpus_needed == 0
                                 ? "no number of GPUs up to 64 is enough"
                                 : fmt::format("it needs {} GPUs (tensor parallel {})",
                                               room.gpus_needed, room.gpus_needed);
    return fmt::format(
        "{} in {} does not fit on {} x {}: {:.1f} GB of weights and {:.1f} GB of activations a GPU "
        "leave no KV cache in {:.1f} GB; {}",
        model.id, name_of(engine.dtype), engine.tp, gpu.id, gigabytes(room.weights),
        gigabytes(room.reserve),
        gigabytes(gpu.spec.memory) * static_cast<double>(engine.gpu_memory_utilization_ppm) / 1e6,
        need);
}

[[nodiscard]] std::string bad_engine(const EngineLimits& limits, const ProfileRequest& request) {
    if (limits.max_num_seqs < 1 || limits.max_num_batched_tokens < limits.max_num_seqs ||
        limits.max_num_batched_tokens > kMostBatchedTokens) {
        return fmt::format(
            "expected 1 <= max_num_seqs <= max_num_batched_tokens <= {}, found {} and {}",
            kMostBatchedTokens, limits.max_num_seqs, limits.max_num_batched_tokens);
    }
    if (request.block_size < 1 || request.block_size > kLargestBlock) {
        return fmt::format("expected a block size from 1 to {}, found {}", kLargestBlock,
                           request.block_size);
    }
    const std::int64_t utilization = request.gpu_memory_utilization_ppm;
    if (utilization < 1 || utilization > 1'000'000) {
        return fmt::format("expected a GPU memory utilization above 0 and up to 1, found {}",
                           static_cast<double>(utilization) / 1e6);
    }
    return {};
}

[[nodiscard]] std::string profile_name(const ModelEntry& model, const GpuEntry& gpu,
                                       const serving::EngineShape& engine) {
    std::string name =
        fmt::format("{} on {}, tp {}, {}", model.id, gpu.id, engine.tp, name_of(engine.dtype));
    if (engine.kv_dtype != serving::DType::bf16) {
        name += fmt::format(", {} KV cache", name_of(engine.kv_dtype));
    }
    if (engine.tp > 1 && gpu.spec.link == serving::LinkKind::pcie) {
        name += " (all-reduce over PCIe: not trusted)";
    }
    if (!model.note.empty()) name += fmt::format(" ({})", model.note);
    return name;
}

[[nodiscard]] serving::TransformerOptions options_of(const ProfileRequest& request,
                                                     const serving::EngineShape& engine) {
    serving::TransformerOptions options;
    options.engine = engine;
    options.host_per_iteration = request.host_per_iteration;
    options.host_per_sequence = request.host_per_sequence;
    return options;
}

/// The catalogue's profile of that kind for this request, null when it has none.
[[nodiscard]] const ProfileFile* find_profile(const Catalogue& catalogue,
                                              const ProfileRequest& request, ProfileKind kind) {
    for (const ProfileFile& file : catalogue.profiles()) {
        if (file.gpu != request.gpu) continue;
        if (kind == ProfileKind::measured && file.tables) {
            if (request.dtype == serving::DType::fp8 && file.tables->gemm_fp8.empty()) continue;
            return &file;
        }
        if (kind == ProfileKind::observed && file.observed) {
            const ObservedProfile& o = *file.observed;
            if (o.model == request.model && o.tensor_parallel == request.tp &&
                o.dtype == request.dtype && o.kv_cache_dtype == request.kv_dtype) {
                return &file;
            }
        }
    }
    return nullptr;
}

/// A broken profile that may be the one of that kind for this model and GPU, or null. What a file
/// does not say cannot speak against it, but for the GPU: it would stop everybody.
[[nodiscard]] const BrokenProfile* find_broken(const Catalogue& catalogue, const std::string& model,
                                               const std::string& gpu, ProfileKind kind) {
    const std::string& wanted = profile_kind_names()[static_cast<std::size_t>(kind)];
    for (const BrokenProfile& broken : catalogue.broken_profiles()) {
        if (broken.gpu != gpu || (!broken.kind.empty() && broken.kind != wanted)) continue;
        const bool other_model = !broken.model.empty() && broken.model != model;
        if (kind == ProfileKind::observed && other_model) continue;
        return &broken;
    }
    return nullptr;
}

[[nodiscard]] std::string refuse_broken(const BrokenProfile& broken) {
    return broken.text() + "; mend it, take it away, or say kind \"estimated\"";
}

/// Which kind the request gets, and its file where it has one; or the broken one that it may mean.
struct Choice {
    ProfileKind kind = ProfileKind::estimated;
    const ProfileFile* file = nullptr;
    const BrokenProfile* broken = nullptr;
};

[[nodiscard]] std::optional<Choice> choose_profile(const Catalogue& catalogue,
                                                   const ProfileRequest& request) {
    for (const ProfileKind kind : {ProfileKind::measured, ProfileKind::observed}) {
        if (request.kind != kind && request.kind != ProfileKind::best) continue;
        if (const ProfileFile* file = find_profile(catalogue, request, kind)) {
            return Choice{kind, file};
        }
        if (const auto* broken = find_broken(catalogue, request.model, request.gpu, kind)) {
            return Choice{kind, nullptr, broken};
        }
    }
    if (request.kind == ProfileKind::best || request.kind == ProfileKind::estimated) {
        return Choice{};
    }
    return std::nullopt;
}

[[nodiscard]] std::string no_such_profile(const Catalogue& catalogue,
                                          const ProfileRequest& request) {
    const bool measured = request.kind == ProfileKind::measured;
    std::string there;
    for (const ProfileFile& file : catalogue.profiles()) {
        if (measured == file.tables.has_value()) {
            there += (there.empty() ? "" : ", ") + std::filesystem::path(file.path).stem().string();
        }
    }
    std::string text = fmt::format(
        "no {} profile for {} on {} x {} in {}: the catalogue has {}; expected one "
        "of them, or kind \"estimated\"",
        measured ? "measured" : "observed", request.model, request.tp, request.gpu,
        name_of(request.dtype), there.empty() ? "none" : there);
    for (const BrokenProfile& broken : catalogue.broken_profiles()) text += "; " + broken.text();
    return text;
}

/// Attention that the benchmark does not time and collectives over PCIe are the estimate also in a
/// measured profile: then its error counts.
[[nodiscard]] double error_band_of(const Choice& choice, const ModelEntry& model,
                                   const GpuEntry& gpu, std::int64_t tp) {
    const double estimate = serving::error_band(gpu.spec);
    if (choice.file == nullptr) return estimate;
    if (choice.kind != ProfileKind::measured) return choice.file->error_band;
    const bool attention =
        !model.shape.latent.has_value() && model.shape.head_size == choice.file->tables->head_size;
    const bool collectives = tp == 1 || gpu.spec.link != serving::LinkKind::pcie;
    const double band = choice.file->error_band;
    return attention && collectives ? band : std::max(band, estimate);
}

[[nodiscard]] Profile build(const ModelEntry& model, const GpuEntry& gpu,
                            const ProfileRequest& request, const serving::EngineShape& engine,
                            const Choice& choice, const EngineLimits& limits,
                            const serving::KvRoom& room) {
    Profile profile;
    profile.info.kind = profile_kind_names()[static_cast<std::size_t>(choice.kind)];
    profile.info.name = profile_name(model, gpu, engine);
    profile.info.error_band = error_band_of(choice, model, gpu, engine.tp);
    profile.limits = limits;
    profile.room = room;
    profile.kv_blocks = room.blocks;
    profile.front_end = serving::kEstimatedFrontEnd;
    profile.weights = weight_bytes(model.shape, engine.dtype);
    if (choice.kind == ProfileKind::observed) {
        const ObservedProfile& observed = *choice.file->observed;
        profile.latency =
            std::make_shared<const serving::LinearLatency>(observed.linear, model.shape.moe);
        profile.front_end = observed.front_end;
        return profile;
    }
    std::shared_ptr<const serving::OperatorTimes> operators;
    if (choice.kind == ProfileKind::measured) {
        operators =
            std::make_shared<const serving::MeasuredOperators>(*choice.file->tables, gpu.spec);
    } else {
        operators = std::make_shared<const serving::EstimatedOperators>(gpu.spec);
    }
    profile.transformer = std::make_shared<const serving::TransformerLatency>(
        model.shape, std::move(operators), options_of(request, engine));
    profile.latency = profile.transformer;
    return profile;
}

}  // namespace

const std::vector<std::string>& profile_kind_names() {
    static const std::vector<std::string> names{"best", "measured", "observed", "estimated"};
    return names;
}

std::string does_not_split(const ModelEntry& model, std::int64_t tp) {
    std::string valid;
    for (std::int64_t n = 1; n <= 64; ++n) {
        if (serving::splits_over(model.shape, n))
            valid += fmt::format("{}{}", n == 1 ? "" : ", ", n);
    }
    return fmt::format(
        "{} with {} query heads and {} KV heads does not split over {} GPUs: expected one of {}",
        model.id, model.shape.query_heads, model.shape.kv_heads, tp, valid);
}

EngineLimits default_limits(const GpuEntry& gpu) {
    const bool a100 = gpu.id.starts_with("a100");
    if (gpu.spec.memory >= gibibytes(70) && !a100) return {8192, 1024};
    return {2048, 256};
}

ProfileResult make_profile(const Catalogue& catalogue, const ProfileRequest& request) {
    const auto refuse = [](std::string error) { return ProfileResult{{}, std::move(error)}; };
    const ModelEntry* model = catalogue.find_model(request.model);
    if (model == nullptr) return refuse(unknown("model", request.model, catalogue.model_names()));
    const GpuEntry* gpu = catalogue.find_gpu(request.gpu);
    if (gpu == nullptr) return refuse(unknown("GPU", request.gpu, catalogue.gpu_names()));
    if (!serving::splits_over(model->shape, request.tp)) {
        return refuse(does_not_split(*model, request.tp));
    }
    const std::optional<Choice> choice = choose_profile(catalogue, request);
    // An engine may keep its weights in fp8 and compute in bf16; only a log knows what that takes.
    const bool observed = choice && choice->kind == ProfileKind::observed;
    if (request.dtype == serving::DType::fp8 && gpu->spec.fp8_flops <= 0 && !observed) {
        return refuse(fmt::format("{} has no fp8: expected dtype bf16", gpu->id));
    }

    const EngineLimits limits = request.limits.value_or(default_limits(*gpu));
    if (std::string error = bad_engine(limits, request); !error.empty()) {
        return refuse(std::move(error));
    }
    serving::EngineShape engine;
    engine.tp = request.tp;
    engine.pipeline_stages = request.pipeline_stages;
    engine.dtype = request.dtype;
    engine.kv_dtype = request.kv_dtype;
    engine.max_num_batched_tokens = limits.max_num_batched_tokens;
    engine.max_num_seqs = limits.max_num_seqs;
    engine.block_size = request.block_size;
    engine.gpu_memory_utilization_ppm = request.gpu_memory_utilization_ppm;
    serving::KvRoom room = kv_blocks(model->shape, gpu->spec, engine);
    if (request.kv_blocks) room.blocks = *request.kv_blocks;
    if (room.blocks == 0) return refuse(does_not_fit(*model, *gpu, engine, room));
    const std::int64_t tokens = room.blocks * request.block_size;
    if (request.max_model_len && *request.max_model_len > tokens) {
        return refuse(
            fmt::format("the KV cache of {} on {} x {} holds {} tokens: expected max_model_len of "
                        "at most that, "
                        "found {}",
                        model->id, request.tp, gpu->id, tokens, *request.max_model_len));
    }

    if (!choice) return refuse(no_such_profile(catalogue, request));
    if (choice->broken != nullptr) return refuse(refuse_broken(*choice->broken));
    return {build(*model, *gpu, request, engine, *choice, limits, room), {}};
}

BatchProfileResult make_batch_profile(const Catalogue& catalogue, const std::string& network,
                                      const std::string& gpu, ProfileKind kind) {
    const auto refuse = [](std::string error) { return BatchProfileResult{{}, std::move(error)}; };
    const NetworkEntry* entry = catalogue.find_network(network);
    if (entry == nullptr) return refuse(unknown("network", network, catalogue.network_names()));
    const GpuEntry* device = catalogue.find_gpu(gpu);
    if (device == nullptr) return refuse(unknown("GPU", gpu, catalogue.gpu_names()));
    BatchProfile profile;
    profile.info.name = fmt::format("{} on {}, bf16", entry->id, device->id);
    for (const ProfileFile& file : catalogue.profiles()) {
        if (kind != ProfileKind::best && kind != ProfileKind::measured) break;
        if (file.gpu != gpu || !file.tables || entry->benchmark.empty()) continue;
        const auto times = file.tables->batch_times.find(entry->benchmark);
        if (times == file.tables->batch_times.end()) continue;
        profile.latency = std::make_shared<const serving::BatchLatency>(times->second);
        profile.info.kind = "measured";
        profile.info.error_band = file.error_band;
        return {std::move(profile), {}};
    }
    const bool may_be_measured =
        !entry->benchmark.empty() && (kind == ProfileKind::best || kind == ProfileKind::measured);
    if (may_be_measured) {
        if (const auto* broken = find_broken(catalogue, network, gpu, ProfileKind::measured)) {
            return refuse(refuse_broken(*broken));
        }
    }
    if (kind != ProfileKind::best && kind != ProfileKind::estimated) {
        return refuse(fmt::format("no {} profile of {} on {}: expected kind \"estimated\"",
                                  profile_kind_names()[static_cast<std::size_t>(kind)], network,
                                  gpu));
    }
    profile.latency = std::make_shared<const serving::BatchLatency>(
        serving::estimated_batch_times(entry->network, device->spec));
    profile.info.kind = "estimated";
    profile.info.error_band = serving::kBatchErrorBand;
    return {std::move(profile), {}};
}

}  // namespace headroom::scenarios
