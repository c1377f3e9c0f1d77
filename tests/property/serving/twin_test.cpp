// Macro-steps and leaps against the slow twin: whole simulations over random loads must agree bit
// for bit in every statistic, row, decision and in the digest.
#include <algorithm>
#include <iostream>

#include "sim/control/scaling_policy.hpp"
#include "sim/serving/latency/measured_operators.hpp"
#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/property/equal_runs.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"
#include "tests/unit/serving/token_contents.hpp"

namespace headroom::tests {
namespace {

using serving::Arrival;

/// Reads live state in the middle of macro-steps: the endpoint with the least KV in use.
class LeastKv final : public serving::RoutingPolicy {
  public:
    LeastKv(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    std::int64_t pick(const serving::RouterView& view, const serving::RoutedRequest&) override {
        std::int64_t best = 0;
        for (std::int64_t i = 1; i < view.size(); ++i) {
            if (view.load(i).kv_used_blocks < view.load(best).kv_used_blocks) best = i;
        }
        return best;
    }
};
REGISTER_POLICY(serving::RoutingPolicy, LeastKv, "test-least-kv", "for tests: least KV in use");

/// Turns every sample it gets into replicas, so that a scrape off by one block changes the run.
class EverySample final : public control::ScalingPolicy {
  public:
    EverySample(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    std::vector<control::MetricRequest> metrics() const override {
        return {{control::MetricKind::pods, "kv_used_fraction", ""},
                {control::MetricKind::pods, "output_tokens_per_second", ""},
                {control::MetricKind::pods, "requests_waiting", ""}};
    }
    Duration period() const override { return Duration::milliseconds(700); }
    control::ScalingDecision decide(const control::ScalingView& view) override {
        std::int64_t mixed = 0;
        std::string seen;
        for (const control::MetricReading& reading : view.metrics) {
            for (const auto& sample : reading.pods) {
                if (!sample) continue;
                mixed = (mixed * 31 + sample->value_milli) % 1'000'003;
                seen += " " + std::to_string(sample->value_milli);
            }
            seen += ";";
        }
        const std::int64_t desired = 1 + ((mixed % 4) + 4) % 4;
        return {desired, desired, control::ScalingOutcome::scaled, "saw" + seen};
    }
};
REGISTER_POLICY(control::ScalingPolicy, EverySample, "test-every-sample", "for tests");

std::vector<Arrival> random_arrivals(Draws& draws, std::int64_t count, std::int64_t longest) {
    std::vector<Arrival> arrivals;
    const bool grid = draws.one_in(2);
    const std::int64_t mean_gap_us = draws.between(1'000, 200'000);
    Time now;
    for (std::int64_t i = 0; i < count; ++i) {
        if (!draws.one_in(4)) now += Duration::microseconds(draws.between(0, 2 * mean_gap_us));
        Arrival arrival;
        // On a grid of the linear profile's own iteration times, arrivals meet boundaries exactly.
        arrival.time = grid ? Time::picoseconds(now.ps() / 6'500'000'000 * 6'500'000'000) : now;
        arrival.prompt = Tokens{draws.between(1, longest)};
        arrival.output = Tokens{draws.one_in(6) ? 1 : draws.between(1, longest)};
        arrival.attributes.priority = static_cast<std::int32_t>(draws.below(4));
        if (draws.one_in(3)) {
            const std::uint64_t kind = static_cast<std::uint64_t>(draws.below(3));
            arrival.contents = contents_of({kind, kind, kind}, draws.between(1, longest));
        }
        arrivals.push_back(arrival);
    }
    return arrivals;
}

/// A measured profile: lines between knots of the context, so that macro-steps end at knots too.
std::shared_ptr<const serving::LatencyModel> tabulated_latency() {
    using namespace serving::tests;
    static const auto model = std::make_shared<const serving::TransformerLatency>(
        kLlama8b, std::make_shared<const serving::MeasuredOperators>(synthetic_tables(), h100()),
        options(1));
    return model;
}

/// Half of what a request is yet to generate is reserved at its admission, so that reserves run out
/// in the middle of decoding; and an odd number of sequences decodes in turns.
class HalfReserved final : public serving::BatchingPolicy {
  public:
    HalfReserved(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    void plan_next_step(const serving::BatchView& view, serving::StepPlan& plan) override {
        using serving::StepPlan;
        const std::int64_t running = view.running();
        if (view.blocks_due() > view.free_blocks()) {
            plan.preempt.push_back(running - 1);
            return;
        }
        std::int64_t free = view.free_blocks() - view.blocks_due();
        for (std::int64_t i = 0; i < view.waiting(); ++i) {
            const serving::SequenceView s = view.waiting_at(i);
            const std::int64_t held = s.known + (s.last_token - s.known) / 2;
            free -= (held + view.block_size() - 1) / view.block_size();
            if (free < 0) break;
            plan.chunks.push_back({i, s.known, held, true});
        }
        plan.repeatable = plan.chunks.empty() && running % 2 == 0;
        if (running > 0) plan.decode = plan.repeatable ? StepPlan::Decode::all : some(view, plan);
    }

  private:
    static serving::StepPlan::Decode some(const serving::BatchView& view, serving::StepPlan& plan) {
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const serving::SequenceView s = view.running_at(i);
            if (i == 0 || s.known % 3 != 0) plan.decode_positions.push_back(i);
        }
        return serving::StepPlan::Decode::listed;
    }
};
REGISTER_POLICY(serving::BatchingPolicy, HalfReserved, "test-half-reserved", "for tests");

PolicyChoice random_batching(Draws& draws, std::int64_t longest) {
    const ParameterValue seqs = whole(draws.between(1, 24));
    if (draws.one_in(2)) {
        const bool priority = draws.one_in(2);
        return choose<serving::BatchingPolicy>(
            "vllm-v1",
            {{"max_num_seqs", seqs},
             {"max_num_batched_tokens", whole(draws.between(1, 2 * longest))},
             {"long_prefill_token_threshold", whole(draws.one_in(3) ? draws.between(1, 40) : 0)},
             {"enable_chunked_prefill", ParameterValue{!draws.one_in(5)}},
             // Without it, priorities and a threshold can preempt each other for ever.
             {"scheduler_reserve_full_isl", ParameterValue{priority || !draws.one_in(3)}},
             {"scheduling_policy", ParameterValue{std::string(priority ? "priority" : "fcfs")}}});
    }
    switch (draws.below(7)) {
        case 0:
            return choose<serving::BatchingPolicy>(
                "vllm-v0",
                {{"max_num_seqs", seqs},
                 {"max_num_batched_tokens", whole(draws.between(longest / 2, 4 * longest))}});
        case 1:
            return choose<serving::BatchingPolicy>(
                "sarathi", {{"max_num_seqs", seqs},
                            {"chunk_size", whole(draws.between(1, draws.one_in(3) ? 8 : longest))},
                            {"watermark", ParameterValue{draws.one_in(2) ? 0.0 : 0.1}}});
        case 2:
            return choose<serving::BatchingPolicy>(
                "orca", {{"max_num_seqs", seqs},
                         {"reserve_tokens", whole(draws.between(longest, 2 * longest))}});
        case 3:
            return choose<serving::BatchingPolicy>(
                "static",
                {{"batch_size", seqs}, {"wait_for_full", ParameterValue{draws.one_in(3)}}});
        case 4:
            return choose<serving::BatchingPolicy>(
                "sglang",
                {{"max_running_requests", seqs},
                 {"chunked_prefill_size", whole(draws.between(1, 2 * longest))},
                 {"max_prefill_tokens", whole(draws.between(1, 2 * longest))},
                 {"schedule_conservativeness", ParameterValue{draws.one_in(2) ? 1.0 : 0.2}}});
        case 5: {
            const char* rules[] = {"guaranteed_no_evict", "max_utilization", "static_batch"};
            return choose<serving::BatchingPolicy>(
                "tensorrt-llm",
                {{"max_batch_size", seqs},
                 {"max_num_tokens", whole(draws.between(1, 2 * longest))},
                 {"capacity_scheduler_policy", ParameterValue{std::string(rules[draws.below(3)])}},
                 {"enable_chunked_context", ParameterValue{draws.one_in(2)}}});
        }
        default:
            return choose<serving::BatchingPolicy>("test-half-reserved");
    }
}

serving::ServiceSpec random_service(Draws& draws, const std::string& name, std::int64_t longest) {
    const std::int64_t block_size = draws.one_in(4) ? draws.between(1, 80) : 16;
    const std::int64_t longest_blocks = (2 * longest + block_size - 1) / block_size + 3;
    PolicyChoice batching = random_batching(draws, longest);
    auto service = llm_service(name, std::move(batching),
                               longest_blocks + draws.between(0, 3 * longest_blocks));
    serving::LlmEngineSpec& engine = *service.versions[0].engine.llm;
    engine.block_size = block_size;
    if (engine.batching.name == "vllm-v1") {  // with one of these it leaps
        engine.async_scheduling = draws.one_in(3);
        engine.prefix_caching = draws.one_in(3);
    }
    if (draws.one_in(4)) engine.max_model_len = longest + draws.below(longest);
    // Whole-millisecond iterations without a context term make equal times common.
    if (draws.one_in(3)) {
        engine.latency = std::make_shared<serving::LinearLatency>(
            serving::LinearCoefficients{Duration::microseconds(6500), {}, {}, {}, {}});
    } else if (draws.one_in(3)) {
        engine.latency = tabulated_latency();
    }
    const char* routers[] = {"round-robin",   "random",   "least-request", "two-choice",
                             "test-least-kv", "kv-aware", "shortest-queue"};
    service.routing = choose<serving::RoutingPolicy>(routers[draws.below(7)]);
    if (draws.one_in(3)) service.gateway.timeout = Duration::milliseconds(draws.between(20, 3000));
    if (draws.one_in(3)) service.gateway.max_attempts = draws.between(1, 3);
    if (draws.one_in(4)) service.gateway.max_in_flight_per_instance = draws.between(1, 30);
    if (draws.one_in(4)) service.gateway.queue_limit = draws.between(0, 20);
    if (draws.one_in(3)) service.front_end_delay = Duration::microseconds(draws.below(13'000));
    if (draws.one_in(4)) service.jitter = Distribution::exponential(0.002);
    service.slo.ttft = Duration::milliseconds(300);
    service.slo.tpot = Duration::milliseconds(9);
    return service;
}

SimulationSpec random_spec(std::uint64_t seed) {
    Draws draws{RandomStream(seed, "twin"), 0};
    SimulationSpec spec;
    spec.seed = seed;
    spec.drain = draws.one_in(2);
    spec.end = Time::zero() + Duration::milliseconds(draws.between(500, 20'000));
    if (spec.drain) spec.end = Time::zero() + Duration::hours(1);
    if (draws.one_in(2))
        spec.measure_from = Time::zero() + Duration::microseconds(draws.below(400'000));
    const std::int64_t longest = draws.between(8, 400);
    const std::int64_t services = draws.between(1, 2);
    for (std::uint32_t i = 0; i < services; ++i) {
        spec.services.push_back(random_service(draws, "llm-" + std::to_string(i), longest));
        spec.sources.push_back(
            list_source(i, random_arrivals(draws, draws.between(1, 120), longest)));
        add_workload(spec, i, draws.between(1, 4), 20);
        auto& workload = spec.control.workloads.back();
        workload.lifecycle.container_start = Duration::milliseconds(draws.between(0, 900));
        if (draws.one_in(3)) workload.speed_by_rank = {1.0, 0.83, 1.27};
        if (draws.one_in(2)) {
            workload.autoscaler =
                control::AutoscalerSpec{choose<control::ScalingPolicy>("test-every-sample"),
                                        Duration::microseconds(draws.below(100'000))};
        }
        if (draws.one_in(2) && i > 0) spec.services[0].calls = {i};
    }
    if (draws.one_in(3)) spec.control.initial = control::InitialState::cold;
    spec.control.metrics.scrape_interval = Duration::microseconds(draws.between(50'000, 900'000));
    spec.control.metrics.window = Duration::seconds(2);
    using Kind = control::FaultSpec::Kind;
    for (std::int64_t i = draws.below(6); i > 0; --i) {
        control::FaultSpec fault;
        fault.at = Time::zero() + Duration::microseconds(draws.below(6'000'000));
        if (draws.one_in(2))
            fault.at = Time::picoseconds(fault.at.ps() / 6'500'000'000 * 6'500'000'000);
        const Kind kinds[] = {Kind::kill_instance, Kind::drain_instance, Kind::set_speed};
        fault.kind = kinds[draws.below(3)];
        fault.target = "llm-" + std::to_string(draws.below(services));
        fault.index = draws.below(3);
        fault.speed = 0.5 + 0.25 * static_cast<double>(draws.below(5));
        spec.control.faults.push_back(fault);
    }
    return spec;
}

std::string text_of(const serving::RequestRow& row) {
    const auto ps = [](Time t) { return t == Time::max() ? "-" : std::to_string(t.ps()); };
    return "source " + std::to_string(row.source) + " request " + std::to_string(row.id) +
           " service " + std::to_string(row.service) + " instance " + std::to_string(row.instance) +
           " arrival " + ps(row.arrival) + " first scheduled " + ps(row.first_scheduled) +
           " first token " + ps(row.first_token) + " finish " + ps(row.finish) + " outcome " +
           std::string(to_string(row.outcome)) + " preemptions " + std::to_string(row.preemptions) +
           " tokens " + std::to_string(row.output_tokens);
}

/// The earliest difference, for whoever has to find out.
std::string earliest_difference(const SimulationResult& fast, const SimulationResult& slow) {
    std::string text = "no row differs";
    Time first = Time::max();
    for (std::size_t i = 0; i < std::min(fast.rows.size(), slow.rows.size()); ++i) {
        const std::string a = text_of(fast.rows[i]);
        const std::string b = text_of(slow.rows[i]);
        const Time at = std::min(fast.rows[i].finish, slow.rows[i].finish);
        if (a == b || at > first) continue;
        first = at;
        text = "\nmacro:  " + a + "\nsingle: " + b;
    }
    const auto& a = fast.control.decisions;
    const auto& b = slow.control.decisions;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        if (a[i].time == b[i].time && a[i].reason == b[i].reason) continue;
        return text + "\nmacro:  decision at " + std::to_string(a[i].time.ps()) + " " +
               a[i].reason + "\nsingle: decision at " + std::to_string(b[i].time.ps()) + " " +
               b[i].reason;
    }
    return text;
}

}  // namespace

TEST_CASE(
    "LLM engines: macro-steps and leaps equal single steps bit for bit in random simulations") {
    const std::int64_t cases = scaled(400, 40);
    std::int64_t preemptions = 0;
    std::int64_t completed = 0;
    std::int64_t lost = 0;
    std::int64_t timed_out = 0;
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        const SimulationSpec spec = random_spec(static_cast<std::uint64_t>(seed));
        const SimulationResult fast = run_and_keep(spec, 1, false);
        const SimulationResult slow = run_and_keep(spec, 1, true);
        INFO(earliest_difference(fast, slow));
        check_equal(fast, slow);
        for (const ServiceResult& service : fast.services) {
            const serving::ServiceStats& stats = service.stats;
            preemptions += stats.preemptions;
            completed += stats.calls.of(serving::Outcome::completed);
            timed_out += stats.calls.of(serving::Outcome::timed_out);
            lost += stats.attempts.of(serving::Outcome::failed);
        }
    }
    // The cases reach what they are there for.
    CHECK(preemptions > cases);
    CHECK(completed > 10 * cases);
    CHECK(timed_out > cases / 2);
    CHECK(lost > cases / 4);
}

}  // namespace headroom::tests
