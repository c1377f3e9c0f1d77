// The fit against logs of an engine whose times are known, but are not quite of the fitted form:
// short of KV blocks, of two replicas, and of a mixture of experts. Fitted on the first 150
// requests, judged on the others.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <memory>
#include <optional>

#include "analysis/calibration/observe.hpp"
#include "analysis/calibration/one_engine.hpp"
#include "tests/catch.hpp"

namespace headroom::tests {
namespace {

using analysis::EngineLog;
using analysis::MetricErrors;
using analysis::ObserveOptions;
using serving::LinearCoefficients;
using serving::MixtureOfExperts;

/// A linear time with errors of up to 3 % that the form cannot have, each for a size of the batch
/// and a stretch of its context. For instances that step: over a stretch's end the time may fall.
class UnevenLatency final : public serving::LatencyModel {
  public:
    UnevenLatency(const LinearCoefficients& c, const std::optional<MixtureOfExperts>& moe)
        : linear_(c), moe_(moe), per_touched_expert_(c.per_touched_expert) {}
    [[nodiscard]] serving::IterationCost iteration_cost(
        const serving::IterationShape& shape) const override {
        constexpr std::int64_t kStretch = 1024;
        serving::IterationCost cost = linear_.iteration_cost(shape);
        if (moe_) cost.fixed += expert_reads(shape.prefill_tokens + shape.decode_sequences);
        const std::int64_t stretch = shape.context_tokens / kStretch;
        auto mixed = static_cast<std::uint64_t>(shape.decode_sequences * 8209 +
                                                shape.prefill_tokens * 131 + stretch + 1);
        mixed = (mixed ^ (mixed >> 7)) * 0x9e3779b97f4a7c15U;
        const auto error = static_cast<std::int64_t>(mixed >> 40) % 60'001 - 30'000;
        cost.fixed += Duration::picoseconds(cost.fixed.ps() / 1'000'000 * error);
        cost.valid_until = (stretch + 1) * kStretch;
        return cost;
    }

  private:
    /// Of a router with favourites, as real ones have them: expert i is visited as 1 / sqrt(i).
    [[nodiscard]] Duration expert_reads(std::int64_t tokens) const {
        double sum = 0;
        for (std::int64_t i = 1; i <= moe_->experts; ++i) sum += 1 / std::sqrt(i);
        double touched = 0;
        for (std::int64_t i = 1; i <= moe_->experts; ++i) {
            const double visits = static_cast<double>(moe_->active) / std::sqrt(i) / sum;
            touched += 1 - std::pow(1 - std::min(visits, 1.0), tokens);
        }
        return Duration::from_seconds(touched * per_touched_expert_.to_seconds());
    }

