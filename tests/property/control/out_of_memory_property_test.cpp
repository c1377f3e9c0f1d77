// Kills for memory in random services of all engines: threads and the size of steps must not change
// a bit.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "sim/control/out_of_memory.hpp"
#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/property/equal_runs.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"
#include "tests/unit/serving/batcher_rig.hpp"

namespace headroom::tests {
namespace {

using control::Decision;
using serving::Outcome;

/// Half of the runs have everything on a grid of 50 ms, so that kills meet ends, starts and ticks.
serving::SourceSpec random_source(Draws& draws, std::uint32_t service, bool grid) {
    std::vector<serving::Arrival> arrivals;
    const std::int64_t gap_ms = draws.between(10, 120);
    std::int64_t now_ms = 0;
    for (std::int64_t i = draws.between(20, 120); i > 0; --i) {
        now_ms += draws.below(2 * gap_ms);
        const std::int64_t prompt = draws.between(1, 200);  // in one order with any compiler
        arrivals.push_back(arrival_at(Duration::milliseconds(grid ? now_ms / 50 * 50 : now_ms),
                                      prompt, draws.between(1, 50)));
    }
    return list_source(service, std::move(arrivals));
}

serving::ServiceSpec service_of_any_engine(Draws& draws, const std::string& name, bool grid) {
    const std::int64_t service_ms = grid ? 50 * draws.between(1, 8) : draws.between(20, 400);
    switch (draws.below(4)) {
        case 0:
            return simple_service(name, draws.between(1, 6),
                                  Distribution::fixed(static_cast<double>(service_ms) / 1000.0),
                                  draws.one_in(3) ? draws.between(1, 8) : -1);
        case 1: {
            serving::ServiceSpec service = simple_service(name, 1, Distribution::fixed(1));
            service.versions[0].engine.simple.reset();
            serving::DynamicEngineSpec batcher;
            batcher.max_batch_size = draws.between(1, 6);
            batcher.preferred_batch_sizes = {batcher.max_batch_size};
            batcher.max_queue_delay = Duration::milliseconds(draws.below(3) * 50);
            batcher.latency = linear_batches(Duration::milliseconds(service_ms / 2),
                                             Duration::milliseconds(service_ms / 4));
            service.versions[0].engine.dynamic = batcher;
            return service;
        }
        default: {
            const auto batching = choose<serving::BatchingPolicy>(
                "vllm-v1", {{"max_num_seqs", whole(draws.between(2, 8))},
                            {"max_num_batched_tokens", whole(256)}});
            return llm_service(name, batching, draws.between(20, 60));
        }
    }
}

/// Services with limits that they reach now and then, some behind others, some on their own; some
/// with a vertical autoscaler, retries, timeouts, a gateway that keeps back.
SimulationSpec services_with_limits(std::uint64_t seed) {
    Draws draws{RandomStream(seed, "out of memory")};
    const bool grid = draws.one_in(2);
    SimulationSpec spec;
    spec.seed = seed;
    spec.end = Time::zero() + Duration::seconds(draws.between(5, 60));
    spec.drain = draws.one_in(2);
    const auto count = static_cast<std::uint32_t>(draws.between(1, 5));
    for (std::uint32_t i = 0; i < count; ++i) {
        spec.services.push_back(service_of_any_engine(draws, "s" + std::to_string(i), grid));
        serving::ServiceSpec& service = spec.services.back();
        if (i > 0 && draws.one_in(3)) spec.services[i - 1].calls = {i};
        service.gateway.max_attempts = draws.between(1, 3);
        if (draws.one_in(3)) service.gateway.timeout = Duration::seconds(draws.between(1, 5));
        if (draws.one_in(4)) service.gateway.max_in_flight_per_instance = draws.between(1, 12);
        if (draws.one_in(3)) service.front_end_delay = Duration::milliseconds(50);
        spec.sources.push_back(random_source(draws, i, grid));
        spec.sources.back().name += std::to_string(i);
        add_workload(spec, i, draws.between(1, 3), 10);
        control::WorkloadSpec& workload = spec.control.workloads.back();
        workload.lifecycle.container_start = Duration::milliseconds(50 * draws.below(8));
        if (draws.one_in(4)) workload.lifecycle.readiness_delay = Duration::milliseconds(100);
        workload.usage.memory_idle = mebibytes(512);
        workload.usage.memory_per_in_flight = mebibytes(draws.below(3) * 64);
        workload.pod.requests.memory = mebibytes(draws.between(256, 512));
        if (draws.one_in(6)) continue;  // no limit
        const std::int64_t more = draws.between(0, 12) * 64 + draws.below(64);
        workload.pod.memory_limit = mebibytes(draws.one_in(12) ? 511 : 512 + more);
        if (!draws.one_in(3)) continue;
        workload.vertical_autoscaler = control::AutoscalerSpec{
            choose<control::ScalingPolicy>("vpa", {{"min_replicas", whole(1)},
                                                   {"recommender_interval", {Duration::seconds(2)}},
                                                   {"updater_interval", {Duration::seconds(2)}}}),
            Duration::zero()};
    }
    spec.control.metrics.scrape_interval = Duration::milliseconds(500);
    if (draws.one_in(3)) {
        spec.control.faults.push_back({Time::zero() + Duration::milliseconds(1000),
                                       control::FaultSpec::Kind::crash_container, "s0"});
    }
    return spec;
}

struct KillCounts {
    std::int64_t kills = 0;
    std::int64_t when_idle = 0;
    std::int64_t lost = 0;
    std::int64_t raised = 0;
};

void count_kills(const SimulationResult& result, KillCounts& counts) {
    for (const Decision& decision : result.control.decisions) {
        const bool kill = decision.reason.rfind("OOMKilled", 0) == 0;
        counts.kills += kill ? 1 : 0;
        counts.when_idle += kill && decision.reason.find("without") != std::string::npos ? 1 : 0;
        counts.raised += decision.reason.rfind("evicted: ", 0) == 0 ? 1 : 0;
    }
    for (const ServiceResult& service : result.services) {
        CHECK(imbalance(service.stats) == "");
        counts.lost += service.stats.attempts.of(Outcome::failed);
    }
}

}  // namespace

TEST_CASE("Memory: threads and the size of steps change no bit of services that are killed") {
    KillCounts counts;
    const auto seeds = static_cast<std::uint64_t>(scaled(300, 30));
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        INFO("seed " << seed);
        const SimulationSpec spec = services_with_limits(seed);
        const SimulationResult base = run_and_keep(spec, 1, false);
        count_kills(base, counts);
        for (const auto& [threads, exact] : {std::pair{2, false}, {1, true}, {2, true}}) {
            INFO(threads << " threads, " << (exact ? "single steps" : "macro-steps"));
            check_equal(base, run_and_keep(spec, threads, exact));
        }
    }
    // The specs do what they are there for.
    const auto some = static_cast<std::int64_t>(seeds);
    CHECK(counts.kills > 3 * some);
    CHECK(counts.when_idle > 0);
    CHECK(counts.lost > some);
    CHECK(counts.raised > 0);
}

