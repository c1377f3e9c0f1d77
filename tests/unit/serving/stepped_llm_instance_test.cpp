// SteppedLlmInstance where it has no fast twin: asynchronous scheduling, pipelines and prefix
// caching, worked out by hand. Times are in ticks of 10 us:
//     t(P, D, K, A) = 1000 + 100 P + 200 D + 10 K + A
// with P prompt tokens, D decoding sequences over K tokens of context, and A the sum over prompt
// chunks of n (2 before + n). Blocks have 4 tokens.
#include "sim/serving/stepped_llm_instance.hpp"

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {
namespace {

using serving::LlmEngineSpec;

}  // namespace

// ---------------------------------------------------------------- asynchronous scheduling

TEST_CASE("SteppedLlmInstance: alone, a request takes as long with asynchronous scheduling") {
    const bool async = GENERATE(false, true);
    EngineRig rig(engine({.async = async}));
    rig.submit(at_tick(0), 4, 3);
    rig.run_to_the_end();
    const std::int64_t first = t(4, 0, 0, 16);
    CHECK(first == 1416);
    CHECK(came(rig, 0) == Came{first, first + t(0, 1, 4) + t(0, 1, 5)});
    // No iteration computes the last token.
    CHECK(rig.stats.busy.ps() == ticks(1416 + 1240 + 1250).ps());
    CHECK(rig.load(rig.now()).output_tokens == 3);
    CHECK(rig.load(rig.now()).prompt_tokens == 4);
    // 4 tokens are one block while the prompt is computed, unless the next is planned already.
    const std::int64_t blocks = async ? 2 * 3906 : 1416 + 2 * (1240 + 1250);
    CHECK(rig.stats.kv_block_time.ps() == static_cast<Int128>(ticks(1).ps()) * blocks);
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: what arrives during a batch is in the third after it, if asynchronous") {
    // The prompt ends at 1416, decodes at 2656, 3906, 5166, 6436.
    EngineRig rig(engine({.async = true}));
    rig.submit(at_tick(0), 4, 10);
    rig.submit(at_tick(1500), 8, 2);
    rig.run_to_the_end();
    // Planned at 2656, when the third batch begins, it runs as the fourth.
    CHECK(scheduled(rig, 1) == 2656);
    const std::int64_t first = 3906 + t(8, 1, 6, 64);
    CHECK(came(rig, 1) == Came{first, first + t(0, 2, 7 + 8)});
    check_empty(rig);

    EngineRig sync(engine({}));
    sync.submit(at_tick(0), 4, 10);
    sync.submit(at_tick(1500), 8, 2);
    sync.run_to_the_end();
    CHECK(scheduled(sync, 1) == 2656);
    CHECK(came(sync, 1).first == 2656 + t(8, 1, 5, 64));
}

TEST_CASE("SteppedLlmInstance: what arrives right after an idle start waits for two batches") {
    EngineRig rig(engine({.async = true}));
    rig.submit(at_tick(10'000), 4, 10);
    rig.submit(at_tick(10'001), 8, 1);
    rig.submit(at_tick(10'000 + 1416), 4, 1);  // at the first batch's end: seen at once
    rig.run_to_the_end();
    CHECK(scheduled(rig, 0) == 10'000);
    CHECK(scheduled(rig, 1) == 11'416);
    CHECK(scheduled(rig, 2) == 11'416);
    CHECK(came(rig, 0).first == 11'416);
    CHECK(came(rig, 1).first == 12'656 + t(12, 1, 5, 64 + 16));
    CHECK(came(rig, 2) == came(rig, 1));
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: with nothing more to plan an asynchronous engine waits for its batch") {
    // The only batch is the last of its request: the next plan is empty, and the arrival during it
    // is looked at when it ends.
    EngineRig rig(engine({.async = true}));
    rig.submit(at_tick(0), 4, 1);
    rig.submit(at_tick(7), 4, 2);
    rig.run_to_the_end();
    CHECK(came(rig, 0) == Came{1416, 1416});
    CHECK(scheduled(rig, 1) == 1416);
    CHECK(came(rig, 1) == Came{1416 + 1416, 1416 + 1416 + 1240});
    CHECK(rig.stats.busy.ps() == ticks(1416 + 1416 + 1240).ps());
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: a slot that a batch frees is used two batches later, if asynchronous") {
    const bool async = GENERATE(false, true);
    EngineRig rig(engine({.async = async}, 1000, {{"max_num_seqs", whole(2)}}));
    rig.submit(at_tick(0), 4, 10);
    rig.submit(at_tick(0), 4, 2);
    rig.submit(at_tick(0), 4, 1);
    rig.run_to_the_end();
    const std::int64_t second = t(8, 0, 0, 32) + t(0, 2, 8);
    CHECK(came(rig, 1) == Came{1832, second});
    CHECK(scheduled(rig, 2) == second);
    if (async) {
        // The third batch is planned already: it has the first request only.
        const std::int64_t third = second + t(0, 1, 5);
        CHECK(came(rig, 2) == Came{third + t(4, 1, 6, 16), third + t(4, 1, 6, 16)});
    } else {
        CHECK(came(rig, 2).end == second + t(4, 1, 5, 16));
    }
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: chunks and the first decode are planned while the chunk before runs") {
    EngineRig rig(engine({.async = true}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    rig.submit(at_tick(0), 16, 2);
    rig.run_to_the_end();
    const std::int64_t first = t(8, 0, 0, 64) + t(8, 0, 0, 8 * (2 * 8 + 8));
    CHECK(came(rig, 0) == Came{first, first + t(0, 1, 16)});
    CHECK(rig.stats.busy.ps() == ticks(first + t(0, 1, 16)).ps());
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: max_model_len ends an asynchronous request too, without a wasted step") {
    LlmEngineSpec spec = engine({.async = true});
    spec.max_model_len = 8;
    EngineRig rig(spec);
    rig.submit(at_tick(0), 4, 100);
    rig.run_to_the_end();
    CHECK(rig.outcomes[0].report.output_tokens == 4);
    CHECK(came(rig, 0).end == 1416 + 1240 + 1250 + 1260);
    CHECK(rig.stats.busy.ps() == ticks(1416 + 1240 + 1250 + 1260).ps());
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a token in flight counts for the sequence preempted meanwhile") {
    // Both want a third block when 8 tokens are computed and a batch is in flight: 5 blocks.
    EngineRig rig(engine({.async = true}, 5));
    rig.submit(at_tick(0), 4, 8);
    rig.submit(at_tick(0), 4, 8);
    rig.run_to_the_end();
    // Two together, then one: 1832, 3312, 4812, 6332, 7872; 9152, 10442, 11742.
    CHECK(came(rig, 0) == Came{1832, 11'742});
    // At 6332 it is preempted with 4 tokens and one in flight; it computes 4 + 5 anew.
    CHECK(rig.outcomes[1].report.preemptions == 1);
    const std::int64_t resumed = 11'742 + t(9, 0, 0, 81);
    CHECK(came(rig, 1) == Came{1832, resumed + t(0, 1, 9) + t(0, 1, 10)});
    CHECK(rig.outcomes[1].report.output_tokens == 8);
    CHECK(rig.stats.preemptions == 1);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a preempted sequence can finish by its token in flight") {
    // As before, but the second needs no third block: its last token is in flight when it goes.
    EngineRig rig(engine({.async = true}, 4));
    rig.submit(at_tick(0), 4, 8);
    rig.submit(at_tick(0), 4, 5);
    rig.run_to_the_end();
    CHECK(rig.outcomes[1].report.preemptions == 1);
    CHECK(came(rig, 1) == Came{1832, 7872});
    CHECK(rig.outcomes[1].report.output_tokens == 5);
    CHECK(came(rig, 0) == Came{1832, 11'742});
    check_empty(rig);
}

// ---------------------------------------------------------------- pipelines

TEST_CASE("SteppedLlmInstance: two stages work on two micro-batches") {
    EngineRig rig(engine({.stages = 2}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    rig.submit(at_tick(0), 8, 3);
    rig.submit(at_tick(0), 8, 3);
    rig.run_to_the_end();
    // t(8, 0, 0, 64) = 1864, 932 a stage. A: 0-932-1864. B: 932-1864-2796.
    // t(0, 1, 8) = 1280, 640 a stage. A: 1864-2504, then from 2796: 3436. B: 2796-3436-4076.
    // t(0, 1, 9) = 1290, 645 a stage. A: 3436-4081-4726. B: from 4081: 4726-5371.
    CHECK(scheduled(rig, 1) == 0);
    CHECK(came(rig, 0) == Came{1864, 4726});
    CHECK(came(rig, 1) == Came{2796, 5371});
    // One of them works all the time, and that counts once.
    CHECK(rig.stats.busy.ps() == ticks(5371).ps());
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: chunks of a prompt follow each other through the stages at once") {
    EngineRig two(engine({.stages = 2}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    two.submit(at_tick(0), 16, 1);
    two.run_to_the_end();
    // 932 a stage, then t(8, 0, 0, 192) / 2 = 996: 0-932-1864, 932-1928-2924.
    CHECK(came(two, 0) == Came{2924, 2924});

    EngineRig four(engine({.stages = 4}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    four.submit(at_tick(0), 32, 2);
    four.run_to_the_end();
    // 466, 498, 530 and 562 a stage: each chunk is the slower one and waits for nothing after the
    // first stage: 466 + 498 + 530 + 4 * 562. Then one token, alone.
    CHECK(came(four, 0) == Came{3742, 3742 + t(0, 1, 32)});
    check_empty(four);
}

TEST_CASE("SteppedLlmInstance: a request with a token in flight waits, and so does what arrives") {
    // vLLM waits for its oldest batch once there was nothing to plan, though a stage is free.
    EngineRig rig(engine({.stages = 2}));
    rig.submit(at_tick(0), 8, 2);
    rig.submit(at_tick(100), 8, 1);
    rig.run_to_the_end();
    CHECK(scheduled(rig, 1) == 1864);
    const std::int64_t both = t(8, 1, 8, 64);
    CHECK(came(rig, 0) == Came{1864, 1864 + both});
    CHECK(came(rig, 1) == Came{1864 + both, 1864 + both});
    check_empty(rig);
}

TEST_CASE(
    "SteppedLlmInstance: Vidur's schedulers form a batch as soon as a stage has room for it") {
    const std::string policy = GENERATE("sarathi", "vllm-v0", "orca");
    INFO(policy);
    EngineRig rig(engine({.stages = 2}, 3000, {}, policy));
    rig.submit(at_tick(0), 8, 1);
    rig.submit(at_tick(100), 8, 1);
    rig.submit(at_tick(200), 8, 1);
    rig.run_to_the_end();
    CHECK(scheduled(rig, 1) == 100);
    CHECK(came(rig, 0).end == 1864);
    CHECK(came(rig, 1).end == 2796);
    // Two are in flight: the third waits for the end of one, at which the first stage is free too.
    CHECK(scheduled(rig, 2) == 1864);
    CHECK(came(rig, 2).end == 1864 + 932 + 932);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a plan without work takes a place in the queue of batches") {
    // Four stages; two chunks of one prompt are in flight, and an empty plan behind them.
    EngineRig rig(engine({.stages = 4}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    rig.submit(at_tick(0), 16, 1);
    for (int i = 0; i < 4; ++i) rig.submit(at_tick(10), 8, 1);
    rig.run_to_the_end();
    // 466 a stage and 498 a stage: the first chunk ends at 1864, the second at 466 + 4 * 498 =
    // 2458.
    CHECK(came(rig, 0) == Came{2458, 2458});
    // At 1864 there is room for two beside the chunk and the empty plan. A batch is 466 a stage.
    CHECK(scheduled(rig, 1) == 1864);
    CHECK(scheduled(rig, 2) == 1864);
    CHECK(came(rig, 1).end == 1864 + 4 * 466);
    CHECK(came(rig, 2).end == 1864 + 5 * 466);
    // At 2458 the empty plan goes with the chunk.
    CHECK(scheduled(rig, 3) == 2458);
    CHECK(scheduled(rig, 4) == 2458);
    CHECK(came(rig, 3).end == 1864 + 6 * 466);
    CHECK(came(rig, 4).end == 1864 + 7 * 466);
    check_empty(rig);
}

// ---------------------------------------------------------------- prefix caching

TEST_CASE("SteppedLlmInstance: equal prompts that arrive together share within one step") {
    EngineRig rig(engine({.caching = true}));
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    CHECK(rig.load(at_tick(1)).kv_used_blocks == 4);
    rig.run_to_the_end();
    // The second computes a whole block anew, over 8 tokens of context.
    const std::int64_t end = t(12 + 4, 0, 0, 12 * 12 + 4 * (2 * 8 + 4));
    CHECK(end == 2824);
    CHECK(came(rig, 0) == Came{end, end});
    CHECK(came(rig, 1) == Came{end, end});
    CHECK(rig.load(rig.now()).prompt_tokens == 16);
    CHECK(rig.stats.kv_block_time.ps() == static_cast<Int128>(ticks(1).ps()) * 4 * 2824);
    CHECK(rig.stats.prefix_query_tokens == 24);
    CHECK(rig.stats.prefix_hit_tokens == 8);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a hit counts as context, not as prompt") {
    EngineRig rig(engine({.caching = true}));
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(10'000), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(20'000), 13, 1, ids({1, 2, 3, 4}));
    rig.submit(at_tick(30'000), 12, 1, ids({9, 2, 3}));
    rig.submit(at_tick(40'000), 12, 1);
    rig.run_to_the_end();
    CHECK(came(rig, 0).end == t(12, 0, 0, 144));
    // Fully cached: a whole block is computed over 8 tokens. With one token more, this one only.
    CHECK(came(rig, 1).end == 10'000 + t(4, 0, 0, 4 * (2 * 8 + 4)));
    CHECK(came(rig, 2).end == 20'000 + t(1, 0, 0, 2 * 12 + 1));
    // Equal blocks after another first one, and tokens that nobody knows, are no hits.
    CHECK(came(rig, 3).end == 30'000 + t(12, 0, 0, 144));
    CHECK(came(rig, 4).end == 40'000 + t(12, 0, 0, 144));
    CHECK(rig.stats.prefix_query_tokens == 12 + 12 + 13 + 12 + 12);
    CHECK(rig.stats.prefix_hit_tokens == 8 + 12);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: hits leave more of the budget to chunks of other prompts") {
    EngineRig rig(engine({.caching = true}, 1000, {{"max_num_batched_tokens", whole(12)}}));
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(10'000), 14, 1, ids({1, 2, 3, 4}));
    rig.submit(at_tick(10'000), 20, 1, ids({1, 2, 5, 6, 7}));
    rig.run_to_the_end();
    // 2 tokens over 12, and 10 of the other's 12 over 8; then its last 2 over 18.
    const std::int64_t first = 10'000 + t(12, 0, 0, 2 * (24 + 2) + 10 * (16 + 10));
    CHECK(came(rig, 1).end == first);
    CHECK(came(rig, 2).end == first + t(2, 0, 0, 2 * (36 + 2)));
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: outputs are found too, once their block is full") {
    const bool async = GENERATE(false, true);
    EngineRig rig(engine({.async = async, .caching = true}));
    rig.submit(at_tick(0), 4, 5, ids({1, 2, 3}));
    rig.submit(at_tick(20'000), 9, 1, ids({1, 2, 8}));
    rig.submit(at_tick(30'000), 13, 1, ids({1, 2, 3, 4}));
    rig.run_to_the_end();
    CHECK(came(rig, 1).end == 20'000 + t(1, 0, 0, 2 * 8 + 1));
    // Of the ninth token no keys were computed.
    CHECK(came(rig, 2).end == 30'000 + t(5, 0, 0, 5 * (2 * 8 + 5)));
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a decode's block is found from the step on that fills it") {
    // The decode over 7 tokens fills the second block; it runs from 5166 to 6436.
    EngineRig rig(engine({.caching = true}));
    rig.submit(at_tick(0), 4, 20, ids({1, 2, 3, 4, 5, 6}));
    rig.submit(at_tick(4000), 9, 1, ids({1, 2, 9}));
    rig.run_to_the_end();
    CHECK(came(rig, 1).end == 5166 + t(1, 1, 7, 2 * 8 + 1));
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: asynchronously only once the tokens of the block are known") {
    // The same decode is planned at 3906, when its token is not yet known.
    const EngineModes modes{.async = true, .caching = true};
    EngineRig early(engine(modes));
    early.submit(at_tick(0), 4, 20, ids({1, 2, 3, 4, 5, 6}));
    early.submit(at_tick(3000), 9, 1, ids({1, 2, 9}));
    early.run_to_the_end();
    CHECK(scheduled(early, 1) == 3906);
    CHECK(came(early, 1).end == 5166 + t(5, 1, 7, 5 * (2 * 4 + 5)));
    check_empty(early);
    // A step later the eighth token is known, and the block is found.
    EngineRig late(engine(modes));
    late.submit(at_tick(0), 4, 20, ids({1, 2, 3, 4, 5, 6}));
    late.submit(at_tick(4000), 9, 1, ids({1, 2, 9}));
    late.run_to_the_end();
    CHECK(scheduled(late, 1) == 5166);
    CHECK(came(late, 1).end == 6436 + t(1, 1, 8, 2 * 8 + 1));
    check_empty(late);
}

TEST_CASE("SteppedLlmInstance: a preempted sequence finds its own blocks, and may just decode") {
    EngineRig rig(engine({.caching = true}, 5));
    rig.submit(at_tick(0), 4, 8);
    rig.submit(at_tick(0), 4, 8);
    rig.run_to_the_end();
    CHECK(came(rig, 0) == Came{1832, 11'742});
    CHECK(rig.outcomes[1].report.preemptions == 1);
    // 8 of its 9 tokens are still there: the ninth is a decode over them.
    CHECK(came(rig, 1) == Came{1832, 11'742 + t(0, 1, 8) + t(0, 1, 9) + t(0, 1, 10)});
    // Look-ups of what was preempted do not count.
    CHECK(rig.stats.prefix_query_tokens == 8);
    CHECK(rig.stats.prefix_hit_tokens == 0);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: looking up the blocked head counts each time") {
    EngineRig rig(engine({.caching = true}, 3));
    rig.submit(at_tick(0), 8, 3);
    rig.submit(at_tick(0), 8, 1);
    rig.run_to_the_end();
    // In three steps it is looked up in vain, in the fourth it is admitted.
    CHECK(scheduled(rig, 1) == t(8, 0, 0, 64) + t(0, 1, 8) + t(0, 1, 9));
    CHECK(rig.stats.prefix_query_tokens == 8 + 4 * 8);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a hit that nobody uses needs a free block like any other") {
    // Blocks of the first request are cached. The second holds 3 of the 6 until 4000 and more.
    EngineRig rig(engine({.caching = true}, 6));
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(3000), 9, 3);
    rig.submit(at_tick(3001), 16, 1, ids({1, 2, 3, 4}));
    rig.run_to_the_end();
    // It wants 3 cached blocks and one more, and 3 are free.
    const std::int64_t freed = 3000 + t(9, 0, 0, 81) + t(0, 1, 9) + t(0, 1, 10);
    CHECK(came(rig, 1).end == freed);
    CHECK(scheduled(rig, 2) == freed);
    CHECK(came(rig, 2).end == freed + t(4, 0, 0, 4 * (2 * 12 + 4)));
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: drafts use up the budget, and who got none of it waits") {
    serving::LlmEngineSpec spec = engine({}, 1000, {{"max_num_batched_tokens", whole(4)}});
    spec.speculation = serving::SpeculationSpec{2, 0.0, Duration::zero()};
    EngineRig rig(spec);
    rig.submit(at_tick(0), 1, 2);  // one token left: no drafts
    rig.submit(at_tick(0), 1, 9);
    rig.submit(at_tick(0), 1, 9);
    rig.run_to_the_end();
    // The second batch: a token of the first one, and one with two drafts of the second.
    const std::int64_t prompts = t(3, 0, 0, 3);
    CHECK(came(rig, 0) == Came{prompts, prompts + t(2, 2, 2, 4)});
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: blocks held for drafts are not found before they are computed") {
    serving::LlmEngineSpec spec =
        engine({.caching = true}, 1000, {{"long_prefill_token_threshold", whole(7)}});
    spec.speculation = serving::SpeculationSpec{2, 0.0, Duration::zero()};
    EngineRig rig(spec);
    rig.submit(at_tick(0), 30, 1, ids({1, 2, 3, 4, 5, 6, 7, 8}));
    rig.submit(at_tick(1), 17, 1, ids({1, 2, 3, 4, 5}));
    rig.run_to_the_end();
    // The first one's second chunk ends at 14 tokens and holds blocks for 16: three are found.
    const std::int64_t second = t(7, 0, 0, 49) + t(7 + 5, 0, 0, 7 * (14 + 7) + 5 * (24 + 5));
    CHECK(came(rig, 1) == Came{second, second});
    CHECK(rig.stats.prefix_hit_tokens == 12);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: who was passed over goes before those that are preempted since") {
    serving::LlmEngineSpec spec = engine({}, 5);
    spec.adapters = serving::AdapterSpec{1, 2, Duration::zero(), Duration::zero()};
    EngineRig rig(spec);
    rig.submit(at_tick(0), 8, 6, {}, 0, 1);
    rig.submit(at_tick(0), 8, 9, {}, 0, 1);
    rig.submit(at_tick(0), 4, 1, {}, 0, 2);  // its adapter has no slot
    rig.run_to_the_end();
    // The second one finds no block for its first decode, and none before the first one is done.
    const std::int64_t prompts = t(16, 0, 0, 64 + 64);
    const std::int64_t first = prompts + 5 * t(0, 1, 10);  // over 8, 9, ... 12 tokens
    CHECK(came(rig, 0) == Came{prompts, first});
    CHECK(came(rig, 2).end == first + t(4, 0, 0, 16));
    CHECK(rig.outcomes[1].report.preemptions == 1);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: who is preempted goes behind those whose blocks are being fetched") {
    serving::LlmEngineSpec spec = engine({}, 7);
    spec.role = serving::EngineRole::decode;
    spec.adapters = serving::AdapterSpec{1, 2, Duration::zero(), Duration::zero()};
    EngineRig rig(spec);
    rig.submit(at_tick(0), 8, 6, {}, 0, 1);
    rig.submit(at_tick(0), 8, 9, {}, 0, 1);
    rig.submit(at_tick(0), 8, 1, {}, 0, 1, 8);  // holds two blocks, but its tokens take long
    rig.submit(at_tick(0), 4, 1, {}, 0, 2);     // its adapter has no slot
    rig.run(at_tick(100'000));
    // As above: the second one is preempted at its first decode, and comes back behind the last.
    const std::int64_t first = t(16, 0, 0, 64 + 64) + 5 * t(0, 1, 10);
    CHECK(came(rig, 0).end == first);
    CHECK(came(rig, 3).end == first + t(4, 0, 0, 16));
    CHECK(rig.outcomes[1].report.preemptions == 1);
    CHECK_FALSE(rig.outcomes[2].completed);
    rig.kv_arrives(at_tick(100'000), 2);
    rig.run_to_the_end();
    check_empty(rig);
}

}  // namespace headroom::tests
