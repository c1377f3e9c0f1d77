// Each case worked out by hand and run twice, in macro-steps and by its slow twin.
#include "tests/catch.hpp"
#include "tests/unit/policies/batching/engine_run.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;

PolicyChoice orca(std::int64_t reserve_tokens, std::int64_t max_num_seqs = 128) {
    return choose<serving::BatchingPolicy>(
        "orca", {{"reserve_tokens", whole(reserve_tokens)}, {"max_num_seqs", whole(max_num_seqs)}});
}

}  // namespace

TEST_CASE("orca: a whole prompt joins the decodes in the next iteration") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        orca(160), 100, 16,
        {arrival_at(Duration::zero(), 100, 3), arrival_at(Duration::milliseconds(1), 50, 2)},
        exact);
    const Time first = after(iteration(100, 0, 0, 100 * 100));
    const Time second = first + iteration(50, 1, 100, 50 * 50);
    const Time third = second + iteration(0, 2, 101 + 50);
    CHECK(ran.rows.at(0).first_token == first);
    CHECK(ran.rows.at(1).first_scheduled == first);
    CHECK(ran.rows.at(1).first_token == second);
    CHECK(ran.rows.at(0).finish == third);
    CHECK(ran.rows.at(1).finish == third);
}

TEST_CASE("orca: every request holds the whole reservation from its admission to its end") {
    const bool exact = GENERATE(false, true);
    // 4 blocks each of 10: two at a time, though they could all be in 3 blocks.
    const EngineRun ran =
        run_engine(orca(64), 10, 16,
                   {arrival_at(Duration::zero(), 5, 2), arrival_at(Duration::zero(), 6, 3),
                    arrival_at(Duration::zero(), 7, 2)},
                   exact);
    const Duration first = iteration(11, 0, 0, 5 * 5 + 6 * 6);
    const Duration second = first + iteration(0, 2, 5 + 6);
    const Duration third = second + iteration(7, 1, 7, 7 * 7);
    const Duration fourth = third + iteration(0, 1, 7);
    CHECK(ran.rows.at(0).finish == after(second));
    CHECK(ran.rows.at(2).first_scheduled == after(second));
    CHECK(ran.rows.at(1).finish == after(third));
    CHECK(ran.rows.at(2).finish == after(fourth));
    CHECK(ran.stats.kv_block_time.ps() ==
          8 * static_cast<Int128>(third.ps()) + 4 * static_cast<Int128>((fourth - third).ps()));
    CHECK(ran.stats.preemptions == 0);
}

TEST_CASE("orca: runs at most max_num_seqs requests") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran =
        run_engine(orca(16, 1), 100, 16,
                   {arrival_at(Duration::zero(), 5, 3), arrival_at(Duration::zero(), 6, 1)}, exact);
    CHECK(ran.rows.at(1).first_scheduled == ran.rows.at(0).finish);
}

TEST_CASE("orca: refuses what would outgrow its reservation") {
    // The last token is never computed.
    CHECK(cause_of(orca(64), 10, 40, 25) == Cause::none);
    CHECK(cause_of(orca(64), 10, 40, 26) == Cause::exceeds_batch_limit);
    CHECK(cause_of(orca(160), 10, 1, 1) == Cause::none);
    CHECK(cause_of(orca(161), 10, 1, 1) == Cause::exceeds_kv_capacity);
}

}  // namespace headroom::tests