    serving::LinearLatency linear_;
    std::optional<MixtureOfExperts> moe_;
    Duration per_touched_expert_;
};

/// 300 requests at 10/s; one in ten begins with the first 512 tokens of another.
std::shared_ptr<const std::vector<serving::Arrival>> arrivals() {
    auto out = std::make_shared<std::vector<serving::Arrival>>();
    std::uint64_t state = 1;
    const auto draw = [&state](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::int64_t>((state >> 33) % below);
    };
    Time at = Time::zero();
    std::uint64_t fresh = 0;
    for (int i = 0; i < 300; ++i) {
        serving::Arrival arrival;
        arrival.time = at;
        at += Duration::milliseconds(draw(200));
        const std::int64_t prompt = 16 * (10 + draw(i % 4 == 0 ? 110 : 50)) + draw(16);
        arrival.prompt = Tokens{prompt};
        arrival.output = Tokens{200 + draw(i % 3 == 0 ? 1000 : 500)};
        auto contents = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
        const serving::ContentsRef* other =
            i % 10 == 9
                ? &(*out)[static_cast<std::size_t>(draw(static_cast<std::uint64_t>(i)))].contents
                : nullptr;
        for (std::size_t k = 0; k < static_cast<std::size_t>(prompt / 16); ++k) {
            const bool shared = other != nullptr && k < 32 && k < (*other)->ids.size();
            contents->ids.push_back(shared ? (*other)->ids[k] : fresh++);
        }
        contents->covered = 16 * (prompt / 16);
        arrival.contents = std::move(contents);
        out->push_back(std::move(arrival));
    }
    return out;
}

EngineLog simulated_log(const ObserveOptions& options, const LinearCoefficients& truth,
                        std::int64_t& preemptions) {
    serving::LlmEngineSpec engine;
    engine.batching = analysis::vllm_v1(options.max_num_seqs, options.max_num_batched_tokens);
    engine.kv_blocks = *options.kv_blocks;
    engine.async_scheduling = options.async_scheduling;
    engine.prefix_caching = options.prefix_caching;
    engine.latency = std::make_shared<UnevenLatency>(truth, options.moe);
    const auto requests = arrivals();
    RunOptions run;
    run.keep_rows = true;
    const SimulationResult result =
        Simulation(analysis::one_engine_spec(std::move(engine), requests, options.replicas))
            .run(run);
    preemptions = result.total.preemptions;
    EngineLog log;
    for (std::size_t i = 0; i < requests->size(); ++i) {
        const serving::RequestRow& row = result.rows.at(i);
        analysis::LoggedRequest logged;
        logged.arrival = row.arrival;
        logged.first_token = row.first_token;
        logged.finish = row.finish;
        logged.prompt_tokens = (*requests)[i].prompt.count();
        logged.output_tokens = (*requests)[i].output.count();
        logged.contents = (*requests)[i].contents;
        log.requests.push_back(std::move(logged));
    }
    return log;
}

void check_fit(const char* name, const EngineLog& log, const ObserveOptions& options) {
    const analysis::ObserveResult result = analysis::observe(log, options);
    INFO(result.error);
    REQUIRE(result.fit);
    const analysis::PartErrors& held_out = result.fit->held_out;
    for (const MetricErrors* metric : {&held_out.ttft, &held_out.tpot, &held_out.e2e}) {
        std::cout << fmt::format("  {}: {:+.2f} % mean {:+.2f} % p99 {:.2f} % per request\n", name,
                                 100 * metric->mean, 100 * metric->p99, 100 * metric->per_request);
        CHECK(std::fabs(metric->mean) < 0.025);
        CHECK(std::fabs(metric->p99) < 0.025);
    }
    CHECK(held_out.e2e.per_request < 0.01);
}

}  // namespace

TEST_CASE("Observe: a log with preemptions under KV pressure is fitted through the prefix cache") {
    const LinearCoefficients truth{Duration::microseconds(16500), Duration::microseconds(104),
                                   Duration::microseconds(16), Duration::nanoseconds(165),
                                   Duration::picoseconds(3800)};
    ObserveOptions options;
    options.kv_blocks = 2588;
    options.expected = {truth.per_iteration * 5 / 4, truth.per_prefill_token * 5 / 4,
                        truth.per_decode_sequence * 5 / 4, truth.per_context_token * 4 / 5,
                        truth.per_prefill_attention * 2};
    std::int64_t preemptions = 0;
    const EngineLog log = simulated_log(options, truth, preemptions);
    CHECK(preemptions > 100);
    check_fit("KV pressure", log, options);
}

TEST_CASE("Observe: a log of two replicas is fitted by two") {
    const LinearCoefficients truth{Duration::milliseconds(25), Duration::microseconds(66),
                                   Duration::microseconds(30), Duration::nanoseconds(133),
                                   Duration::picoseconds(2900)};
    ObserveOptions options;
    options.max_num_seqs = 32;
    options.kv_blocks = 30000;
    options.replicas = 2;
    options.expected = {truth.per_iteration * 3 / 2, truth.per_prefill_token / 3,
                        truth.per_decode_sequence * 3, truth.per_context_token * 2 / 3,
                        truth.per_prefill_attention};
    std::int64_t preemptions = 0;
    const EngineLog log = simulated_log(options, truth, preemptions);
    CHECK(preemptions == 0);
    check_fit("two replicas", log, options);
}

TEST_CASE("Observe: of a mixture of experts the reading of its weights is told from the rest") {
    // As Qwen3-30B-A3B on a GPU of 1.6 TB/s: an expert has 0.47 GB in all layers.
    LinearCoefficients truth{Duration::milliseconds(6),   Duration::microseconds(15),
                             Duration::microseconds(25),  Duration::nanoseconds(80),
                             Duration::picoseconds(4000), Duration::microseconds(300)};
    ObserveOptions options;
    options.max_num_seqs = 128;
    options.kv_blocks = 30000;
    options.moe.emplace();
    options.moe->experts = 128;
    options.moe->active = 8;
    options.expected = {truth.per_iteration * 3 / 4,     truth.per_prefill_token * 2,
                        truth.per_decode_sequence / 2,   truth.per_context_token * 4 / 5,
                        truth.per_prefill_attention * 2, truth.per_touched_expert * 3 / 4};
    std::int64_t preemptions = 0;
    const EngineLog log = simulated_log(options, truth, preemptions);
    check_fit("mixture of experts", log, options);
    // A constant for all of them is too much once few sequences are left.
    options.expected->per_iteration += options.expected->per_touched_expert * options.moe->experts;
    options.moe.reset();
    const analysis::ObserveResult linear = analysis::observe(log, options);
    REQUIRE(linear.fit);
    CHECK(linear.fit->error_band > 0.03);
}

}  // namespace headroom::tests
