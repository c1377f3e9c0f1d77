// LlmInstance worked out by hand, to the picosecond, under the linear profile
//     6.5 ms + 40 us P + 30 us D + 90 ns K + 6 ns A.
// Each case runs twice, in macro-steps and by its slow twin: both must give the written numbers.
#include "sim/serving/llm_instance.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/serving/reference_engine.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;
using serving::Outcome;
using serving::RequestRow;

constexpr Duration ns(std::int64_t n) {
    return Duration::nanoseconds(n);
}

PolicyChoice v1(const std::vector<std::pair<std::string, ParameterValue>>& values = {}) {
    return choose<serving::BatchingPolicy>("vllm-v1", values);
}

}  // namespace

TEST_CASE("LlmInstance: one request takes its prefill, then one iteration a token") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(llm_service("llm", v1(), 100),
                                     {arrival_at(Duration::seconds(1), 100, 3)}, exact);
    const RequestRow& row = ran.rows.at(0);
    // Prefill: 6.5 ms + 100 * 40 us + 6 ns * 100 * 50 = 10.53 ms.
    CHECK(row.first_scheduled.ps() == 1'000'000'000'000);
    CHECK(row.first_token.ps() == 1'010'530'000'000);
    // Decodes over 100 and 101 tokens: 6.5 ms + 30 us + 9 us, then 90 ns more.
    CHECK(row.finish.ps() == 1'023'608'090'000);
    CHECK(row.outcome == Outcome::completed);
    CHECK(row.output_tokens == 3);
    CHECK(row.preemptions == 0);
    // The figures that follow from it.
    CHECK(ran.stats.ttft.sum() == 10'530'000'000);
    CHECK(ran.stats.queue.sum() == 0);
    CHECK(ran.stats.e2e.sum() == 23'608'090'000);
    CHECK(ran.stats.tpot.sum() == (6'539'000'000 + 6'539'090'000) / 2);
    CHECK(ran.stats.itl.count() == 2);
    CHECK(ran.stats.itl.min() == 6'539'000'000);
    CHECK(ran.stats.itl.max() == 6'539'090'000);
    CHECK(ran.stats.prompt_tokens == 100);
    CHECK(ran.stats.output_tokens == 3);
    CHECK(ran.stats.busy.ps() == 23'608'090'000);
    // 100 to 102 tokens are 7 blocks of 16, all the time.
    CHECK(ran.stats.kv_block_time.ps() == 7 * static_cast<Int128>(23'608'090'000));
    CHECK(ran.stats.kv_capacity_time.ps() == 100 * static_cast<Int128>(1'023'608'090'000));
}

TEST_CASE("LlmInstance: a second request joins at the next iteration boundary") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        llm_service("llm", v1(), 100),
        {arrival_at(Duration::zero(), 100, 4), arrival_at(Duration::milliseconds(15), 50, 3)},
        exact);
    const Time prefilled = after(iteration(100, 0, 0, 100 * 100));
    const Time joins = prefilled + iteration(0, 1, 100);
    CHECK(joins.ps() == 17'069'000'000);
    const Time both = joins + iteration(50, 1, 101, 50 * 50);
    CHECK(both.ps() == 25'615'590'000);
    const Time first_ends = both + iteration(0, 2, 102 + 50);
    CHECK(first_ends.ps() == 32'189'270'000);
    CHECK(ran.rows.at(0).first_token == prefilled);
    CHECK(ran.rows.at(0).finish == first_ends);
    CHECK(ran.rows.at(1).first_scheduled == joins);
    CHECK(ran.rows.at(1).first_token == both);
    CHECK(ran.rows.at(1).finish == first_ends + iteration(0, 1, 51));
    // The stall of the joining prompt shows in the first request's gaps between tokens.
    CHECK(ran.stats.itl.max() == iteration(50, 1, 101, 50 * 50).ps());
}

TEST_CASE("LlmInstance: an arrival exactly at a boundary is in the batch that forms there") {
    const bool exact = GENERATE(false, true);
    const Duration boundary = iteration(100, 0, 0, 100 * 100);
    const EngineRun ran =
        run_engine(llm_service("llm", v1(), 100),
                   {arrival_at(Duration::zero(), 100, 5), arrival_at(boundary, 10, 1)}, exact);
    CHECK(ran.rows.at(1).first_scheduled == after(boundary));
    CHECK(ran.rows.at(1).first_token == after(boundary) + iteration(10, 1, 100, 10 * 10));
}

TEST_CASE("LlmInstance: an iteration may take months, and one past every horizon does not end") {
    const bool exact = GENERATE(false, true);
    const auto finish = [exact](Duration per_prompt_token, Duration per_context_token,
                                std::int64_t prompt, std::int64_t stages) {
        serving::ServiceSpec service =
            llm_service("llm", v1({{"max_num_batched_tokens", whole(2'000'000)}}), 100'000);
        serving::LlmEngineSpec& engine = *service.versions[0].engine.llm;
        engine.max_model_len = 2'000'000;
        engine.pipeline_stages = stages;
        engine.latency = std::make_shared<serving::LinearLatency>(serving::LinearCoefficients{
            Duration::seconds(10), per_prompt_token, Duration::zero(), per_context_token, {}});
        return run_engine(service, {arrival_at(Duration::hours(24 * 9), prompt, 2)}, exact)
            .rows.at(0)
            .finish;
    };
    const Time begins = after(Duration::hours(24 * 9));
    for (const std::int64_t stages : {1, 4}) {
        CAPTURE(exact, stages);
        // 700,000 tokens of 10 s are 81 days.
        CHECK(finish(Duration::seconds(10), {}, 700'000, stages) ==
              begins + Duration::seconds(10 + 7'000'000 + 10));
        CHECK(finish(Duration::seconds(10), {}, 1'000'000, stages) == Time::max());
        CHECK(finish({}, Duration::seconds(10), 700'000, stages) ==
              begins + Duration::seconds(10 + 10 + 7'000'000));
        CHECK(finish({}, Duration::seconds(10), 1'500'000, stages) == Time::max());
    }
}

TEST_CASE("LlmInstance: a prompt longer than the budget is computed in chunks") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran =
        run_engine(llm_service("llm", v1({{"max_num_batched_tokens", whole(64)}}), 100),
                   {arrival_at(Duration::zero(), 100, 2)}, exact);
    // 64 tokens, then 36 that attend to them as well.
    const Duration chunks = iteration(64, 0, 0, 64 * 64) + iteration(36, 0, 0, 36 * (2 * 64 + 36));
    CHECK(chunks.ps() == 17'030'000'000);
    CHECK(ran.rows.at(0).first_token == after(chunks));
    CHECK(ran.rows.at(0).finish == after(chunks + iteration(0, 1, 100)));
}

TEST_CASE("LlmInstance: decoding sequences take their share of the budget before a chunk does") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran =
        run_engine(llm_service("llm", v1({{"max_num_batched_tokens", whole(64)}}), 100),
                   {arrival_at(Duration::zero(), 30, 9), arrival_at(Duration::zero(), 34, 9),
                    arrival_at(Duration::milliseconds(1), 100, 1)},
                   exact);
    // 30 + 34 fill the first iteration; then 62 tokens are left beside two decodes.
    const Duration first = iteration(64, 0, 0, 30 * 30 + 34 * 34);
    const Duration second = iteration(62, 2, 30 + 34, 62 * 62);
    const Duration third = iteration(38, 2, 31 + 35, 38 * (2 * 62 + 38));
    CHECK(ran.rows.at(0).first_token == after(first));
    CHECK(ran.rows.at(1).first_token == after(first));
    CHECK(ran.rows.at(2).first_scheduled == after(first));
    CHECK(ran.rows.at(2).finish == after(first + second + third));
}

TEST_CASE("LlmInstance: preempts the last admitted request when KV blocks run out") {
    const bool exact = GENERATE(false, true);
    auto service = llm_service("llm", v1(), 5);
    service.versions[0].engine.llm->block_size = 4;
    const EngineRun ran = run_engine(
        service, {arrival_at(Duration::zero(), 8, 8), arrival_at(Duration::zero(), 4, 8)}, exact);
    // 2 + 1 blocks; the first decode takes one each, so all 5 are in use. At the fifth both need
    // one more: the second request goes and its 2 blocks serve the first one to its end.
    Duration t = iteration(12, 0, 0, 8 * 8 + 4 * 4);
    for (std::int64_t i = 0; i < 4; ++i) t += iteration(0, 2, 12 + 2 * i);
    for (std::int64_t i = 4; i < 7; ++i) t += iteration(0, 1, 8 + i);
    CHECK(ran.rows.at(0).finish == after(t));
    CHECK(ran.rows.at(0).preemptions == 0);
    // It had 5 tokens of its own: it computes 9 again, which gives the 6th, and decodes twice more.
    const Duration resumed = t + iteration(9, 0, 0, 9 * 9);
    CHECK(ran.rows.at(1).finish == after(resumed + iteration(0, 1, 9) + iteration(0, 1, 10)));
    CHECK(ran.rows.at(1).preemptions == 1);
    CHECK(ran.rows.at(1).first_token == after(iteration(12, 0, 0, 8 * 8 + 4 * 4)));
    CHECK(ran.rows.at(1).first_scheduled == Time::zero());
    CHECK(ran.rows.at(1).output_tokens == 8);
    CHECK(ran.stats.preemptions == 1);
    // The reader of the second stream waited from its 5th to its 6th token.
    CHECK(ran.stats.itl.count() == 7 + 7);
    Duration gap = iteration(9, 0, 0, 9 * 9);
    for (std::int64_t i = 4; i < 7; ++i) gap += iteration(0, 1, 8 + i);
    CHECK(ran.stats.itl.max() == gap.ps());
}

TEST_CASE("LlmInstance: runs at most max_num_seqs requests, the others in order of arrival") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        llm_service("llm", v1({{"max_num_seqs", whole(2)}}), 100),
        {arrival_at(Duration::zero(), 10, 4), arrival_at(Duration::zero(), 20, 2),
         arrival_at(Duration::milliseconds(1), 5, 9), arrival_at(Duration::milliseconds(2), 6, 1)},
        exact);
    CHECK(ran.rows.at(0).first_scheduled == Time::zero());
    CHECK(ran.rows.at(1).first_scheduled == Time::zero());
    CHECK(ran.rows.at(2).first_scheduled == ran.rows.at(1).finish);
    CHECK(ran.rows.at(3).first_scheduled == ran.rows.at(0).finish);
    const Duration first = iteration(30, 0, 0, 10 * 10 + 20 * 20);
    CHECK(ran.rows.at(1).finish == after(first + iteration(0, 2, 30)));
}

TEST_CASE("LlmInstance: an output of one token ends with the prefill and has no gaps") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        llm_service("llm", v1(), 100),
        {arrival_at(Duration::zero(), 16, 1), arrival_at(Duration::zero(), 1, 1)}, exact);
    const Time end = after(iteration(17, 0, 0, 16 * 16 + 1));
    for (const RequestRow& row : ran.rows) {
        CHECK(row.first_token == end);
        CHECK(row.finish == end);
        CHECK(row.output_tokens == 1);
    }
    CHECK(ran.stats.itl.count() == 0);
    CHECK(ran.stats.tpot.count() == 0);
    CHECK(ran.stats.ttft.count() == 2);
}

TEST_CASE("LlmInstance: max_model_len cuts an output") {
    const bool exact = GENERATE(false, true);
    auto service = llm_service("llm", v1(), 100);
    service.versions[0].engine.llm->max_model_len = 20;
    const EngineRun ran = run_engine(
        service, {arrival_at(Duration::zero(), 15, 100), arrival_at(Duration::zero(), 19, 100)},
        exact);
    CHECK(ran.rows.at(0).output_tokens == 5);
    CHECK(ran.rows.at(1).output_tokens == 1);
    CHECK(ran.rows.at(0).outcome == Outcome::completed);
    CHECK(ran.stats.output_tokens == 6);
}

TEST_CASE("LlmInstance: a request that could never run is rejected with its cause") {
    const bool exact = GENERATE(false, true);
    const auto cause_of = [exact](PolicyChoice policy, std::int64_t kv_blocks, std::int64_t prompt,
                                  std::int64_t output) {
        auto service = llm_service("llm", std::move(policy), kv_blocks);
        service.versions[0].engine.llm->max_model_len = 1000;
        const EngineRun ran =
            run_engine(service, {arrival_at(Duration::zero(), prompt, output)}, exact);
        const RequestRow& row = ran.rows.at(0);
        const bool rejected = row.outcome == Outcome::rejected;
        CHECK(rejected == (row.cause != Cause::none));
        CHECK(ran.stats.attempts.arrived == (rejected ? 0 : 1));
        CHECK(ran.stats.causes[static_cast<std::size_t>(row.cause)] == (rejected ? 1 : 0));
        CHECK(imbalance(ran.stats) == "");
        return row.cause;
    };
    CHECK(cause_of(v1(), 100, 999, 9) == Cause::none);
    CHECK(cause_of(v1(), 100, 1000, 9) == Cause::exceeds_model_length);
    // 16 blocks hold 256 tokens; the last token of an output is never computed.
    CHECK(cause_of(v1(), 16, 200, 57) == Cause::none);
    CHECK(cause_of(v1(), 16, 200, 58) == Cause::exceeds_kv_capacity);
    // Without chunks a prompt has to fit into one iteration, also when it comes back longer.
    const auto whole_prompts = v1({{"enable_chunked_prefill", ParameterValue{false}},
                                   {"max_num_batched_tokens", whole(300)}});
    CHECK(cause_of(whole_prompts, 100, 300, 1) == Cause::none);
    CHECK(cause_of(whole_prompts, 100, 301, 1) == Cause::exceeds_batch_limit);
    const auto v0 =
        choose<serving::BatchingPolicy>("vllm-v0", {{"max_num_batched_tokens", whole(300)}});
    CHECK(cause_of(v0, 100, 300, 9) == Cause::none);
    CHECK(cause_of(v0, 100, 301, 9) == Cause::exceeds_batch_limit);
}

TEST_CASE("LlmInstance: a new speed holds from the next iteration boundary") {
    const bool exact = GENERATE(false, true);
    CellRig rig;
    rig.config.exact_steps = exact;
    rig.specs.push_back(llm_service("llm", v1(), 100));
    rig.sources.push_back(list_source(0, {arrival_at(Duration::zero(), 100, 4)}));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    const Time prefilled = after(iteration(100, 0, 0, 100 * 100));
    rig.run(prefilled + ns(1));
    rig.cell->set_speed(prefilled + ns(1), {0, 0}, 500'000);
    rig.run_to_the_end();
    CHECK(rig.rows().at(0).finish ==
          prefilled + iteration(0, 1, 100) + iteration(0, 1, 101) * 2 + iteration(0, 1, 102) * 2);
}

TEST_CASE("LlmInstance: a request that times out leaves its room at the end of the iteration") {
    const bool exact = GENERATE(false, true);
    auto service = llm_service("llm", v1({{"max_num_seqs", whole(1)}}), 100);
    service.gateway.timeout = Duration::milliseconds(20);
    const EngineRun ran = run_engine(
        service,
        {arrival_at(Duration::zero(), 100, 50), arrival_at(Duration::milliseconds(19), 10, 1)},
        exact);
    // Boundaries at 10.53, 17.069 and 23.60809 ms: at 20 ms it has two tokens.
    CHECK(ran.rows.at(0).outcome == Outcome::timed_out);
    CHECK(ran.rows.at(0).cause == Cause::timeout);
    CHECK(ran.rows.at(0).finish == after(Duration::milliseconds(20)));
    CHECK(ran.rows.at(0).output_tokens == 2);
    CHECK(ran.rows.at(1).first_scheduled.ps() == 23'608'090'000);
    CHECK(ran.rows.at(1).finish == ran.rows.at(1).first_scheduled + iteration(10, 0, 0, 10 * 10));
    CHECK(ran.stats.itl.count() == 1);
}

TEST_CASE("LlmInstance: a token given as the last request leaves a draining instance counts") {
    const bool exact = GENERATE(false, true);
    CellRig rig;
    rig.config.exact_steps = exact;
    rig.specs.push_back(llm_service("llm", v1(), 100));
    rig.specs[0].versions[0].engine.llm->latency = std::make_shared<serving::LinearLatency>(
        serving::LinearCoefficients{Duration::milliseconds(5), {}, {}, {}, {}});
    // Its deadline is a boundary, and with it the instance goes at once.
    rig.specs[0].gateway.timeout = Duration::milliseconds(20);
    rig.sources.push_back(list_source(0, {arrival_at(Duration::zero(), 10, 50)}));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    rig.run(after(Duration::milliseconds(1)));
    rig.cell->drain_instance(after(Duration::milliseconds(1)), {0, 0});
    rig.run_to_the_end();
    rig.cell->finish(rig.cell->last_activity());
    CHECK(rig.rows().at(0).outcome == Outcome::timed_out);
    CHECK(rig.rows().at(0).output_tokens == 4);
    CHECK(rig.cell->stats(0).itl.count() == 3);
    CHECK(rig.cell->stats(0).busy.ps() == 20'000'000'000);
}

TEST_CASE("LlmInstance: shows its load as of any moment in the middle of a macro-step") {
    const bool exact = GENERATE(false, true);
    CellRig rig;
    rig.config.exact_steps = exact;
    rig.specs.push_back(llm_service("llm", v1({{"max_num_seqs", whole(1)}}), 100));
    rig.sources.push_back(list_source(
        0, {arrival_at(Duration::zero(), 16, 100), arrival_at(Duration::zero(), 8, 1)}));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    const Duration prefill = iteration(16, 0, 0, 16 * 16);
    const Duration tenth = prefill + iteration(0, 1, 16) * 10 + ns(90 * 45);
    const auto load_at = [&](Time now) {
        rig.run(now);
        return rig.cell->instance_load(now, {0, 0});
    };
    serving::InstanceLoad load = load_at(after(prefill) - ns(1));
    CHECK(load.kv_used_blocks == 1);
    CHECK(load.output_tokens == 0);
    // Read at the very time of a boundary: control acts before the events of its instant.
    load = load_at(after(tenth));
    CHECK(load.output_tokens == 1 + 9);
    load = load_at(after(tenth) + ns(1));
    CHECK(load.output_tokens == 1 + 10);
    CHECK(load.prompt_tokens == 16);
    CHECK(load.kv_used_blocks == 2);
    CHECK(load.kv_total_blocks == 100);
    CHECK(load.running == 1);
    CHECK(load.waiting == 1);
    CHECK(load.in_flight == 2);
    CHECK(load.completed == 0);
    CHECK(load.busy.ps() == (tenth + ns(1)).ps());
    CHECK(load.ttft_count == 1);
    CHECK(load.ttft_sum.ps() == prefill.ps());
}

namespace {

/// Breaks the contract of StepPlan in the way its parameter names.
class NaughtyPolicy final : public serving::BatchingPolicy {
  public:
    NaughtyPolicy(const Parameters& p, const PolicyContext&) : deed_(p.text("deed")) {}
    static ParameterSpecs parameter_specs() {
        return {ParameterSpec::text("deed", "", "what it does wrong")};
    }
    void plan_next_step(const serving::BatchView& view, serving::StepPlan& plan) override {
        if (view.waiting() == 0) return;
        const std::int64_t prompt = view.waiting_at(0).prompt;
        if (deed_ == "nothing") plan.chunks.push_back({0, prompt, prompt, true});
        if (deed_ == "too many blocks") plan.chunks.push_back({0, prompt, 1'000'000, true});
        if (deed_ == "too many tokens") plan.chunks.push_back({0, prompt + 1, prompt + 1, true});
        if (deed_ == "empty chunk") plan.chunks.push_back({0, 0, prompt, true});
        if (deed_ == "not the head") plan.chunks.push_back({1, prompt, prompt, true});
    }

  private:
    std::string deed_;
};
REGISTER_POLICY(serving::BatchingPolicy, NaughtyPolicy, "test-naughty", "for tests");

/// Whether a run with that deed ends in abort(), tried in a process of its own.
bool aborts(const std::string& deed) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(1);
        const auto policy =
            choose<serving::BatchingPolicy>("test-naughty", {{"deed", ParameterValue{deed}}});
        static_cast<void>(run_engine(
            llm_service("llm", policy, 100),
            {arrival_at(Duration::zero(), 10, 1), arrival_at(Duration::zero(), 10, 1)}, false));
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("LlmInstance: a plan that breaks its contract is a programmer error") {
    CHECK_FALSE(aborts("nothing"));
    CHECK(aborts("too many blocks"));
    CHECK(aborts("too many tokens"));
    CHECK(aborts("empty chunk"));
    CHECK(aborts("not the head"));
}

}  // namespace headroom::tests
