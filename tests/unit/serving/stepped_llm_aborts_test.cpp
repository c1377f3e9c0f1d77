// What comes to a SteppedLlmInstance from outside while batches are in flight: aborts, kills and
// changes of speed, in each of its modes. By hand, as in stepped_llm_instance_test.cpp.
#include "tests/catch.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {
namespace {

using Requests = std::vector<std::size_t>;

const std::vector<EngineModes> kModes = {
    {},
    {.async = true},
    {.caching = true},
    {.async = true, .caching = true},
    {.stages = 2},
    {.caching = true, .stages = 4},
};

std::string name_of(const EngineModes& modes) {
    return std::string(modes.async ? "async " : "") + (modes.caching ? "caching " : "") +
           std::to_string(modes.stages) + " stages";
}

}  // namespace

TEST_CASE("SteppedLlmInstance: an aborted sequence stays in the batches that are planned") {
    const bool async = GENERATE(false, true);
    EngineRig rig(engine({.async = async}));
    rig.submit(at_tick(0), 4, 10);
    rig.submit(at_tick(0), 4, 10);
    // 1832, 3312: in the second batch. Its room is free at the end of it.
    rig.abort(at_tick(2000), 0);
    CHECK(rig.load(at_tick(2000)).running == 1);
    CHECK(rig.load(at_tick(2001)).kv_used_blocks == 4);
    CHECK(rig.load(at_tick(3313)).kv_used_blocks == 2);
    rig.run_to_the_end();
    std::int64_t end = 3312 + (async ? t(0, 2, 10) : t(0, 1, 5));
    for (std::int64_t context = 6; context < 13; ++context) end += t(0, 1, context);
    CHECK(came(rig, 1) == Came{1832, end});
    // Nor does it get the token of that batch, or of the one planned behind it.
    CHECK(rig.outcomes[0].report.output_tokens == 1);
    CHECK(rig.load(rig.now()).output_tokens == 1 + 10);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: what is aborted at the end of a batch is not in the next plan") {
    const bool async = GENERATE(false, true);
    EngineRig rig(engine({.async = async}));
    rig.submit(at_tick(0), 4, 10);
    rig.submit(at_tick(0), 4, 5);
    rig.abort(at_tick(3312), 0);
    rig.run_to_the_end();
    const std::int64_t planned = async ? t(0, 2, 10) : t(0, 1, 5);
    CHECK(came(rig, 1).end == 3312 + planned + t(0, 1, 6) + t(0, 1, 7));
    CHECK(rig.outcomes[0].report.output_tokens == 2);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: a newcomer gets nothing of the batch of one that was aborted") {
    EngineRig rig(engine({.async = true}));
    rig.submit(at_tick(0), 4, 10);
    rig.abort(at_tick(100), 0);
    rig.submit(at_tick(200), 4, 1);
    // Two batches are in flight for nobody: 1416 and 2656. After the first the newcomer is planned.
    rig.submit(at_tick(1500), 4, 2);
    rig.run_to_the_end();
    CHECK(scheduled(rig, 1) == 1416);
    CHECK(came(rig, 1) == Came{2656 + 1416, 2656 + 1416});
    CHECK(scheduled(rig, 2) == 2656);
    CHECK(came(rig, 2) == Came{4072 + 1416, 4072 + 1416 + 1240});
    CHECK(rig.load(rig.now()).output_tokens == 3);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: in a pipeline an aborted sequence leaves its batch to run through") {
    EngineRig rig(engine({.stages = 2}, 1000, {{"max_num_batched_tokens", whole(8)}}));
    rig.submit(at_tick(0), 8, 3);
    rig.submit(at_tick(0), 8, 3);
    rig.submit(at_tick(0), 8, 1);
    rig.abort(at_tick(50), 0);
    rig.run_to_the_end();
    // 0-932-1864 for nobody, then the second 932-1864-2796, and the third, planned at 1864.
    CHECK(came(rig, 1).first == 2796);
    CHECK(scheduled(rig, 2) == 1864);
    CHECK(came(rig, 2).end == 1864 + 932 + 932);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: aborting what waits, runs or was preempted leaves nothing behind") {
    for (const EngineModes& modes : kModes) {
        INFO(name_of(modes));
        // Too few blocks for all of them, so that some are preempted while in flight.
        EngineRig rig(engine(modes, 9, {{"max_num_batched_tokens", whole(8)}}));
        for (int i = 0; i < 6; ++i) rig.submit(at_tick(100 * i), 7, 12, ids({1, 2, 3, 4, 5}));
        for (std::size_t i = 0; i < 6; ++i) {
            rig.abort(at_tick(1000 + 2500 * static_cast<std::int64_t>(i)), 5 - i);
            rig.submit(at_tick(1100 + 2500 * static_cast<std::int64_t>(i)), 5, 9);
        }
        rig.run_to_the_end();
        for (const EngineRig::Outcome& o : rig.outcomes) {
            CHECK(o.completed != o.aborted);
            if (o.completed) CHECK(o.report.output_tokens >= 9);
        }
        check_empty(rig);
    }
}

