#include "analysis/calibration/offline.hpp"

#include <algorithm>
#include <vector>

#include "analysis/calibration/one_engine.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

constexpr double kUsableMemory = 0.98;
constexpr double kReservedBytes = 2.5e9;
constexpr double kKvShare = 0.95;
constexpr std::int64_t kLongOutput = 2048;

}  // namespace

std::int64_t offline_requests(std::int64_t output) {
    return output <= kLongOutput ? 3000 : 1000;
}

std::int64_t offline_kv_blocks(const scenarios::ModelEntry& model, const scenarios::GpuEntry& gpu,
                               const serving::EngineShape& engine) {
    const double weights =
        static_cast<double>(weight_bytes_per_rank(model.shape, engine.dtype, engine.tp).count());
    const double memory = static_cast<double>(gpu.spec.memory.count());
    const double room = kKvShare * (kUsableMemory * memory - weights - kReservedBytes);
    const auto block = static_cast<double>(
        engine.block_size * kv_bytes_per_token(model.shape, engine.kv_dtype, engine.tp).count());
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(room / block));
}

std::optional<OfflineResult> predict_offline(
    const std::shared_ptr<const serving::LatencyModel>& latency, const OfflineLoad& load,
    std::int64_t kv_blocks) {
    HEADROOM_CHECK((load.prompt + load.output) / load.block_size < kv_blocks,
                   "a request does not fit into the KV cache");
    serving::Arrival arrival;
    arrival.prompt = Tokens{load.prompt};
    arrival.output = Tokens{load.output};
    OfflineResult result;
    result.requests = load.requests > 0 ? load.requests : offline_requests(load.output);
    const auto arrivals = std::make_shared<const std::vector<serving::Arrival>>(
        static_cast<std::size_t>(result.requests), arrival);

    serving::LlmEngineSpec engine;
    engine.latency = latency;
    engine.batching = vllm_v1(load.max_num_seqs, load.max_num_batched_tokens);
    engine.block_size = load.block_size;
    engine.kv_blocks = kv_blocks;
    engine.max_model_len = load.prompt + load.output + 1;
    const SimulationResult run = Simulation(one_engine_spec(std::move(engine), arrivals)).run({});

    const serving::ServiceStats& stats = run.total;
    if (stats.requests.of(serving::Outcome::completed) != result.requests) {
        HEADROOM_CHECK(run.end >= Time::horizon_limit(),
                       "every request of an offline load completes");
        return std::nullopt;
    }
    result.makespan_s = (run.end - Time::zero()).to_seconds();
    result.output_tokens_per_s =
        static_cast<double>(result.requests * load.output) / result.makespan_s;
    result.requests_per_s = static_cast<double>(result.requests) / result.makespan_s;
    const double queued_s = stats.queue.mean() * 1e-12;
    const double served_s = stats.e2e.mean() * 1e-12 - queued_s;
    result.mean_sequences = result.requests_per_s * served_s;
    result.preemptions = stats.preemptions;
    return result;
}

}  // namespace headroom::analysis
