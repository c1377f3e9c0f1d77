// Each case worked out by hand and run twice, in macro-steps and by its slow twin.
#include "tests/catch.hpp"
#include "tests/unit/policies/batching/engine_run.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;

PolicyChoice sarathi(std::int64_t chunk_size, double watermark = 0.01) {
    return choose<serving::BatchingPolicy>(
        "sarathi", {{"chunk_size", whole(chunk_size)}, {"watermark", ParameterValue{watermark}}});
}

}  // namespace

TEST_CASE("sarathi: prompts fill up a chunk, beside the decodes that are in it first") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        sarathi(64), 100, 16,
        {arrival_at(Duration::zero(), 40, 3), arrival_at(Duration::zero(), 90, 2)}, exact);
    // 40 + 24 tokens; then one decode and 63 tokens; then one decode and the last 3.
    const Time first = after(iteration(64, 0, 0, 40 * 40 + 24 * 24));
    const Time second = first + iteration(63, 1, 40, 63 * (2 * 24 + 63));
    const Time third = second + iteration(3, 1, 41, 3 * (2 * 87 + 3));
    CHECK(ran.rows.at(0).first_token == first);
    CHECK(ran.rows.at(0).finish == third);
    CHECK(ran.rows.at(1).first_scheduled == Time::zero());
    CHECK(ran.rows.at(1).first_token == third);
    const Time fourth = third + iteration(0, 1, 90);
    CHECK(ran.rows.at(1).finish == fourth);
    // 3 and 6 blocks from the first iteration on, though most of the second prompt came later.
    CHECK(ran.stats.kv_block_time.ps() ==
          9 * static_cast<Int128>(third.ps()) + 6 * static_cast<Int128>((fourth - third).ps()));
}

TEST_CASE("sarathi: no more sequences run than a chunk has tokens") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran =
        run_engine(sarathi(2), 100, 16,
                   {arrival_at(Duration::zero(), 1, 3), arrival_at(Duration::zero(), 1, 4),
                    arrival_at(Duration::milliseconds(1), 1, 1)},
                   exact);
    const Time third = after(iteration(2, 0, 0, 1 + 1) + iteration(0, 2, 2) + iteration(0, 2, 4));
    CHECK(ran.rows.at(0).finish == third);
    CHECK(ran.rows.at(2).first_scheduled == third);
    const Time fourth = third + iteration(1, 1, 3, 1);
    CHECK(ran.rows.at(1).finish == fourth);
    CHECK(ran.rows.at(2).finish == fourth);
}

TEST_CASE("sarathi: admits a prompt when all its blocks leave the watermark free") {
    const bool exact = GENERATE(false, true);
    const auto prompt = GENERATE(80, 64);
    // One block of ten is the watermark. The first prompt holds 4 from its first chunk on and takes
    // a fifth with its first decode: 5 are left, of which the second request may have 4.
    const EngineRun ran = run_engine(
        sarathi(32, 0.1), 10, 16,
        {arrival_at(Duration::zero(), 64, 3), arrival_at(Duration::zero(), prompt, 1)}, exact);
    const Time prefilled =
        after(iteration(32, 0, 0, 32 * 32) + iteration(32, 0, 0, 32 * (2 * 32 + 32)));
    CHECK(ran.rows.at(0).first_token == prefilled);
    if (prompt == 80) {
        const Time finish = prefilled + iteration(0, 1, 64) + iteration(0, 1, 65);
        CHECK(ran.rows.at(0).finish == finish);
        CHECK(ran.rows.at(1).first_scheduled == finish);
    } else {
        CHECK(ran.rows.at(1).first_scheduled == prefilled);
        CHECK(ran.rows.at(0).finish ==
              prefilled + iteration(31, 1, 64, 31 * 31) + iteration(31, 1, 65, 31 * (2 * 31 + 31)));
    }
}

TEST_CASE(
    "sarathi: a decode that finds no free block preempts the last, an unfinished prompt too") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        sarathi(4, 0.1), 10, 4,
        {arrival_at(Duration::zero(), 8, 12), arrival_at(Duration::zero(), 24, 1)}, exact);
    Time t = after(iteration(4, 0, 0, 4 * 4) + iteration(4, 0, 0, 4 * (2 * 4 + 4)));
    CHECK(ran.rows.at(0).first_token == t);
    // The decode takes a third block, the second prompt 6 of the other 7, and gets 3 tokens a time.
    CHECK(ran.rows.at(1).first_scheduled == t);
    for (std::int64_t i = 0; i < 5; ++i) t += iteration(3, 1, 8 + i, 3 * (2 * 3 * i + 3));
    // With 12 tokens the decode took the last block. With 13 it needs none, but wants one free.
    for (std::int64_t i = 5; i < 11; ++i) t += iteration(0, 1, 8 + i);
    CHECK(ran.rows.at(0).finish == t);
    CHECK(ran.rows.at(0).preemptions == 0);
    // It could have had its 6 blocks back, but not with the watermark free.
    for (std::int64_t i = 0; i < 6; ++i) t += iteration(4, 0, 0, 4 * (2 * 4 * i + 4));
    CHECK(ran.rows.at(1).finish == t);
    CHECK(ran.rows.at(1).preemptions == 1);
}

TEST_CASE("sarathi: a sequence that is the last preempts itself, and comes back as a prompt") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        sarathi(19, 0.1), 10, 4,
        {arrival_at(Duration::zero(), 12, 12), arrival_at(Duration::zero(), 16, 6)}, exact);
    Time t = after(iteration(19, 0, 0, 12 * 12 + 7 * 7));
    t += iteration(9, 1, 12, 9 * (2 * 7 + 9));
    CHECK(ran.rows.at(1).first_token == t);
    for (std::int64_t i = 0; i < 3; ++i) t += iteration(0, 2, 13 + 16 + 2 * i);
    // Now the first takes the last block, and the second, with 20 tokens, finds none.
    for (std::int64_t i = 16; i < 23; ++i) t += iteration(0, 1, i);
    CHECK(ran.rows.at(0).finish == t);
    // 19 of the 20 tokens, then the one that is left: a prompt's still, not a decode.
    t += iteration(19, 0, 0, 19 * 19) + iteration(1, 0, 0, 2 * 19 + 1);
    CHECK(ran.rows.at(1).finish == t + iteration(0, 1, 20));
    CHECK(ran.rows.at(1).preemptions == 1);
}

TEST_CASE("sarathi: refuses what could never come back after a preemption") {
    // 10 blocks of 16 tokens, of which one stays free: 144 tokens, the last of which is not
    // computed.
    CHECK(cause_of(sarathi(8), 10, 100, 45) == Cause::none);
    CHECK(cause_of(sarathi(8), 10, 100, 46) == Cause::exceeds_kv_capacity);
    CHECK(cause_of(sarathi(8, 0.3), 10, 100, 14) == Cause::exceeds_kv_capacity);
}

}  // namespace headroom::tests
