// SteppedLlmInstance with asynchronous scheduling, prefix caching and pipelines, over random loads
// with aborts, changes of speed and kills: every request ends once, blocks are never given out
// twice and come back, runs repeat, and the modes agree where they must.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {
namespace {

using serving::ContentsRef;
using serving::LlmEngineSpec;

struct Command {
    enum class Kind : std::uint8_t { submit, abort, speed, kill };
    Time time;
    Kind kind = Kind::submit;
    std::int64_t prompt = 1;
    std::int64_t output = 1;
    std::int32_t priority = 0;
    ContentsRef contents{};
    std::size_t request = 0;  ///< to abort
    serving::SpeedPpm speed = serving::kNominalSpeed;
};

struct Case {
    LlmEngineSpec spec;
    std::vector<Command> commands;
};

/// Equal beginnings are common, and so are equal blocks after different ones.
ContentsRef random_contents(Draws& draws, std::int64_t tokens, std::int64_t block_size) {
    const std::int64_t pieces[] = {block_size, 2 * block_size, 3};
    const std::int64_t piece = pieces[draws.below(3)];
    std::vector<std::uint64_t> ids;
    for (std::int64_t i = draws.below(tokens / piece + 2); i > 0; --i) {
        const std::int64_t id = draws.one_in(6) ? draws.between(1, 2) : 0;
        ids.push_back(static_cast<std::uint64_t>(100 * piece + id));
    }
    return contents_of(ids, piece, draws.one_in(3) ? draws.below(tokens + 1) : -1);
}

PolicyChoice random_policy(Draws& draws, std::int64_t longest, bool any) {
    const ParameterValue seqs = whole(draws.between(1, 12));
    switch (any ? draws.below(6) : 5) {
        case 0:
            return choose<serving::BatchingPolicy>(
                "vllm-v0",
                {{"max_num_seqs", seqs},
                 {"max_num_batched_tokens", whole(draws.between(longest, 4 * longest))}});
        case 1:
            return choose<serving::BatchingPolicy>(
                "sarathi",
                {{"max_num_seqs", seqs}, {"chunk_size", whole(draws.between(1, 2 * longest))}});
        case 2:
            return choose<serving::BatchingPolicy>(
                "orca", {{"max_num_seqs", seqs}, {"reserve_tokens", whole(2 * longest)}});
        default:
            break;
    }
    const bool chunked = !draws.one_in(4);
    const bool priority = draws.one_in(3);
    return choose<serving::BatchingPolicy>(
        "vllm-v1",
        {{"max_num_seqs", seqs},
         {"max_num_batched_tokens", whole(draws.between(chunked ? 1 : 2 * longest, 3 * longest))},
         {"long_prefill_token_threshold", whole(draws.one_in(3) ? draws.between(1, 12) : 0)},
         {"enable_chunked_prefill", ParameterValue{chunked}},
         // Without it, priorities and a threshold can preempt each other for ever.
         {"scheduler_reserve_full_isl", ParameterValue{priority || draws.one_in(2)}},
         {"scheduling_policy", ParameterValue{std::string(priority ? "priority" : "fcfs")}}});
}

LlmEngineSpec random_modes(Draws& draws, std::int64_t longest) {
    EngineModes modes;
    modes.stages = draws.one_in(2) ? draws.between(2, 5) : 1;
    const bool any = modes.stages > 1 && draws.one_in(2);
    modes.caching = !any && !draws.one_in(3);
    modes.async = !any && (modes.stages == 1 || draws.one_in(4)) && !draws.one_in(3);
    LlmEngineSpec spec = engine(modes);
    spec.batching = random_policy(draws, longest, any);
    spec.block_size = draws.between(1, 6);
    // For Vidur's policies a watermark and one spare block.
    spec.kv_blocks = (2 * longest + spec.block_size - 1) / spec.block_size + 2;
    spec.kv_blocks += draws.below(draws.one_in(2) ? 3 : 3 * spec.kv_blocks);
    if (draws.one_in(4)) spec.max_model_len = longest + draws.between(1, longest);
    return spec;
}

Case random_case(std::uint64_t seed) {
    Draws draws{RandomStream(seed, "stepped modes"), 0};
    const std::int64_t longest = draws.between(4, 40);
    Case c{random_modes(draws, longest), {}};
    const std::int64_t gap = draws.between(0, 4000);
    Time now;
    std::size_t submitted = 0;
    for (std::int64_t i = draws.between(1, 60); i > 0; --i) {
        if (!draws.one_in(3)) now += ticks(draws.between(0, gap));
        Command command{now};
        if (submitted > 0 && draws.one_in(5)) {
            command.kind = Command::Kind::abort;
            command.request =
                static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(submitted)));
        } else if (draws.one_in(12)) {
            command.kind = Command::Kind::speed;
            command.speed = static_cast<serving::SpeedPpm>(draws.between(300'000, 3'000'000));
        } else {
            command.prompt = draws.between(1, longest);
            command.output = draws.one_in(5) ? 1 : draws.between(1, longest);
            command.priority = static_cast<std::int32_t>(draws.below(3));
            if (!draws.one_in(3)) {
                command.contents =
                    random_contents(draws, command.prompt + command.output, c.spec.block_size);
            }
            ++submitted;
        }
        c.commands.push_back(command);
    }
    if (draws.one_in(5)) c.commands.push_back({now + ticks(gap), Command::Kind::kill});
    return c;
}

void carry_out(EngineRig& rig, const std::vector<Command>& commands) {
    for (const Command& command : commands) {
        switch (command.kind) {
            case Command::Kind::submit:
                rig.submit(command.time, command.prompt, command.output, command.contents,
                           command.priority);
                break;
            case Command::Kind::abort:
                rig.abort(command.time, command.request);
                break;
            case Command::Kind::speed:
                rig.set_speed(command.time, command.speed);
                break;
            case Command::Kind::kill:
                (void)rig.kill(command.time);
                return;
        }
    }
    rig.run_to_the_end();
}

std::vector<Command> submissions(const std::vector<Command>& commands) {
    std::vector<Command> only;
    for (const Command& command : commands) {
        if (command.kind == Command::Kind::submit) only.push_back(command);
    }
    return only;
}

void check_outcomes(const Case& c, const EngineRig& rig) {
    const std::vector<Command> requests = submissions(c.commands);
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

std::string difference(const EngineRig& a, const EngineRig& b) {
    for (std::size_t i = 0; i < a.outcomes.size(); ++i) {
        const EngineRig::Outcome& x = a.outcomes[i];
        const EngineRig::Outcome& y = b.outcomes[i];
        if (x.completed == y.completed && x.aborted == y.aborted && x.end == y.end &&
            x.report.first_scheduled == y.report.first_scheduled &&
            x.report.first_token == y.report.first_token &&
            x.report.output_tokens == y.report.output_tokens &&
            x.report.preemptions == y.report.preemptions) {
            continue;
        }
        return "request " + std::to_string(i) + " ends at " + std::to_string(x.end.ps()) + " and " +
               std::to_string(y.end.ps());
    }
    return first_difference(a.stats, b.stats);
}

/// Each submission so late that everything before is over.
std::vector<Command> one_by_one(const std::vector<Command>& commands) {
    std::vector<Command> apart = submissions(commands);
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
        const Case c = random_case(static_cast<std::uint64_t>(seed));
        INFO(c.spec.batching.name << (c.spec.async_scheduling ? " async" : "")
                                  << (c.spec.prefix_caching ? " caching" : "") << ", "
                                  << c.spec.pipeline_stages << " stages");
        EngineRig rig(c.spec);
        carry_out(rig, c.commands);
        check_outcomes(c, rig);
        if (c.commands.back().kind != Command::Kind::kill) check_empty(rig);
        REQUIRE(rig.stats.kv_block_time.ps() <= rig.stats.busy.ps() * c.spec.kv_blocks);
        // The same again.
        EngineRig again(c.spec);
        carry_out(again, c.commands);
        REQUIRE(difference(rig, again) == "");
        REQUIRE(rig.stats.prefix_hit_tokens == again.stats.prefix_hit_tokens);
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
        Case c = random_case(static_cast<std::uint64_t>(seed));
        c.spec.pipeline_stages = 1;
        if (!c.spec.async_scheduling && !c.spec.prefix_caching) continue;
        const std::vector<Command> commands = one_by_one(c.commands);
        c.spec.async_scheduling = false;
        EngineRig sync(c.spec);
        carry_out(sync, commands);
        c.spec.async_scheduling = true;
        EngineRig async(c.spec);
        carry_out(async, commands);
        // But a batch that is planned ahead holds its blocks while the one before it runs.
        REQUIRE(async.stats.kv_block_time.ps() >= sync.stats.kv_block_time.ps());
        async.stats.kv_block_time = sync.stats.kv_block_time;
        REQUIRE(difference(sync, async) == "");
        REQUIRE(sync.stats.prefix_hit_tokens == async.stats.prefix_hit_tokens);
    }
}

TEST_CASE("SteppedLlmInstance: one request at a time, not cut, does not notice a pipeline") {
    for (std::int64_t seed = 1; seed <= scaled(150, 30); ++seed) {
        INFO("seed " << seed);
        Draws draws{RandomStream(static_cast<std::uint64_t>(seed), "alone"), 0};
        LlmEngineSpec spec = random_modes(draws, 30);
        spec.async_scheduling = false;
        spec.batching = choose<serving::BatchingPolicy>("vllm-v1");
        std::vector<Command> commands;
        for (std::int64_t i = 0; i < 10; ++i) {
            Command command{Time::zero() + Duration::seconds(10) * i};
            command.prompt = draws.between(1, 30);
            command.output = draws.between(1, 30);
            command.contents = random_contents(draws, 60, spec.block_size);
            commands.push_back(command);
        }
        spec.pipeline_stages = 1;
        EngineRig plain(spec);
        carry_out(plain, commands);
        spec.pipeline_stages = draws.between(2, 7);
        EngineRig pipeline(spec);
        carry_out(pipeline, commands);
        REQUIRE(difference(plain, pipeline) == "");
    }
}

TEST_CASE("SteppedLlmInstance: without equal contents and preemptions caching changes nothing") {
    std::int64_t completed = 0;
    for (std::int64_t seed = 1; seed <= scaled(300, 60); ++seed) {
        INFO("seed " << seed);
        Case c = random_case(static_cast<std::uint64_t>(seed));
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
        carry_out(without, c.commands);
        REQUIRE(without.stats.preemptions == 0);
        c.spec.prefix_caching = true;
        EngineRig with(c.spec);
        carry_out(with, c.commands);
        REQUIRE(difference(without, with) == "");
        REQUIRE(with.stats.prefix_hit_tokens == 0);
        completed += static_cast<std::int64_t>(with.outcomes.size());
    }
    CHECK(completed > 0);
}

}  // namespace headroom::tests
