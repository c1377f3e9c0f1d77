#include "analysis/experiments/llm_capacity.hpp"

#include "sim/serving/latency/linear_latency.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

/// An iteration of 10 ms and 0.1 ms for each decode, 256 of them at most.
serving::LlmEngineSpec engine_of(const std::string& policy = "vllm-v1",
                                 Duration per_prompt_token = Duration::zero(),
                                 Duration per_context_token = Duration::zero()) {
    serving::LlmEngineSpec spec;
    spec.latency = std::make_shared<serving::LinearLatency>(serving::LinearCoefficients{
        Duration::milliseconds(10), per_prompt_token, Duration::microseconds(100),
        per_context_token, Duration::zero()});
    spec.kv_blocks = 100'000;
    spec.batching.name = policy;
    spec.batching.parameters.set("max_num_seqs", {std::int64_t{256}});
    spec.batching.parameters.set("max_num_batched_tokens", {std::int64_t{2048}});
    return spec;
}

LengthMix fixed_lengths(double prompt, double output) {
    return {{{prompt, output, 1.0}}};
}

}  // namespace

TEST_CASE("LlmCapacity: decoding alone, its closed form") {
    const serving::LlmEngineSpec spec = engine_of();
    const LlmCapacity engine(spec, fixed_lengths(200, 101));
    // 100 decodes a request, 256 at a time, 35.6 ms an iteration.
    CHECK(engine.limit() == BatchLimit::sequences);
    CHECK(engine.most().batch == 256);
    CHECK(engine.most().iteration_s == Approx(0.0356));
    CHECK(engine.most().requests_per_s == Approx(256 / (100 * 0.0356)));
    CHECK(engine.decode_tokens_per_s() == Approx(256 / 0.0356));
    // b = r 100 (0.01 + 0.0001 b): 25 at 20 requests/s.
    const LlmOperation now = engine.at(20);
    CHECK(now.batch == Approx(25));
    CHECK(now.iteration_s == Approx(0.0125));
    CHECK(now.requests_per_s == Approx(20));
    CHECK(engine.at(1e6).batch == 256);
    CHECK(engine.within(0.0125).requests_per_s == Approx(20));
    CHECK(engine.within(0.001).requests_per_s == 0);
}

TEST_CASE("LlmCapacity: prompts take their time once a request") {
    const serving::LlmEngineSpec spec = engine_of("vllm-v1", Duration::microseconds(100));
    const LlmCapacity engine(spec, fixed_lengths(200, 101));
    CHECK(engine.most().requests_per_s == Approx(1 / (100 * 0.0356 / 256 + 200 * 0.0001)));
    CHECK(engine.lone_prefill_s() == Approx(0.03));
    // In iterations of their own prompts cost the whole iteration.
    const serving::LlmEngineSpec apart = engine_of("vllm-v0", Duration::microseconds(100));
    CHECK(LlmCapacity(apart, fixed_lengths(200, 101)).most().requests_per_s ==
          Approx(1 / (100 * 0.0356 / 256 + 0.03)));
}

TEST_CASE("LlmCapacity: long prompts come in chunks of what the budget leaves") {
    const serving::LlmEngineSpec spec = engine_of("vllm-v1", Duration::microseconds(100));
    const LlmCapacity engine(spec, fixed_lengths(5000, 11));
    // Three chunks alone, and with few decodes to spread them over the budget is the limit.
    CHECK(engine.lone_prefill_s() == Approx(3 * 0.01 + 0.5).epsilon(1e-3));
    CHECK(engine.limit() == BatchLimit::token_budget);
    CHECK(engine.most().batch == 4);
}