TEST_CASE("Memory: what a kill loses may kill the next replica at the same instant") {
    // Of three calls a second that never end, on two replicas: what a kill at the 5th loses is
    // tried again at once on the other one, which it may kill in turn.
    SimulationSpec spec;
    spec.end = Time::zero() + Duration::seconds(60);
    spec.services.push_back(simple_service("web", 100, Distribution::fixed(1000)));
    spec.services[0].gateway.max_attempts = 4;
    std::vector<serving::Arrival> arrivals;
    for (std::int64_t i = 1; i <= 60; ++i) {
        arrivals.push_back(arrival_at(Duration::milliseconds(333 * i)));
    }
    spec.sources.push_back(list_source(0, std::move(arrivals)));
    add_workload(spec, 0, 2, 4);
    control::WorkloadSpec& web = spec.control.workloads[0];
    web.lifecycle.container_start = Duration::seconds(1);
    web.usage.memory_per_in_flight = mebibytes(100);
    web.pod.memory_limit = mebibytes(512 + 450);
    CHECK(control::in_flight_over(web.usage, *web.pod.memory_limit) == 5);
    const SimulationResult result = run_and_keep(spec, 1, false);
    // The 9th call is the 5th on the first replica. Its five go to the other one, which has four
    // and dies of the first of them; the rest wait for a container.
    std::vector<const Decision*> kills;
    for (const Decision& decision : result.control.decisions) {
        if (decision.actor == "kubelet") kills.push_back(&decision);
    }
    REQUIRE(kills.size() >= 2);
    CHECK(kills[0]->time == Time::zero() + Duration::milliseconds(333 * 9));
    CHECK(kills[0]->subject == "web-0");
    CHECK(kills[1]->time == kills[0]->time);
    CHECK(kills[1]->subject == "web-1");
    check_equal(result, run_and_keep(spec, 2, false));
}

}  // namespace headroom::tests
