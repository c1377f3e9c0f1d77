// Several cells under one control plane, with all that makes their windows end early: drains, scale
// from zero, a kill, and arrivals on a common grid. Threads, the size of steps and a stranger
// beside them must not change a figure.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/property/equal_runs.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

using serving::Arrival;
using serving::Outcome;

/// Wakes a sleeping workload when a request waits, and drains it again after some quiet ticks.
class WakeAndSleep final : public control::ScalingPolicy {
  public:
    WakeAndSleep(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    std::vector<control::MetricRequest> metrics() const override { return {}; }
    Duration period() const override { return Duration::milliseconds(500); }
    control::ScalingDecision decide(const control::ScalingView& view) override {
        awake_ticks_ = view.spec_replicas > 0 ? awake_ticks_ + 1 : 0;
        std::int64_t desired = view.spec_replicas;
        if (view.requests_wait) desired = 2;
        if (desired > 0 && awake_ticks_ >= 7) desired = 0;
        const bool changes = desired != view.spec_replicas;
        return {desired, desired,
                changes ? control::ScalingOutcome::scaled : control::ScalingOutcome::unchanged,
                changes ? "requests wait or time is up" : "nothing to do"};
    }

  private:
    std::int64_t awake_ticks_ = 0;
};
REGISTER_POLICY(control::ScalingPolicy, WakeAndSleep, "test-wake-and-sleep", "for tests");

/// Arrivals at whole multiples of 50 ms, several at once: cells and control meet at equal times.
std::vector<Arrival> grid_arrivals(std::uint64_t seed, const std::string& name,
                                   std::int64_t count) {
    const RandomStream random{seed, "grid/" + name};
    std::vector<Arrival> arrivals;
    std::int64_t step = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto index = static_cast<std::uint64_t>(i);
        step += static_cast<std::int64_t>(random.below(4, index, 0));
        arrivals.push_back(arrival_at(Duration::milliseconds(50 * step),
                                      1 + static_cast<std::int64_t>(random.below(300, index, 1)),
                                      1 + static_cast<std::int64_t>(random.below(60, index, 2))));
    }
    return arrivals;
}

serving::SourceSpec grid_source(std::uint32_t service, const std::string& name,
                                std::int64_t count) {
    return {name, service, [=](std::uint64_t seed) {
                return std::make_unique<ListSource>(
                    std::make_shared<const std::vector<Arrival>>(grid_arrivals(seed, name, count)));
            }};
}

/// Cells: {chat, tools} (a call), {sleeper} (from zero), {ranker}, {other}.
SimulationSpec several_cells(std::uint64_t seed) {
    SimulationSpec spec;
    spec.seed = seed;
    spec.drain = true;
    spec.measure_from = Time::zero() + Duration::milliseconds(1500);
    const auto v1 = choose<serving::BatchingPolicy>(
        "vllm-v1", {{"max_num_seqs", whole(6)}, {"max_num_batched_tokens", whole(256)}});
    spec.services.push_back(llm_service("chat", v1, 36));
    spec.services.push_back(simple_service("tools", 2, Distribution::exponential(0.04)));
    spec.services.push_back(simple_service("sleeper", 1, Distribution::exponential(0.08)));
    spec.services.push_back(simple_service("ranker", 2, Distribution::fixed(0.15), 6));
    spec.services.push_back(llm_service("other", v1, 40));
    spec.services[0].calls = {1};
    spec.services[0].routing = choose<serving::RoutingPolicy>("two-choice");
    spec.services[0].gateway.max_attempts = 2;
    spec.services[0].slo.ttft = Duration::milliseconds(200);
    spec.services[2].gateway.timeout = Duration::seconds(4);
    spec.services[3].front_end_delay = Duration::milliseconds(50);
    spec.services[4].jitter = Distribution::exponential(0.003);
    const std::int64_t requests = 150;
    for (const std::uint32_t service : {0U, 2U, 3U, 4U}) {
        spec.sources.push_back(grid_source(service, spec.services[service].name, requests));
    }
    const std::int64_t replicas[] = {3, 2, 0, 2, 2};
    for (std::uint32_t i = 0; i < 5; ++i) {
        add_workload(spec, i, replicas[i], 20);
        spec.control.workloads.back().lifecycle.container_start = Duration::milliseconds(300);
    }
    spec.control.workloads[2].autoscaler = control::AutoscalerSpec{
        choose<control::ScalingPolicy>("test-wake-and-sleep"), Duration::milliseconds(50)};
    using Kind = control::FaultSpec::Kind;
    const auto add_fault = [&spec](std::int64_t at_ms, Kind kind, const char* target,
                                   std::int64_t index = 0, double speed = 1.0) {
        spec.control.faults.push_back(
            {Time::zero() + Duration::milliseconds(at_ms), kind, target, index, speed});
    };
    add_fault(2000, Kind::drain_instance, "chat");
    add_fault(3050, Kind::kill_instance, "chat", 1);
    add_fault(4000, Kind::drain_instance, "ranker");
    add_fault(4000, Kind::set_speed, "other", 0, 0.7);
    add_fault(5000, Kind::kill_instance, "other");
    add_fault(6100, Kind::drain_instance, "tools", 1);
    return spec;
}

/// What `source` gives, until a request that cannot be read.
class BrokenSource final : public serving::RequestSource {
  public:
    BrokenSource(std::unique_ptr<serving::RequestSource> source, std::int64_t good,
                 std::string error)
        : source_(std::move(source)), left_(good), error_(std::move(error)) {}

