// Pools for prefill and decode, and the engine's other features, over random requests, settings,
// kills, drains and timeouts: whatever happens, every request ends once and every block comes back,
// and an engine that leaps does what its twin does.
#include <map>

#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

using serving::Outcome;

constexpr std::int64_t kLongest = 200;

serving::ContentsRef mostly_equal_contents(Draws& draws) {
    auto contents = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
    for (std::int64_t i = draws.below(20); i > 0; --i) {
        contents->ids.push_back(static_cast<std::uint64_t>(draws.one_in(6) ? draws.below(3) : 7));
    }
    return contents;
}

std::vector<serving::Arrival> random_requests(Draws& draws) {
    std::vector<serving::Arrival> arrivals;
    Duration at = Duration::zero();
    for (std::int64_t i = draws.between(1, 60); i > 0; --i) {
        if (!draws.one_in(3)) at += Duration::milliseconds(draws.below(60));
        const std::int64_t prompt = draws.between(1, kLongest);  // in one order with any compiler
        arrivals.push_back(arrival_at(at, prompt, draws.between(1, 80)));
        arrivals.back().attributes.adapter = static_cast<std::uint16_t>(draws.below(4));
        arrivals.back().attributes.priority = static_cast<std::int32_t>(draws.below(3));
        if (!draws.one_in(4)) arrivals.back().contents = mostly_equal_contents(draws);
    }
    return arrivals;
}

serving::LlmEngineSpec random_engine(Draws& draws, serving::EngineRole role) {
    serving::LlmEngineSpec engine;
    engine.latency = reference_latency();
    engine.batching = choose<serving::BatchingPolicy>(
        "vllm-v1", {{"max_num_seqs", whole(draws.between(1, 12))},
                    {"max_num_batched_tokens", whole(draws.between(8, 300))},
                    {"scheduling_policy",
                     ParameterValue{std::string(draws.one_in(4) ? "priority" : "fcfs")}}});
    engine.kv_blocks = draws.between(20, 60);
    engine.kv_bytes_per_token = 100'000;
    engine.role = role;
    engine.prefix_caching = draws.one_in(2);
    if (draws.one_in(3)) {
        engine.host_kv = serving::HostKvSpec{
            draws.between(1, 100), Duration::microseconds(draws.below(2000)), draws.one_in(2)};
    }
    if (draws.one_in(3)) {
        engine.adapters = serving::AdapterSpec{draws.between(1, 3), 3, Duration::milliseconds(5),
                                               Duration::milliseconds(50)};
    }
    if (draws.one_in(3)) {
        engine.speculation =
            serving::SpeculationSpec{draws.between(1, 5), 0.6, Duration::microseconds(200)};
    } else if (draws.one_in(2)) {
        engine.async_scheduling = true;
    } else if (draws.one_in(2)) {
        engine.pipeline_stages = draws.between(2, 4);
    }
    return engine;
}

serving::ServiceSpec random_llm_service(Draws& draws, bool pools) {
    serving::ServiceSpec service;
    service.name = "llm";
    service.routing =
        choose<serving::RoutingPolicy>(draws.one_in(2) ? "round-robin" : "shortest-queue");
    serving::VersionSpec version;
    version.engine.llm =
        random_engine(draws, pools ? serving::EngineRole::prefill : serving::EngineRole::both);
    service.versions.push_back(version);
    if (pools) {
        version.name = "v2";
        version.engine.llm = random_engine(draws, serving::EngineRole::decode);
        service.versions.push_back(version);
        if (draws.one_in(2)) std::swap(service.versions[0], service.versions[1]);
        service.kv_transfer = serving::KvTransferSpec{
            100'000, draws.between(50'000'000, 5'000'000'000), draws.one_in(2) ? 200'000'000 : 0,
            Duration::microseconds(draws.below(3000))};
    }
    service.gateway.max_attempts = draws.between(1, 3);
    if (draws.one_in(2)) service.gateway.timeout = Duration::milliseconds(draws.between(50, 4000));
    if (draws.one_in(4)) service.gateway.max_in_flight_per_instance = draws.between(2, 20);
    if (draws.one_in(3)) service.front_end_delay = Duration::microseconds(draws.below(9000));
    return service;
}

