// The dynamic batcher against a naive model of the same rules: random loads and settings must end
// every request at the same time in the same way.
#include <algorithm>

#include "tests/draws.hpp"
#include "tests/property/serving/naive_batcher.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

/// A coarse grid makes ties frequent; what is long against the 500 ms of an idle batcher and what
/// is short both occur.
Duration unit_of(Draws& draws) {
    static constexpr std::int64_t kMilliseconds[] = {1, 20, 125, 250};
    return Duration::milliseconds(kMilliseconds[draws.below(4)]);
}

serving::DynamicEngineSpec random_batcher(Draws& draws, Duration unit) {
    serving::DynamicEngineSpec spec;
    spec.instances = 1 + draws.below(3);
    spec.max_batch_size = 1 + draws.below(8);
    spec.preferred_batch_sizes.clear();
    for (std::int64_t size = 1; size <= spec.max_batch_size; ++size) {
        if (draws.one_in(3)) spec.preferred_batch_sizes.push_back(size);
    }
    if (spec.preferred_batch_sizes.empty() || draws.one_in(3)) {
        spec.preferred_batch_sizes = {spec.max_batch_size};
    }
    if (!draws.one_in(3)) spec.max_queue_delay = unit * draws.below(6);
    spec.latency = linear_batches(unit * draws.below(4) + Duration::picoseconds(draws.below(2)),
                                  unit * (1 + draws.below(3)));
    if (draws.one_in(4)) spec.max_queue_size = 1 + draws.below(6);
    if (draws.one_in(3)) spec.default_timeout = unit * (1 + draws.below(12));
    if (draws.one_in(2)) spec.timeout_action = serving::QueueTimeoutAction::delay;
    if (draws.one_in(4)) {
        spec.priority_levels = 1 + draws.below(3);
        spec.default_priority_level = 1 + draws.below(spec.priority_levels);
    }
    return spec;
}

std::vector<BatcherCommand> random_commands(Draws& draws, Duration unit) {
    std::vector<BatcherCommand> commands;
    const std::int64_t spread = 1 + draws.below(5);  // mean time between arrivals, in half units
    const bool aborts = draws.one_in(2);
    const std::int64_t count = 1 + draws.below(60);
    Time now = Time::zero() + unit * draws.below(3);
    for (std::int64_t i = 0; i < count; ++i) {
        now += unit * draws.below(spread);
        if (draws.one_in(25)) now += unit * 40;
        BatcherCommand submit;
        submit.time = now;
        submit.attempt = static_cast<std::uint32_t>(i);
        submit.priority = static_cast<std::int32_t>(draws.below(6)) - 1;
        commands.push_back(submit);
        if (aborts && draws.one_in(4)) {
            BatcherCommand abort = submit;
            abort.kind = BatcherCommand::Kind::abort;
            abort.time = now + unit * draws.below(20);
            commands.push_back(abort);
        }
        if (draws.one_in(30)) {
            BatcherCommand speed;
            speed.kind = BatcherCommand::Kind::speed;
            speed.time = now;
            speed.speed = 500'000 * (1 + draws.below(3));
            commands.push_back(speed);
        }
    }
    std::stable_sort(commands.begin(), commands.end(),
                     [](const BatcherCommand& a, const BatcherCommand& b) {
                         return a.time != b.time ? a.time < b.time : a.kind < b.kind;
                     });
    return commands;
}

}  // namespace

TEST_CASE("DynamicBatchInstance: ends every request as the naive model of its rules does") {
    std::int64_t timed_out = 0;
    std::int64_t refused = 0;
    std::int64_t batched = 0;
    const std::int64_t cases = scaled(20'000, 500);
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        Draws draws{RandomStream(static_cast<std::uint64_t>(seed), "dynamic batching")};
        const Duration unit = unit_of(draws);
        const serving::DynamicEngineSpec spec = random_batcher(draws, unit);
        const std::vector<BatcherCommand> commands = random_commands(draws, unit);
        NaiveBatcher naive(spec);
        const std::vector<BatcherOutcome> expected = naive.run(commands);
        BatcherRig rig(spec);
        rig.run(commands);
        INFO("seed " << seed);
        REQUIRE(rig.outcomes == expected);
        REQUIRE(rig.stats.executions == naive.executions());
        const serving::InstanceLoad load = rig.instance.load({Time::max(), 0});
        REQUIRE(load.in_flight == 0);
        REQUIRE(rig.live.empty());
        for (const BatcherOutcome& outcome : expected) {
            timed_out += outcome.kind == BatcherOutcome::Kind::timed_out ? 1 : 0;
            refused += outcome.kind == BatcherOutcome::Kind::refused ? 1 : 0;
        }
        batched += rig.stats.executed_requests > rig.stats.executions ? 1 : 0;
    }
    // The cases reach what they are for.
    CHECK(timed_out > cases / 10);
    CHECK(refused > cases / 10);
    CHECK(batched > cases / 3);
}

}  // namespace headroom::tests
