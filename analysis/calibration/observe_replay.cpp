#include "analysis/calibration/observe_replay.hpp"

#include <memory>
#include <utility>

#include "analysis/calibration/one_engine.hpp"

namespace headroom::analysis {

LogReplay::LogReplay(const EngineLog& log, const ObserveOptions& options) : moe_(options.moe) {
    auto arrivals = std::make_shared<std::vector<serving::Arrival>>();
    std::int64_t blocks = 0;
    for (const LoggedRequest& request : log.requests) {
        serving::Arrival arrival;
        arrival.time = request.arrival;
        arrival.prompt = Tokens{request.prompt_tokens};
        arrival.output = Tokens{request.output_tokens};
        arrival.contents = request.contents;
        arrivals->push_back(arrival);
        blocks += (request.prompt_tokens + request.output_tokens) / options.block_size + 1;
    }
    serving::LlmEngineSpec engine;
    engine.batching =
        options.batching.value_or(vllm_v1(options.max_num_seqs, options.max_num_batched_tokens));
    engine.block_size = options.block_size;
    engine.kv_blocks = options.kv_blocks.value_or(blocks);
    engine.max_model_len = options.max_model_len;
    engine.prefix_caching = options.prefix_caching;
    engine.async_scheduling = options.async_scheduling;
    spec_ = one_engine_spec(std::move(engine), std::move(arrivals), options.replicas);
    run_options_.keep_rows = true;
    run_options_.stop = options.stop;
}

std::vector<serving::RequestRow> LogReplay::run(const serving::LinearCoefficients& coefficients,
                                                Duration front_end) {
    spec_.services[0].front_end_delay = front_end;
    spec_.services[0].versions[0].engine.llm->latency =
        std::make_shared<serving::LinearLatency>(coefficients, moe_);
    SimulationResult result = Simulation(spec_).run(run_options_);
    ++runs_;
    if (result.status != RunStatus::finished) return {};
    return std::move(result.rows);
}

}  // namespace headroom::analysis
