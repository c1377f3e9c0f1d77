#include "scenarios/catalogue/estimated_profile.hpp"

#include <fmt/format.h>

#include "scenarios/nearest_name.hpp"

namespace headroom::scenarios {

namespace {

constexpr std::int64_t kLargestBatch = 10'000'000;
constexpr std::int64_t kLargestBlock = 1024;

[[nodiscard]] std::string unknown(const char* kind, const std::string& name,
                                  const std::vector<std::string>& names) {
    return fmt::format("unknown {} \"{}\"{}", kind, name, did_you_mean(nearest_name(name, names)));
}

[[nodiscard]] std::string does_not_split(const ModelEntry& model, std::int64_t tp) {
    std::string valid;
    for (std::int64_t n = 1; n <= 64; ++n) {
        if (serving::splits_over(model.shape, n))
            valid += fmt::format("{}{}", n == 1 ? "" : ", ", n);
    }
    return fmt::format(
        "{} with {} query heads and {} KV heads does not split over {} GPUs: expected one of {}",
        model.id, model.shape.query_heads, model.shape.kv_heads, tp, valid);
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

[[nodiscard]] std::string bad_engine(const EngineLimits& limits, const EstimateRequest& request) {
    if (limits.max_num_seqs < 1 || limits.max_num_batched_tokens < limits.max_num_seqs ||
        limits.max_num_batched_tokens > kLargestBatch) {
        return fmt::format(
            "expected 1 <= max_num_seqs <= max_num_batched_tokens <= {}, found {} and {}",
            kLargestBatch, limits.max_num_seqs, limits.max_num_batched_tokens);
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

}  // namespace

EngineLimits default_limits(const GpuEntry& gpu) {
    const bool a100 = gpu.id.rfind("a100", 0) == 0;
    if (gpu.spec.memory >= gibibytes(70) && !a100) return {8192, 1024};
    return {2048, 256};
}

EstimateResult make_estimated(const Catalogue& catalogue, const EstimateRequest& request) {
    const auto refuse = [](std::string error) { return EstimateResult{{}, std::move(error)}; };
    const ModelEntry* model = catalogue.find_model(request.model);
    if (model == nullptr) return refuse(unknown("model", request.model, catalogue.model_names()));
    const GpuEntry* gpu = catalogue.find_gpu(request.gpu);
    if (gpu == nullptr) return refuse(unknown("GPU", request.gpu, catalogue.gpu_names()));
    if (!serving::splits_over(model->shape, request.tp)) {
        return refuse(does_not_split(*model, request.tp));
    }
    if (request.dtype == serving::DType::fp8 && gpu->spec.fp8_flops <= 0) {
        return refuse(fmt::format("{} has no fp8: expected dtype bf16", gpu->id));
    }

    const EngineLimits limits = request.limits.value_or(default_limits(*gpu));
    if (std::string error = bad_engine(limits, request); !error.empty()) {
        return refuse(std::move(error));
    }
    serving::EngineShape engine;
    engine.tp = request.tp;
    engine.dtype = request.dtype;
    engine.kv_dtype = request.kv_dtype;
    engine.max_num_batched_tokens = limits.max_num_batched_tokens;
    engine.max_num_seqs = limits.max_num_seqs;
    engine.block_size = request.block_size;
    engine.gpu_memory_utilization_ppm = request.gpu_memory_utilization_ppm;
    const serving::KvRoom room = kv_blocks(model->shape, gpu->spec, engine);
    if (room.blocks == 0) return refuse(does_not_fit(*model, *gpu, engine, room));
    const std::int64_t tokens = room.blocks * request.block_size;
    if (request.max_model_len && *request.max_model_len > tokens) {
        return refuse(
            fmt::format("the KV cache of {} on {} x {} holds {} tokens: expected max_model_len of "
                        "at most that, "
                        "found {}",
                        model->id, request.tp, gpu->id, tokens, *request.max_model_len));
    }

    EstimatedProfile profile;
    serving::TransformerOptions options;
    options.engine = engine;
    options.host_per_iteration = request.host_per_iteration;
    options.host_per_sequence = request.host_per_sequence;
    profile.latency = std::make_shared<const serving::TransformerLatency>(
        model->shape, std::make_shared<const serving::EstimatedOperators>(gpu->spec), options);
    profile.info = {"estimated", profile_name(*model, *gpu, engine), error_band(gpu->spec)};
    profile.limits = limits;
    profile.kv_blocks = room.blocks;
    profile.front_end = serving::kEstimatedFrontEnd;
    profile.weights = weight_bytes(model->shape, request.dtype);
    profile.weights_per_gpu = room.weights;
    return {std::move(profile), {}};
}

}  // namespace headroom::scenarios