TEST_CASE("SteppedLlmInstance: what a fetching sequence held is for the next at its abort") {
    serving::LlmEngineSpec spec = engine({.caching = true}, 4);
    spec.host_kv = serving::HostKvSpec{8, ticks(10'000)};
    EngineRig rig(spec);
    rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}));
    rig.submit(at_tick(20'000), 16, 1, ids({5, 6, 7, 8}));  // drives the first one's to the host
    // Three of four blocks wait until 70000 for what comes from there; the next one needs two.
    rig.submit(at_tick(40'000), 13, 1, ids({1, 2, 3}));
    rig.submit(at_tick(41'000), 8, 1);
    CHECK(rig.load(at_tick(41'001)).waiting == 2);
    rig.abort(at_tick(42'000), 2);
    rig.run_to_the_end();
    CHECK(scheduled(rig, 3) == 42'000);
    check_empty(rig);
}

TEST_CASE("SteppedLlmInstance: aborting everything in flight leaves an engine that still works") {
    for (const EngineModes& modes : kModes) {
        INFO(name_of(modes));
        EngineRig rig(engine(modes, 20, {{"max_num_batched_tokens", whole(8)}}));
        for (int i = 0; i < 4; ++i) rig.submit(at_tick(0), 8, 4);
        for (std::size_t i = 0; i < 4; ++i) CHECK(rig.abort(at_tick(10), i));
        rig.run_to_the_end();
        check_empty(rig);
        const std::size_t later = rig.submit(at_tick(100'000), 8, 2);
        rig.run_to_the_end();
        CHECK(came(rig, later) == Came{101'864, 101'864 + t(0, 1, 8)});
        CHECK(rig.load(rig.now()).output_tokens == 2);
        check_empty(rig);
    }
}

TEST_CASE("SteppedLlmInstance: slots of what was aborted are used again") {
    for (const EngineModes& modes : kModes) {
        INFO(name_of(modes));
        EngineRig rig(engine(modes));
        for (std::int64_t i = 0; i < 100; ++i) {
            const std::size_t request = rig.submit(at_tick(500 * i), 4, 20);
            rig.abort(at_tick(500 * i + 499), request);
            CHECK(rig.outcomes[request].slot < 12);
        }
        rig.run_to_the_end();
        check_empty(rig);
    }
}

TEST_CASE("SteppedLlmInstance: a kill loses all that runs or waits, once each") {
    for (const EngineModes& modes : kModes) {
        INFO(name_of(modes));
        EngineRig rig(engine(modes, 1000, {{"max_num_seqs", whole(2)}}));
        for (int i = 0; i < 5; ++i) rig.submit(at_tick(i), 8, 20);
        rig.abort(at_tick(3000), 0);
        rig.abort(at_tick(3000), 4);
        CHECK(rig.kill(at_tick(3001)) == Requests{1, 2, 3});
        CHECK(rig.stats.busy.ps() == ticks(3001).ps());
    }
}

TEST_CASE("SteppedLlmInstance: batches in flight keep their speed, later ones have the new one") {
    for (const EngineModes& modes : kModes) {
        INFO(name_of(modes));
        EngineRig rig(engine(modes));
        rig.submit(at_tick(0), 8, 1);
        rig.set_speed(at_tick(100), serving::kNominalSpeed / 2);
        rig.submit(at_tick(10'000), 8, 2);
        rig.run_to_the_end();
        CHECK(came(rig, 0).end == 1864);
        CHECK(came(rig, 1) == Came{10'000 + 2 * 1864, 10'000 + 2 * 1864 + 2 * t(0, 1, 8)});
        check_empty(rig);
    }
}

}  // namespace headroom::tests
