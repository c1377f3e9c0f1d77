// LeapingLlmInstance against its slow twin: one engine alone, looked at at any time, over random
// loads in all modes, with adapters and a host tier, must agree bit for bit. Whole simulations, and
// pools for prefill and decode: twin_test, disaggregation_test.
#include "tests/catch.hpp"
#include "tests/property/serving/engine_cases.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

using Kind = EngineRig::Kind;

/// What both say of themselves at a position by which the twin has run what is due.
std::string different_readings(const EngineRig& leaping, const EngineRig& stepped,
                               const EventKey& position) {
    const Time now = position.time;
    const serving::InstanceLoad a = leaping.instance.load(position);
    const serving::InstanceLoad b = stepped.instance.load(position);
    const std::string at = " at " + std::to_string(now.ps());
    if (a.waiting != b.waiting || a.running != b.running || a.in_flight != b.in_flight ||
        a.completed != b.completed || a.ttft_count != b.ttft_count || a.busy != b.busy) {
        return "requests or busy time" + at;
    }
    if (a.kv_used_blocks != b.kv_used_blocks) return "blocks" + at;
    if (a.output_tokens != b.output_tokens || a.prompt_tokens != b.prompt_tokens) {
        return "tokens" + at;
    }
    for (std::size_t i = 0; i < leaping.outcomes.size(); ++i) {
        const EngineRig::Outcome& o = leaping.outcomes[i];
        if (o.completed || o.aborted || o.lost) continue;
        const auto mine = leaping.instance.report(position, o.slot);
        const auto theirs = stepped.instance.report(position, stepped.outcomes[i].slot);
        if (mine.output_tokens != theirs.output_tokens || mine.first_token != theirs.first_token ||
            mine.preemptions != theirs.preemptions) {
            return "the report of request " + std::to_string(i) + at;
        }
    }
    return "";
}

/// Runs both up to an instant, and through it, and compares what they say.
std::string different_when_looked_at(EngineRig& leaping, EngineRig& stepped, Time now) {
    leaping.run(now);
    stepped.run(now);
    const std::string before = different_readings(leaping, stepped, {now, 0});
    if (!before.empty()) return before;
    const Time past = now + Duration::picoseconds(1);
    leaping.run(past);
    stepped.run(past);
    return different_readings(leaping, stepped, EventKey::make(now, serving::kKvArrival, 0));
}

/// Longer outputs than random_engine_case() has, so that there is something to leap over, and what
/// else an engine can have.
EngineCase random_leaping_case(std::uint64_t seed) {
    EngineCase c = random_engine_case(seed);
    Draws draws{RandomStream(seed, "leaps"), 0};
    if (c.spec.batching.name != "vllm-v1" || draws.one_in(3)) return c;
    const std::int64_t more = draws.between(10, 400);
    for (EngineCommand& command : c.commands) command.output += draws.below(more);
    c.spec.kv_blocks += more / c.spec.block_size + 1;
    if (draws.one_in(3)) c.spec.kv_blocks *= draws.between(1, 8);
    if (draws.one_in(3)) {
        c.spec.host_kv = serving::HostKvSpec{draws.between(1, 200), ticks(draws.below(2000)),
                                             !c.spec.prefix_caching || draws.one_in(2)};
    }
    if (draws.one_in(3)) {
        c.spec.adapters = serving::AdapterSpec{draws.between(1, 3), 3, ticks(50), ticks(500)};
        for (EngineCommand& command : c.commands) {
            command.adapter = static_cast<std::uint16_t>(draws.below(5));
        }
    }
    return c;
}

}  // namespace

TEST_CASE("LeapingLlmInstance: an engine alone does what its twin does, looked at at any time") {
    std::int64_t leaping_events = 0;
    std::int64_t stepped_events = 0;
    std::int64_t preemptions = 0;
    std::int64_t hits = 0;
    const std::int64_t cases = scaled(1500, 150);
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const EngineCase c = random_leaping_case(static_cast<std::uint64_t>(seed));
        INFO(c.spec.batching.name << (c.spec.async_scheduling ? " async" : "")
                                  << (c.spec.prefix_caching ? " caching" : "") << ", "
                                  << c.spec.pipeline_stages << " stages");
        const Time measure_from = Time::zero() + ticks(seed % 3 == 0 ? 5000 : 0);
        EngineRig leaping(c.spec, measure_from, Kind::leaping);
        EngineRig stepped(c.spec, measure_from);
        Draws draws{RandomStream(static_cast<std::uint64_t>(seed), "looks"), 0};
        Time looked;
        for (const EngineCommand& command : c.commands) {
            if (command.time > looked && draws.one_in(2)) {
                looked += Duration::picoseconds(draws.below((command.time - looked).ps()));
                // Or right where a batch ends.
                const Time ends = stepped.instance.next_event().time;
                if (draws.one_in(2) && ends < command.time) looked = ends;
                REQUIRE(different_when_looked_at(leaping, stepped, looked) == "");
            }
            looked = command.time;
            carry_out(leaping, {command});
            carry_out(stepped, {command});
            if (command.kind == EngineCommand::Kind::kill) break;
            REQUIRE(different_readings(leaping, stepped, {command.time, 0}) == "");
        }
        if (c.commands.back().kind != EngineCommand::Kind::kill) {
            leaping.run_to_the_end();
            stepped.run_to_the_end();
        }
        REQUIRE(difference_of(leaping, stepped) == "");
        if (c.spec.pipeline_stages == 1) {
            leaping_events += leaping.events();
            stepped_events += stepped.events();
        }
        preemptions += stepped.stats.preemptions;
        hits += stepped.stats.prefix_hit_tokens;
    }
    // The cases reach what they are there for.
    CHECK(leaping_events < stepped_events / 2);
    CHECK(preemptions > cases);
    CHECK(hits > 5 * cases);
}

TEST_CASE(
    "LeapingLlmInstance: what the host sends within a leap is in the queue's order at a kill") {
    serving::LlmEngineSpec spec = engine({.caching = true}, 24, {{"max_num_seqs", whole(2)}});
    spec.host_kv = serving::HostKvSpec{30, ticks(4000)};
    spec.adapters = serving::AdapterSpec{1, 2, ticks(10), ticks(10)};
    for (const Kind kind : {Kind::stepped, Kind::leaping}) {
        EngineRig rig(spec, Time::zero(), kind);
        rig.submit(at_tick(0), 12, 1, ids({1, 2, 3}), 0, 1);
        rig.submit(at_tick(20'000), 96, 1, {}, 0, 1);  // drives that to the host
        rig.submit(at_tick(50'000), 1, 60, {}, 0, 1);
        rig.submit(at_tick(51'000), 1, 60, {}, 0, 2);              // passed over: no slot
        rig.submit(at_tick(51'000), 13, 1, ids({1, 2, 3}), 0, 1);  // fetched until some 64000
        rig.submit(at_tick(51'000), 1, 60, {}, 0, 1);              // runs: there is no more room
        CHECK(rig.load(at_tick(55'000)).running == 2);
        CHECK(rig.kill(at_tick(70'000)) == std::vector<std::size_t>{2, 5, 4, 3});
    }
}

}  // namespace headroom::tests
