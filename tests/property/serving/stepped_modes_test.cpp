// SteppedLlmInstance with asynchronous scheduling, prefix caching and pipelines, over random loads
// with aborts, changes of speed and kills: every request ends once, blocks are never given out
// twice and come back, runs repeat, and the modes agree where they must.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/property/serving/engine_cases.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

using serving::LlmEngineSpec;

std::vector<EngineCommand> submissions(const std::vector<EngineCommand>& commands) {
    std::vector<EngineCommand> only;
    for (const EngineCommand& command : commands) {
        if (command.kind == EngineCommand::Kind::submit) only.push_back(command);
    }
    return only;
}

void check_outcomes(const EngineCase& c, const EngineRig& rig) {
    const std::vector<EngineCommand> requests = submissions(c.commands);
    REQUIRE(requests.size() == rig.outcomes.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const EngineRig::Outcome& o = rig.outcomes[i];
        INFO("request " << i);
        REQUIRE(o.completed + o.aborted + o.lost == 1);
        if (!o.completed) continue;
        const std::int64_t most = c.spec.max_model_len - requests[i].prompt;
        REQUIRE(o.report.output_tokens == std::min(requests[i].output, most));
        REQUIRE(o.report.first_scheduled >= requests[i].time);
        REQUIRE(o.report.first_token > o.report.first_scheduled);
        REQUIRE(o.end >= o.report.first_token);
        REQUIRE((o.report.output_tokens > 1 || o.end == o.report.first_token));
    }
}

/// Each submission so late that everything before is over.
std::vector<EngineCommand> one_by_one(const std::vector<EngineCommand>& commands) {
    std::vector<EngineCommand> apart = submissions(commands);
    for (std::size_t i = 0; i < apart.size(); ++i) {
        apart[i].time = Time::zero() + Duration::seconds(10) * static_cast<std::int64_t>(i);
    }
    return apart;
}

}  // namespace

TEST_CASE("SteppedLlmInstance: in all modes every request ends once and every block comes back") {
    const std::int64_t cases = scaled(600, 60);
    std::int64_t preemptions = 0;
    std::int64_t aborted = 0;
    std::int64_t completed = 0;
    std::int64_t hits = 0;
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const EngineCase c = random_engine_case(static_cast<std::uint64_t>(seed));
        INFO(c.spec.batching.name << (c.spec.async_scheduling ? " async" : "")
                                  << (c.spec.prefix_caching ? " caching" : "") << ", "
                                  << c.spec.pipeline_stages << " stages");
        EngineRig rig(c.spec);
        carry_out_to_the_end(rig, c.commands);
        check_outcomes(c, rig);
        if (c.commands.back().kind != EngineCommand::Kind::kill) check_empty(rig);
        REQUIRE(rig.stats.kv_block_time.ps() <= rig.stats.busy.ps() * c.spec.kv_blocks);
        // The same again.
        EngineRig again(c.spec);
        carry_out_to_the_end(again, c.commands);
        REQUIRE(difference_of(rig, again) == "");
        preemptions += rig.stats.preemptions;
        hits += rig.stats.prefix_hit_tokens;
        for (const EngineRig::Outcome& o : rig.outcomes) {
            aborted += o.aborted;
            completed += o.completed;
        }
    }
    // The cases reach what they are there for.
    CHECK(preemptions > cases);
    CHECK(aborted > cases);
    CHECK(completed > 5 * cases);
    CHECK(hits > 5 * cases);
}

TEST_CASE("SteppedLlmInstance: one request at a time does not notice asynchronous scheduling") {
    for (std::int64_t seed = 1; seed <= scaled(150, 30); ++seed) {
        INFO("seed " << seed);
        EngineCase c = random_engine_case(static_cast<std::uint64_t>(seed));
        c.spec.pipeline_stages = 1;
        if (!c.spec.async_scheduling && !c.spec.prefix_caching) continue;
        const std::vector<EngineCommand> commands = one_by_one(c.commands);
        c.spec.async_scheduling = false;
        EngineRig sync(c.spec);
        carry_out_to_the_end(sync, commands);
        c.spec.async_scheduling = true;
        EngineRig async(c.spec);
        carry_out_to_the_end(async, commands);
        // But a batch that is planned ahead holds its blocks while the one before it runs.
        REQUIRE(async.stats.kv_block_time.ps() >= sync.stats.kv_block_time.ps());
        async.stats.kv_block_time = sync.stats.kv_block_time;
        REQUIRE(difference_of(sync, async) == "");
    }
}

TEST_CASE("SteppedLlmInstance: one request at a time, not cut, does not notice a pipeline") {
    for (std::int64_t seed = 1; seed <= scaled(150, 30); ++seed) {
        INFO("seed " << seed);
        Draws draws{RandomStream(static_cast<std::uint64_t>(seed), "alone"), 0};
        LlmEngineSpec spec = random_engine(draws, 30);
        spec.async_scheduling = false;
        spec.batching = choose<serving::BatchingPolicy>("vllm-v1");
        std::vector<EngineCommand> commands;
        for (std::int64_t i = 0; i < 10; ++i) {
            EngineCommand command{Time::zero() + Duration::seconds(10) * i};
            command.prompt = draws.between(1, 30);
            command.output = draws.between(1, 30);
            command.contents = random_engine_contents(draws, 60, spec.block_size);
            commands.push_back(command);
        }
        spec.pipeline_stages = 1;
        EngineRig plain(spec);
        carry_out_to_the_end(plain, commands);
        spec.pipeline_stages = draws.between(2, 7);
        EngineRig pipeline(spec);
        carry_out_to_the_end(pipeline, commands);
        REQUIRE(difference_of(plain, pipeline) == "");
    }
}

TEST_CASE("SteppedLlmInstance: without equal contents and preemptions caching changes nothing") {
    std::int64_t completed = 0;
    for (std::int64_t seed = 1; seed <= scaled(300, 60); ++seed) {
        INFO("seed " << seed);
        EngineCase c = random_engine_case(static_cast<std::uint64_t>(seed));
        if (c.spec.batching.name != "vllm-v1") continue;
        c.spec.kv_blocks = 100'000;
        for (std::size_t i = 0; i < c.commands.size(); ++i) {
            if (i % 2 == 0) c.commands[i].contents = nullptr;
            if (c.commands[i].contents == nullptr) continue;
            std::vector<std::uint64_t> own;
            for (std::uint64_t k = 0; k < 30; ++k) own.push_back(1000 * i + k);
            c.commands[i].contents = contents_of(own, 3);
        }
        c.spec.prefix_caching = false;
        EngineRig without(c.spec);
        carry_out_to_the_end(without, c.commands);
        REQUIRE(without.stats.preemptions == 0);
        c.spec.prefix_caching = true;
        EngineRig with(c.spec);
        carry_out_to_the_end(with, c.commands);
        with.stats.prefix_query_tokens = 0;
        REQUIRE(difference_of(without, with) == "");
        completed += static_cast<std::int64_t>(with.outcomes.size());
    }
    CHECK(completed > 0);
}

}  // namespace headroom::tests
