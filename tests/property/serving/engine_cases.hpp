/// Random loads for one engine in one of the modes that SteppedLlmInstance has: asynchronous
/// scheduling, prefix caching, pipelines; with aborts, changes of speed and kills.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/draws.hpp"
#include "tests/rig.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {

struct EngineCommand {
    enum class Kind : std::uint8_t { submit, abort, speed, kill };
    Time time;
    Kind kind = Kind::submit;
    std::int64_t prompt = 1;
    std::int64_t output = 1;
    std::int32_t priority = 0;
    std::uint16_t adapter = 0;
    serving::ContentsRef contents{};
    std::size_t request = 0;  ///< to abort
    serving::SpeedPpm speed = serving::kNominalSpeed;
};

struct EngineCase {
    serving::LlmEngineSpec spec;
    std::vector<EngineCommand> commands;
};

/// Equal beginnings are common, and so are equal blocks after different ones.
inline serving::ContentsRef random_engine_contents(Draws& draws, std::int64_t tokens,
                                                   std::int64_t block_size) {
    const std::int64_t pieces[] = {block_size, 2 * block_size, 3};
    const std::int64_t piece = pieces[draws.below(3)];
    std::vector<std::uint64_t> ids;
    for (std::int64_t i = draws.below(tokens / piece + 2); i > 0; --i) {
        const std::int64_t id = draws.one_in(6) ? draws.between(1, 2) : 0;
        ids.push_back(static_cast<std::uint64_t>(100 * piece + id));
    }
    return contents_of(ids, piece, draws.one_in(3) ? draws.below(tokens + 1) : -1);
}

inline PolicyChoice random_engine_policy(Draws& draws, std::int64_t longest, bool any) {
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

inline serving::LlmEngineSpec random_engine(Draws& draws, std::int64_t longest) {
    EngineModes modes;
    modes.stages = draws.one_in(2) ? draws.between(2, 5) : 1;
    const bool any = modes.stages > 1 && draws.one_in(2);
    modes.caching = !any && !draws.one_in(3);
    modes.async = !any && (modes.stages == 1 || draws.one_in(4)) && !draws.one_in(3);
    serving::LlmEngineSpec spec = engine(modes);
    spec.batching = random_engine_policy(draws, longest, any);
    spec.block_size = draws.between(1, 6);
    // For Vidur's policies a watermark and one spare block.
    spec.kv_blocks = (2 * longest + spec.block_size - 1) / spec.block_size + 2;
    spec.kv_blocks += draws.below(draws.one_in(2) ? 3 : 3 * spec.kv_blocks);
    if (draws.one_in(4)) spec.max_model_len = longest + draws.between(1, longest);
    return spec;
}

inline EngineCase random_engine_case(std::uint64_t seed) {
    Draws draws{RandomStream(seed, "stepped modes"), 0};
    const std::int64_t longest = draws.between(4, 40);
    EngineCase c{random_engine(draws, longest), {}};
    const std::int64_t gap = draws.between(0, 4000);
    Time now;
    std::size_t submitted = 0;
    for (std::int64_t i = draws.between(1, 60); i > 0; --i) {
        if (!draws.one_in(3)) now += ticks(draws.between(0, gap));
        EngineCommand command{now};
        if (submitted > 0 && draws.one_in(5)) {
            command.kind = EngineCommand::Kind::abort;
            command.request =
                static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(submitted)));
        } else if (draws.one_in(12)) {
            command.kind = EngineCommand::Kind::speed;
            command.speed = static_cast<serving::SpeedPpm>(draws.between(300'000, 3'000'000));
        } else {
            command.prompt = draws.between(1, longest);
            command.output = draws.one_in(5) ? 1 : draws.between(1, longest);
            command.priority = static_cast<std::int32_t>(draws.below(3));
            if (!draws.one_in(3)) {
                command.contents = random_engine_contents(draws, command.prompt + command.output,
                                                          c.spec.block_size);
            }
            ++submitted;
        }
        c.commands.push_back(command);
    }
    if (draws.one_in(5)) c.commands.push_back({now + ticks(gap), EngineCommand::Kind::kill});
    return c;
}

inline void carry_out(EngineRig& rig, const std::vector<EngineCommand>& commands) {
    for (const EngineCommand& command : commands) {
        switch (command.kind) {
            case EngineCommand::Kind::submit:
                rig.submit(command.time, command.prompt, command.output, command.contents,
                           command.priority, command.adapter);
                break;
            case EngineCommand::Kind::abort:
                rig.abort(command.time, command.request);
                break;
            case EngineCommand::Kind::speed:
                rig.set_speed(command.time, command.speed);
                break;
            case EngineCommand::Kind::kill:
                (void)rig.kill(command.time);
                return;
        }
    }
}

inline void carry_out_to_the_end(EngineRig& rig, const std::vector<EngineCommand>& commands) {
    carry_out(rig, commands);
    const bool killed = !commands.empty() && commands.back().kind == EngineCommand::Kind::kill;
    if (!killed) rig.run_to_the_end();
}

inline std::string difference_of(const EngineRig& a, const EngineRig& b) {
    if (a.lost_in_order != b.lost_in_order) return "the order of what a kill lost";
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

}  // namespace headroom::tests