/// Instances by version, some of which are killed or drained and replaced while requests run.
class Pools {
  public:
    Pools(CellRig& rig, Draws& draws) : rig_(rig), draws_(draws) {
        for (std::uint32_t version = 0; version < rig.specs[0].versions.size(); ++version) {
            for (std::int64_t i = draws.between(1, 3); i > 0; --i) add(Time::zero(), version);
        }
    }
    void disturb(Time now) {
        auto victim = alive_.begin();
        std::advance(victim, draws_.below(static_cast<std::int64_t>(alive_.size())));
        const auto [ordinal, version] = *victim;
        add(now, version);
        alive_.erase(ordinal);
        if (draws_.one_in(2)) {
            rig_.cell->kill_instance(now, {0, ordinal});
        } else {
            rig_.cell->drain_instance(now, {0, ordinal});
        }
    }
    [[nodiscard]] const std::map<std::uint32_t, std::uint32_t>& alive() const { return alive_; }

  private:
    void add(Time now, std::uint32_t version) {
        alive_.emplace(next_, version);
        rig_.add(now, 0, next_++, version);
    }

    CellRig& rig_;
    Draws& draws_;
    std::map<std::uint32_t, std::uint32_t> alive_;  ///< ordinal to version
    std::uint32_t next_ = 0;
};

struct Totals {
    std::int64_t completed = 0;
    std::int64_t failed = 0;
    std::int64_t timed_out = 0;
    std::int64_t bytes = 0;
    std::int64_t preemptions = 0;
    std::int64_t swaps = 0;
    std::int64_t host_hits = 0;
    std::int64_t accepted = 0;
};

struct Ending {
    std::string digest;
    serving::ServiceStats stats;
};

Ending run_case(std::uint64_t seed, bool exact_steps) {
    Draws draws{RandomStream(seed, "disaggregation"), 0};
    CellRig rig;
    const bool pools = !draws.one_in(4);
    rig.specs.push_back(random_llm_service(draws, pools));
    rig.sources.push_back(list_source(0, random_requests(draws)));
    rig.config.seed = seed;
    rig.config.exact_steps = exact_steps;
    rig.config.keep_rows = true;
    rig.start();
    Pools instances(rig, draws);
    Time now;
    for (std::int64_t i = draws.below(6); i > 0; --i) {
        now += Duration::milliseconds(draws.below(500));
        rig.run(now);
        instances.disturb(now);
    }
    rig.run_to_the_end();
    CHECK(rig.cell->in_flight() == 0);
    const Time end = rig.cell->last_activity() + Duration::hours(1);
    for (const auto& [ordinal, version] : instances.alive()) {
        INFO("instance " << ordinal);
        const serving::InstanceLoad load = rig.cell->instance_load(end, {0, ordinal});
        CHECK(load.in_flight == 0);
        CHECK(load.kv_used_blocks == 0);
    }
    rig.cell->finish(end);
    const serving::ServiceStats& stats = rig.cell->stats(0);
    CHECK(stats.calls.arrived == stats.calls.ended());
    CHECK(stats.attempts.arrived == stats.attempts.ended());
    CHECK(stats.in_system == stats.sojourn);
    CHECK(preemptions_of(rig.cell->rows(), 0) == stats.preemptions);
    return {rig.cell->digest().hex(), stats};
}

void add(Totals& totals, const serving::ServiceStats& stats) {
    totals.completed += stats.calls.of(Outcome::completed);
    totals.failed += stats.calls.of(Outcome::failed);
    totals.timed_out += stats.calls.of(Outcome::timed_out);
    totals.bytes += stats.kv_transferred_bytes;
    totals.preemptions += stats.preemptions;
    totals.swaps += stats.swaps;
    totals.host_hits += stats.host_hit_tokens;
    totals.accepted += stats.accepted_tokens;
}

}  // namespace

TEST_CASE("Disaggregation: every request ends once and every block comes back, whatever happens") {
    const std::int64_t cases = scaled(600, 60);
    Totals totals;
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const Ending leaping = run_case(static_cast<std::uint64_t>(seed), false);
        const Ending stepped = run_case(static_cast<std::uint64_t>(seed), true);
        CHECK(first_difference(leaping.stats, stepped.stats) == "");
        CHECK(leaping.digest == stepped.digest);
        add(totals, stepped.stats);
    }
    // The cases reach what they are there for.
    CHECK(totals.completed > 10 * cases);
    CHECK(totals.failed > cases / 10);
    CHECK(totals.timed_out > cases / 2);
    CHECK(totals.bytes > 0);
    CHECK(totals.preemptions > cases);
    CHECK(totals.swaps > cases / 20);
    CHECK(totals.host_hits > cases);
    CHECK(totals.accepted > cases);
}

}  // namespace headroom::tests
