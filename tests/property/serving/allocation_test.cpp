// Nothing is allocated per event once a cell has warmed up. The load is closed, so that what is in
// flight is bounded and slabs and queues reach their largest sizes early.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

/// Of this thread, since it began. Counted for the whole executable, looked at only here.
thread_local std::uint64_t allocations = 0;

void* counted(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}

}  // namespace
}  // namespace headroom::tests

void* operator new(std::size_t size) {
    return headroom::tests::counted(size);
}
void* operator new[](std::size_t size) {
    return headroom::tests::counted(size);
}
// These too, so that each way to allocate meets its own way to free. (Over-aligned types have
// operators of their own; the simulator has no such type.)
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++headroom::tests::allocations;
    return std::malloc(size > 0 ? size : 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    ++headroom::tests::allocations;
    return std::malloc(size > 0 ? size : 1);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace headroom::tests {
namespace {

/// Octaves in which a histogram holds something: each costs one allocation, at its first value.
std::uint64_t octaves(const metrics::Histogram& histogram) {
    std::uint64_t seen = 0;
    histogram.for_each_bucket([&seen](std::int64_t low, std::int64_t, std::uint64_t) {
        seen |= 1ULL << std::bit_width(static_cast<std::uint64_t>(low) | 127U);
    });
    return static_cast<std::uint64_t>(std::popcount(seen));
}

std::uint64_t octaves(const CellRig& rig) {
    std::uint64_t sum = 0;
    for (std::uint32_t service = 0; service < rig.specs.size(); ++service) {
        const serving::ServiceStats& stats = rig.cell->stats(service);
        for (const auto* h : {&stats.queue, &stats.ttft, &stats.tpot, &stats.itl, &stats.e2e}) {
            sum += octaves(*h);
        }
    }
    return sum;
}

/// Allocations in 100,000 events after a warm-up, the fewest of three such spans, for a queue may
/// still grow longer than it ever was. Without the octaves that a histogram meets for the first
/// time: there is always a rarer latency.
std::uint64_t allocations_of(CellRig& rig) {
    rig.config.keep_rows = false;
    rig.start();
    for (std::uint32_t service = 0; service < rig.specs.size(); ++service) {
        for (std::uint32_t ordinal = 0; ordinal < 3; ++ordinal) {
            rig.add(Time::zero(), service, ordinal);
        }
    }
    REQUIRE_FALSE(rig.cell->run_until(Time::max(), 400'000));
    REQUIRE_FALSE(rig.cell->has_notifications());
    std::uint64_t fewest = ~std::uint64_t{0};
    for (int span = 0; span < 3; ++span) {
        const std::int64_t arrived = rig.cell->arrived();
        const std::uint64_t known_octaves = octaves(rig);
        const std::uint64_t before = allocations;
        static_cast<void>(rig.cell->run_until(Time::max(), 100'000));
        const std::uint64_t during = allocations - before;
        CHECK(rig.cell->arrived() > arrived + 5'000);
        fewest = std::min(fewest, during - (octaves(rig) - known_octaves));
    }
    return fewest;
}

traces::LengthModel lengths(double mean) {
    return traces::LengthModel(Distribution::exponential(mean), 1,
                               static_cast<std::int64_t>(3 * mean));
}

}  // namespace

TEST_CASE("Cell: the counter of allocations counts") {
    const std::uint64_t before = allocations;
    const auto one = std::make_unique<int>(1);
    CHECK(allocations == before + 1);
    CHECK(*one == 1);
}

TEST_CASE("Cell: an LLM service in macro-steps allocates nothing after warm-up") {
    CellRig rig;
    const auto* router = GENERATE("round-robin", "two-choice", "least-request", "weighted",
                                  "consistent-hash", "kv-aware", "shortest-queue", "prefix-aware");
    rig.specs.push_back(llm_service(
        "llm",
        choose<serving::BatchingPolicy>(
            "vllm-v1", {{"max_num_seqs", whole(16)}, {"max_num_batched_tokens", whole(256)}}),
        120));
    rig.specs[0].routing = choose<serving::RoutingPolicy>(router);
    rig.specs[0].gateway.timeout = Duration::milliseconds(900);
    rig.specs[0].slo.ttft = Duration::milliseconds(100);
    rig.sources.push_back(
        closed_loop_source(0, 90, Distribution::exponential(0.05), -1, lengths(60), lengths(40)));
    INFO(router);
    CHECK(allocations_of(rig) == 0);
    // Preemptions and deadlines were among the events.
    CHECK(rig.cell->stats(0).preemptions > 100);
    CHECK(rig.cell->stats(0).calls.of(serving::Outcome::timed_out) > 100);
}

TEST_CASE("Cell: no batching policy allocates anything after warm-up") {
    const std::string policy = GENERATE("vllm-v0", "sarathi", "orca", "static");
    INFO(policy);
    PolicyChoice batching = choose<serving::BatchingPolicy>(policy);
    if (batching.parameters.given("max_num_seqs")) {
        batching.parameters.set("max_num_seqs", whole(16));
    }
    if (policy == "orca") batching.parameters.set("reserve_tokens", whole(300));
    CellRig rig;
    rig.specs.push_back(llm_service("llm", batching, 60));
    rig.sources.push_back(
        closed_loop_source(0, 60, Distribution::exponential(0.05), -1, lengths(60), lengths(40)));
    CHECK(allocations_of(rig) == 0);
    const bool preempts = policy == "vllm-v0" || policy == "sarathi";
    CHECK((rig.cell->stats(0).preemptions > 100) == preempts);
}

TEST_CASE("Cell: simple services that call each other allocate nothing after warm-up") {
    CellRig rig;
    rig.specs.push_back(simple_service("front", 4, Distribution::exponential(0.02), 10));
    rig.specs.push_back(simple_service("back", 2, Distribution::lognormal(-4, 1)));
    rig.specs[0].calls = {1};
    rig.specs[0].gateway.timeout = Duration::milliseconds(400);
    rig.specs[0].front_end_delay = Duration::milliseconds(1);
    rig.specs[1].gateway.max_in_flight_per_instance = 4;
    rig.specs[1].jitter = Distribution::exponential(0.001);
    rig.sources.push_back(closed_loop_source(0, 100, Distribution::exponential(0.1)));
    CHECK(allocations_of(rig) == 0);
    CHECK(rig.cell->stats(0).calls.of(serving::Outcome::timed_out) > 100);
}

}  // namespace headroom::tests