    OptionalTime peek() override { return left_ > 0 ? source_->peek() : OptionalTime{}; }
    Arrival take() override {
        --left_;
        return source_->take();
    }
    const std::string& error() const override {
        return left_ > 0 ? RequestSource::error() : error_;
    }

  private:
    std::unique_ptr<serving::RequestSource> source_;
    std::int64_t left_;
    std::string error_;
};

}  // namespace

TEST_CASE("Simulation: threads and the size of steps change no bit of several busy cells") {
    std::int64_t woken = 0;
    std::int64_t lost = 0;
    std::int64_t preempted = 0;
    const auto seeds = static_cast<std::uint64_t>(scaled(100, 10));
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        INFO("seed " << seed);
        const SimulationSpec spec = several_cells(seed);
        const SimulationResult base = run_and_keep(spec, 1, false);
        REQUIRE(base.cells.size() == 4);
        CHECK(base.total.requests.in_flight() == 0);
        for (const auto& [threads, exact] :
             {std::pair{2, false}, {4, false}, {1, true}, {4, true}}) {
            INFO(threads << " threads, " << (exact ? "single steps" : "macro-steps"));
            check_equal(base, run_and_keep(spec, threads, exact));
        }
        woken += base.control.workloads[2].scale_ups;
        lost += base.services[0].stats.attempts.of(Outcome::failed) +
                base.services[4].stats.attempts.of(Outcome::failed);
        preempted += base.services[0].stats.preemptions;
        CHECK(base.services[1].stats.calls.arrived > 0);
    }
    // The spec does what it is there for.
    CHECK(woken >= static_cast<std::int64_t>(2 * seeds));
    CHECK(lost >= static_cast<std::int64_t>(seeds));
    CHECK(preempted >= static_cast<std::int64_t>(seeds));
}

TEST_CASE("Simulation: threads change no bit of a run that ends with requests in flight") {
    SimulationSpec spec = several_cells(1);
    spec.drain = false;
    spec.end = Time::zero() + Duration::milliseconds(5050);
    const SimulationResult base = run_and_keep(spec, 1, false);
    CHECK(base.total.requests.in_flight() > 0);
    check_equal(base, run_and_keep(spec, 4, false));
    check_equal(base, run_and_keep(spec, 3, true));
}

TEST_CASE("Simulation: of several bad traces the first by the clock is told, with any threads") {
    const auto error_where = [](std::uint64_t seed, std::int64_t chat, std::int64_t other,
                                int threads) {
        SimulationSpec spec = several_cells(seed);
        // One window for all: nobody notifies, and no control event comes between.
        spec.control = {};
        for (std::uint32_t i = 0; i < 5; ++i) add_workload(spec, i, 2, 20);
        for (const auto& [source, good] : {std::pair{0, chat}, {3, other}}) {
            auto& made = spec.sources[static_cast<std::size_t>(source)];
            made.make = [make = made.make, name = made.name, good = good](std::uint64_t s) {
                return std::make_unique<BrokenSource>(make(s), good, name + " is broken");
            };
        }
        RunOptions options;
        options.threads = threads;
        const SimulationResult result = Simulation(spec).run(options);
        CHECK(result.status == RunStatus::bad_input);
        return result.error;
    };
    for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(scaled(20, 5)); ++seed) {
        INFO("seed " << seed);
        for (const int threads : {1, 2, 4}) {
            CHECK(error_where(seed, 140, 20, threads) == "other is broken");
            CHECK(error_where(seed, 20, 140, threads) == "chat is broken");
            CHECK(error_where(seed, 140, 0, threads) == "other is broken");
            CHECK(error_where(seed, 0, 20, threads) == "chat is broken");
        }
    }
}

TEST_CASE("Simulation: an unrelated service changes no other service's figures, but the digest") {
    const auto seeds = static_cast<std::uint64_t>(scaled(5, 2));
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        INFO("seed " << seed);
        // Neither drains: a service that runs on would else move the end.
        SimulationSpec alone = several_cells(seed);
        alone.drain = false;
        alone.end = Time::zero() + Duration::seconds(9);
        SimulationSpec beside = alone;
        beside.services.push_back(simple_service("stranger", 3, Distribution::exponential(0.1)));
        beside.services.back().jitter = Distribution::exponential(0.01);
        beside.sources.push_back(grid_source(5, "stranger", 200));
        add_workload(beside, 5, 2);
        const SimulationResult a = run_and_keep(alone, 1, false);
        const SimulationResult b = run_and_keep(beside, 2, false);
        CHECK(b.services[5].stats.requests.arrived > 0);
        for (std::size_t i = 0; i < a.services.size(); ++i) {
            INFO(a.services[i].name);
            CHECK(first_difference(a.services[i].stats, b.services[i].stats) == "");
        }
        CHECK(a.digest.hex() != b.digest.hex());
    }
}

TEST_CASE("Simulation: another seed gives another digest, the same seed the same") {
    std::vector<std::string> digests;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const std::string digest = run_and_keep(several_cells(seed), 1, false).digest.hex();
        CHECK(run_and_keep(several_cells(seed), 1, false).digest.hex() == digest);
        for (const std::string& earlier : digests) CHECK(digest != earlier);
        digests.push_back(digest);
    }
}

}  // namespace headroom::tests
