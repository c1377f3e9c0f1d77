// Each case worked out by hand and run twice, in macro-steps and by its slow twin.
#include "tests/catch.hpp"
#include "tests/unit/policies/batching/engine_run.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;
using serving::Outcome;

PolicyChoice static_batches(std::int64_t batch_size, bool wait_for_full = false) {
    return choose<serving::BatchingPolicy>(
        "static",
        {{"batch_size", whole(batch_size)}, {"wait_for_full", ParameterValue{wait_for_full}}});
}

}  // namespace

TEST_CASE("static: a batch runs to the end of its last request before the next is formed") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        static_batches(2), 100, 16,
        {arrival_at(Duration::zero(), 10, 2), arrival_at(Duration::zero(), 20, 4),
         arrival_at(Duration::zero(), 5, 1), arrival_at(Duration::milliseconds(9), 6, 1)},
        exact);
    const Time first = after(iteration(30, 0, 0, 10 * 10 + 20 * 20));
    const Time second = first + iteration(0, 2, 10 + 20);
    const Time fourth = second + iteration(0, 1, 21) + iteration(0, 1, 22);
    CHECK(ran.rows.at(0).finish == second);
    CHECK(ran.rows.at(1).finish == fourth);
    const Time next = fourth + iteration(11, 0, 0, 5 * 5 + 6 * 6);
    for (const std::size_t i : {2U, 3U}) {
        CHECK(ran.rows.at(i).first_scheduled == fourth);
        CHECK(ran.rows.at(i).finish == next);
    }
}

TEST_CASE("static: a batch is formed of the requests that are there") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran = run_engine(
        static_batches(4), 100, 16,
        {arrival_at(Duration::zero(), 10, 1), arrival_at(Duration::milliseconds(1), 10, 1)}, exact);
    CHECK(ran.rows.at(0).first_scheduled == Time::zero());
    CHECK(ran.rows.at(1).first_scheduled == ran.rows.at(0).finish);
}

TEST_CASE("static: prompt and output are reserved, and a batch ends before what finds no room") {
    const bool exact = GENERATE(false, true);
    // 32 + 17 tokens, the last of which is not computed: 3 blocks each, of 5.
    const EngineRun ran = run_engine(
        static_batches(8), 5, 16,
        {arrival_at(Duration::zero(), 32, 17), arrival_at(Duration::zero(), 32, 17)}, exact);
    Duration alone = iteration(32, 0, 0, 32 * 32);
    for (std::int64_t i = 0; i < 16; ++i) alone += iteration(0, 1, 32 + i);
    CHECK(ran.rows.at(0).finish == after(alone));
    CHECK(ran.rows.at(1).first_scheduled == after(alone));
    CHECK(ran.rows.at(1).finish == after(alone * 2));
    CHECK(ran.stats.kv_block_time.ps() == 3 * static_cast<Int128>((alone * 2).ps()));
    CHECK(ran.stats.preemptions == 0);
    CHECK(cause_of(static_batches(8), 3, 32, 17) == Cause::none);
    CHECK(cause_of(static_batches(8), 3, 32, 18) == Cause::exceeds_kv_capacity);
}

TEST_CASE("static: with wait_for_full a batch waits until it is full") {
    const bool exact = GENERATE(false, true);
    const EngineRun ran =
        run_engine(static_batches(2, true), 100, 16,
                   {arrival_at(Duration::zero(), 10, 1), arrival_at(Duration::seconds(1), 10, 1),
                    arrival_at(Duration::seconds(2), 10, 1)},
                   exact);
    CHECK(ran.rows.at(0).first_scheduled == after(Duration::seconds(1)));
    CHECK(ran.rows.at(1).first_scheduled == after(Duration::seconds(1)));
    CHECK(ran.rows.at(2).outcome == Outcome::in_flight);
    CHECK(ran.stats.requests.in_flight() == 1);
}

}  // namespace headroom::tests