TEST_CASE("LlmCapacity: the KV cache bounds the batch, by sequences at their mean length") {
    serving::LlmEngineSpec spec = engine_of();
    spec.kv_blocks = 1000;
    const LlmCapacity engine(spec, fixed_lengths(292, 200));
    // 292 + 200 / 2 tokens and half a block each: 16,000 / 400.
    CHECK(engine.kv_sequences() == Approx(40));
    CHECK(engine.limit() == BatchLimit::kv_cache);
    CHECK(engine.most().batch == 40);
    CHECK(engine.most().kv_fraction == Approx(1));
    spec.batching.name = "orca";
    spec.batching.parameters.set("reserve_tokens", {std::int64_t{1600}});
    CHECK(LlmCapacity(spec, fixed_lengths(292, 200)).kv_sequences() == Approx(10));
}

TEST_CASE("LlmCapacity: the context that decodes attend to is the mean over decodes") {
    const serving::LlmEngineSpec spec =
        engine_of("vllm-v1", Duration::zero(), Duration::microseconds(1));
    const LlmCapacity engine(spec, fixed_lengths(450, 101));
    // 500 tokens on average: 0.5 ms for each sequence.
    CHECK(engine.most().iteration_s == Approx(0.010 + 256 * 0.0006));
    // Long outputs weigh by their decodes: (10 * 5 + 1000 * 500) / 1010.
    const LengthMix mix{{{1, 11, 0.5}, {1, 1001, 0.5}}};
    const double context = 1 + (10 * 5.0 + 1000 * 500.0) / 1010;
    CHECK(LlmCapacity(spec, mix).at(1e-9).iteration_s ==
          Approx(0.0101 + context * 1e-6).epsilon(1e-3));
}

TEST_CASE("LlmCapacity: what is too long is left out or cut, as the engine does") {
    serving::LlmEngineSpec spec = engine_of();
    spec.max_model_len = 1000;
    const LengthMix mix{{{2000, 10, 0.25}, {900, 500, 0.75}}};
    const LlmCapacity engine(spec, mix);
    CHECK(engine.refused() == Approx(0.25));
    CHECK(engine.mean_prompt() == Approx(900));
    CHECK(engine.mean_output() == Approx(100));
}

TEST_CASE("LlmCapacity: static batches run until their longest output ends") {
    serving::LlmEngineSpec spec = engine_of("static");
    spec.batching.parameters.set("max_num_seqs", {std::int64_t{2}});
    const LengthMix mix{{{10, 101, 0.5}, {10, 201, 0.5}}};
    // The longer of two: 200 with probability 3/4, else 100; plus a prompt's iteration each.
    CHECK(LlmCapacity(spec, mix).most().requests_per_s == Approx(1 / (175 * 0.0102 / 2 + 0.01)));
}

TEST_CASE("LlmCapacity: speed, pipeline stages and accepted drafts") {
    serving::LlmEngineSpec spec = engine_of();
    const double plain = LlmCapacity(spec, fixed_lengths(200, 101)).most().requests_per_s;
    CHECK(LlmCapacity(spec, fixed_lengths(200, 101), 0.5).most().requests_per_s ==
          Approx(plain / 2));
    spec.pipeline_stages = 2;
    const LlmCapacity two(spec, fixed_lengths(200, 101));
    CHECK(two.most().batch == 256);
    CHECK(two.most().requests_per_s == Approx(2 * 128 / (100 * 0.0228)));
    spec.pipeline_stages = 1;
    spec.speculation = serving::SpeculationSpec{1, 1.0, Duration::zero()};
    CHECK(LlmCapacity(spec, fixed_lengths(200, 101)).most().requests_per_s == Approx(2 * plain));
}

TEST_CASE("LlmCapacity: pools for one phase do that phase") {
    serving::LlmEngineSpec spec = engine_of("vllm-v1", Duration::microseconds(100));
    spec.role = serving::EngineRole::prefill;
    // Prompts are packed to the budget: 2,048 tokens in 214.8 ms.
    CHECK(LlmCapacity(spec, fixed_lengths(512, 101)).most().requests_per_s == Approx(4 / 0.2148));
    spec.role = serving::EngineRole::decode;
    CHECK(LlmCapacity(spec, fixed_lengths(512, 101)).most().requests_per_s ==
          Approx(1 / (100 * 0.0356 / 256 + 0.0001)).epsilon(0.01));
}

}  // namespace headroom::analysis
