// The fit against logs that the simulator itself wrote, with a profile that is known.
#include "analysis/calibration/observe.hpp"

#include <atomic>
#include <cmath>

#include "analysis/calibration/observe_search.hpp"
#include "analysis/calibration/observe_start.hpp"
#include "analysis/results/requests_csv.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/traces/temporary_file.hpp"

namespace headroom::analysis {
namespace {

using serving::LinearCoefficients;

const LinearCoefficients kTruth{Duration::microseconds(9000), Duration::microseconds(45),
                                Duration::microseconds(60), Duration::nanoseconds(110),
                                Duration::nanoseconds(12)};

/// Of the simulated engine and of the fit: one that the simulator steps over quickly.
ObserveOptions engine_settings(std::int64_t max_num_seqs) {
    ObserveOptions options;
    options.async_scheduling = false;
    options.prefix_caching = false;
    options.max_num_seqs = max_num_seqs;
    options.max_num_batched_tokens = 1024;
    options.kv_blocks = 4000;
    return options;
}

/// Busy and quiet stretches, short and long prompts and outputs: a log that tells coefficients
/// apart.
std::vector<serving::Arrival> mixed_arrivals(int count) {
    std::vector<serving::Arrival> arrivals;
    std::uint64_t state = 2026;
    const auto draw = [&state](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::int64_t>((state >> 33) % below);
    };
    Duration at;
    for (int i = 0; i < count; ++i) {
        const bool busy = i / 40 % 2 == 0;
        at += Duration::milliseconds(busy ? draw(160) : draw(1200));
        const std::int64_t prompt = 20 + draw(i % 3 == 0 ? 3000 : 400);
        arrivals.push_back(tests::arrival_at(at, prompt, 40 + draw(300)));
    }
    return arrivals;
}

/// All come within seconds, wait, and grow to several times their prompts.
std::vector<serving::Arrival> pressing_arrivals(int count) {
    std::vector<serving::Arrival> arrivals = mixed_arrivals(count);
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        arrivals[i].prompt = Tokens{20 + arrivals[i].prompt.count() / 3};
        arrivals[i].output = Tokens{2 * arrivals[i].output.count()};
        arrivals[i].time = Time::zero() + Duration::milliseconds(60) * static_cast<int>(i) +
                           Duration::milliseconds(static_cast<std::int64_t>(7 * i % 50));
    }
    return arrivals;
}

/// What an engine of these settings logs: requests.csv, written and read again, and the contents
/// beside it.
EngineLog log_of(const ObserveOptions& engine, const std::vector<serving::Arrival>& arrivals,
                 std::shared_ptr<const serving::LatencyModel> latency,
                 Duration front_end = Duration::zero(), std::int64_t* preemptions = nullptr) {
    SimulationSpec spec;
    spec.drain = true;
    spec.services.push_back(tests::llm_service(
        "engine",
        tests::choose<serving::BatchingPolicy>(
            "vllm-v1", {{"max_num_seqs", tests::whole(engine.max_num_seqs)},
                        {"max_num_batched_tokens", tests::whole(engine.max_num_batched_tokens)}}),
        *engine.kv_blocks));
    spec.services[0].front_end_delay = front_end;
    spec.services[0].routing = tests::choose<serving::RoutingPolicy>("round-robin");
    serving::LlmEngineSpec& llm = *spec.services[0].versions[0].engine.llm;
    llm.latency = std::move(latency);
    llm.async_scheduling = engine.async_scheduling;
    llm.prefix_caching = engine.prefix_caching;
    spec.sources.push_back(tests::list_source(0, arrivals));
    tests::add_workload(spec, 0, engine.replicas);
    RunOptions run;
    run.keep_rows = true;
    const SimulationResult result = Simulation(spec).run(run);
    const traces::TemporaryFile file("", "requests.csv");
    write_requests_csv(file.path(), spec, result);
    scenarios::Diagnostics diagnostics;
    std::optional<EngineLog> log = read_engine_log(file.path(), diagnostics);
    REQUIRE(log);
    REQUIRE(log->requests.size() == arrivals.size());
    log->file = "requests.csv";
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        log->requests[i].contents = arrivals[i].contents;
    }
    if (preemptions != nullptr) *preemptions = result.total.preemptions;
    return std::move(*log);
}

EngineLog log_of(const ObserveOptions& engine, Duration front_end = Duration::zero(),
                 int requests = 300) {
    return log_of(engine, mixed_arrivals(requests),
                  std::make_shared<serving::LinearLatency>(kTruth), front_end);
}

/// Half of the prompts, and all that are short, begin with one of four texts of 320 tokens.
std::vector<serving::Arrival> with_shared_prefixes(std::vector<serving::Arrival> arrivals) {
    std::uint64_t fresh = 1000;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        auto contents = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
        const std::int64_t blocks = arrivals[i].prompt.count() / 16;
        for (std::int64_t k = 0; k < blocks; ++k) {
            const bool shared = i % 2 == 0 && k < 20;
            contents->ids.push_back(shared ? 100 * (i / 2 % 4) + static_cast<std::uint64_t>(k)
                                           : fresh++);
        }
        contents->covered = 16 * blocks;
        arrivals[i].contents = std::move(contents);
    }
    return arrivals;
}

double share(Duration a, Duration b) {
    return a.to_seconds() / b.to_seconds();
}

void check_within(const MetricErrors& errors, double mean, double quantiles) {
    CHECK(std::fabs(errors.mean) < mean);
    CHECK(std::fabs(errors.p50) < quantiles);
    CHECK(std::fabs(errors.p99) < quantiles);
}

bool same_coefficients(const LinearCoefficients& a, const LinearCoefficients& b) {
    return a.per_iteration == b.per_iteration && a.per_prefill_token == b.per_prefill_token &&
           a.per_decode_sequence == b.per_decode_sequence &&
           a.per_context_token == b.per_context_token &&
           a.per_prefill_attention == b.per_prefill_attention;
}

}  // namespace

TEST_CASE("Observe: finds the profile that a log was simulated with") {
    ObserveOptions options = engine_settings(64);
    const EngineLog log = log_of(options);
    int seen = 0;
    options.progress = [&seen](int simulations) { seen = simulations; };
    const ObserveResult result = observe(log, options);
    REQUIRE(result.fit);
    const ObservedFit& fit = *result.fit;
    CHECK(fit.simulations <= options.simulations);
    CHECK(seen == fit.simulations);
    CHECK(fit.fitted.requests == 150);
    CHECK(fit.held_out.requests == 150);
    // What a fraction of an iteration does to a single TTFT is all that is left.
    check_within(fit.held_out.ttft, 0.005, 0.05);
    check_within(fit.held_out.tpot, 0.005, 0.005);
    check_within(fit.held_out.e2e, 0.005, 0.005);
    CHECK(fit.held_out.e2e.per_request < 0.005);
    CHECK(fit.error_band <= 0.03);
    CHECK(fit.front_end < Duration::milliseconds(3));
    const LinearCoefficients& c = fit.coefficients;
    CHECK(share(c.per_iteration, kTruth.per_iteration) == Approx(1).epsilon(0.02));
    CHECK(share(c.per_prefill_token, kTruth.per_prefill_token) == Approx(1).epsilon(0.1));
    CHECK(share(c.per_decode_sequence, kTruth.per_decode_sequence) == Approx(1).epsilon(0.06));
    CHECK(share(c.per_context_token, kTruth.per_context_token) == Approx(1).epsilon(0.06));
    // Attention among prompt tokens matters little here: c1 takes over what c4 lacks.
    CHECK(share(c.per_prefill_attention, kTruth.per_prefill_attention) == Approx(1).epsilon(0.4));
}

TEST_CASE("Observe: means of a log of an engine with a queue are met to half a per cent") {
    ObserveOptions options = engine_settings(12);
    const EngineLog log = log_of(options, Duration::zero(), 600);
    for (const FitSplit split : {FitSplit::first, FitSplit::alternate}) {
        options.split = split;
        const ObserveResult result = observe(log, options);
        REQUIRE(result.fit);
        CAPTURE(split == FitSplit::first);
        CHECK(result.fit->fitted.requests == 300);
        check_within(result.fit->held_out.ttft, 0.005, 0.02);
        check_within(result.fit->held_out.tpot, 0.005, 0.02);
        check_within(result.fit->held_out.e2e, 0.005, 0.005);
        CHECK(result.fit->error_band <= 0.02);
    }
}

TEST_CASE("Observe: finds a front end's constant where there is one, and only there") {
    ObserveOptions options = engine_settings(64);
    const EngineLog log = log_of(options, Duration::milliseconds(80));
    const ObserveResult with = observe(log, options);
    REQUIRE(with.fit);
    CHECK(with.fit->front_end.to_seconds() == Approx(0.080).margin(0.008));
    check_within(with.fit->held_out.ttft, 0.01, 0.03);
    options.try_front_end = false;
    const ObserveResult without = observe(log, options);
    REQUIRE(without.fit);
    CHECK(without.fit->front_end == Duration::zero());
    CHECK(without.fit->objective > with.fit->objective);
}

TEST_CASE("Observe: an engine short of KV blocks, with prefix caching and an asynchronous loop") {
    ObserveOptions options = engine_settings(256);
    options.async_scheduling = true;
    options.prefix_caching = true;
    options.kv_blocks = 1000;
    options.start = kTruth;
    options.simulations = 20;
    std::int64_t preemptions = 0;
    const EngineLog log =
        log_of(options, with_shared_prefixes(pressing_arrivals(120)),
               std::make_shared<serving::LinearLatency>(kTruth), Duration::zero(), &preemptions);
    CHECK(preemptions > 60);
    const ObserveResult as_it_was = observe(log, options);
    REQUIRE(as_it_was.fit);
    CHECK(as_it_was.fit->objective < 1e-9);
    for (const bool asynchronous : {false, true}) {
        ObserveOptions other = options;
        other.async_scheduling = asynchronous;
        other.prefix_caching = !asynchronous;
        CAPTURE(asynchronous);
        const ObserveResult otherwise = observe(log, other);
        REQUIRE(otherwise.fit);
        CHECK(otherwise.fit->objective > 0.05);
    }
}

TEST_CASE("Observe: what the prefix cache holds is not computed again") {
    ObserveOptions options = engine_settings(64);
    options.prefix_caching = true;
    options.simulations = 30;
    options.start = kTruth;
    EngineLog log = log_of(options, with_shared_prefixes(mixed_arrivals(120)),
                           std::make_shared<serving::LinearLatency>(kTruth));
    const ObserveResult known = observe(log, options);
    REQUIRE(known.fit);
    CHECK(known.fit->objective < 1e-9);
    for (LoggedRequest& request : log.requests) request.contents.reset();
    const ObserveResult unknown = observe(log, options);
    REQUIRE(unknown.fit);
    CHECK(unknown.fit->objective > 0.01);
}

TEST_CASE("Observe: replicas behind one log each had their own queue and cache") {
    ObserveOptions options = engine_settings(16);
    options.prefix_caching = true;
    options.replicas = 2;
    options.start = kTruth;
    options.simulations = 20;
    const EngineLog log = log_of(options, with_shared_prefixes(mixed_arrivals(120)),
                                 std::make_shared<serving::LinearLatency>(kTruth));
    const ObserveResult two = observe(log, options);
    REQUIRE(two.fit);
    CHECK(two.fit->objective < 1e-9);
    options.replicas = 1;
    const ObserveResult one = observe(log, options);
    REQUIRE(one.fit);
    CHECK(one.fit->objective > 0.1);
    // What ran beside a request is what went to the same replica.
    const std::vector<bool> all(log.requests.size(), true);
    const double truth = kTruth.per_context_token.to_seconds();
    CHECK(start_from_log(log, all, 2)[3] == Approx(truth).epsilon(0.3));
    CHECK(start_from_log(log, all, 1)[3] < 0.6 * truth);
}

TEST_CASE("Observe: what is expected decides where the log does not tell coefficients apart") {
    // One after the other, all alike: the time of an iteration is known, not what it is made of.
    ObserveOptions options = engine_settings(16);
    std::vector<serving::Arrival> alike;
    for (int i = 0; i < 40; ++i) {
        alike.push_back(tests::arrival_at(Duration::seconds(10 * i), 500, 100));
    }
    const auto truth = std::make_shared<serving::LinearLatency>(kTruth);
    const EngineLog dull = log_of(options, alike, truth);
    options.expected = kTruth;
    const ObserveResult led = observe(dull, options);
    REQUIRE(led.fit);
    CHECK(led.fit->held_out.e2e.per_request < 0.005);
    CHECK(share(led.fit->coefficients.per_iteration, kTruth.per_iteration) ==
          Approx(1).epsilon(0.02));
    CHECK(share(led.fit->coefficients.per_context_token, kTruth.per_context_token) ==
          Approx(1).epsilon(0.3));

    // Where the log tells, what is expected hardly matters.
    options = engine_settings(64);
    options.expected = {kTruth.per_iteration * 3 / 2, kTruth.per_prefill_token / 2,
                        kTruth.per_decode_sequence / 4, kTruth.per_context_token * 3 / 2,
                        kTruth.per_prefill_attention * 2};
    const ObserveResult misled = observe(log_of(options), options);
    REQUIRE(misled.fit);
    check_within(misled.fit->held_out.e2e, 0.005, 0.01);
    CHECK(share(misled.fit->coefficients.per_iteration, kTruth.per_iteration) ==
          Approx(1).epsilon(0.05));
}

TEST_CASE("Observe: the errors are those of the part they name") {
    ObserveOptions options = engine_settings(64);
    options.start = kTruth;
    options.simulations = 20;
    EngineLog log = log_of(options);
    // The held-out half as if it had taken a quarter longer.
    for (std::size_t i = 150; i < log.requests.size(); ++i) {
        LoggedRequest& request = log.requests[i];
        request.finish += (request.finish - request.arrival) / 4;
    }
    const ObserveResult result = observe(log, options);
    REQUIRE(result.fit);
    CHECK(result.fit->fitted.e2e.per_request < 1e-6);
    CHECK(result.fit->held_out.e2e.mean == Approx(-0.2).margin(1e-3));
    CHECK(result.fit->held_out.e2e.per_request == Approx(0.2).margin(1e-3));
    CHECK(result.fit->held_out.ttft.per_request < 1e-6);
    CHECK(result.fit->error_band >= 0.2);
}

TEST_CASE("Observe: a second search gives the same coefficients to the picosecond") {
    ObserveOptions options = engine_settings(64);
    options.simulations = 60;
    const EngineLog log = log_of(options);
    const ObserveResult first = observe(log, options);
    const ObserveResult second = observe(log, options);
    REQUIRE(first.fit);
    REQUIRE(second.fit);
    CHECK(same_coefficients(first.fit->coefficients, second.fit->coefficients));
    CHECK(first.fit->front_end == second.fit->front_end);
    CHECK(first.fit->simulations <= 60);
}

TEST_CASE("Observe: begins at given coefficients, and stays there when they are right") {
    ObserveOptions options = engine_settings(64);
    options.start = kTruth;
    options.simulations = 40;
    const ObserveResult result = observe(log_of(options), options);
    REQUIRE(result.fit);
    CHECK(same_coefficients(result.fit->start, kTruth));
    CHECK(result.fit->objective < 1e-9);
    CHECK(same_coefficients(result.fit->coefficients, kTruth));
}

TEST_CASE("Observe: the start from the log alone is near the truth") {
    const EngineLog log = log_of(engine_settings(64));
    const CoefficientArray start =
        start_from_log(log, std::vector<bool>(log.requests.size(), true));
    CHECK(start[0] == Approx(kTruth.per_iteration.to_seconds()).epsilon(0.05));
    CHECK(start[1] == Approx(kTruth.per_prefill_token.to_seconds()).epsilon(0.2));
    CHECK(start[2] == Approx(kTruth.per_decode_sequence.to_seconds()).epsilon(0.2));
    CHECK(start[3] == Approx(kTruth.per_context_token.to_seconds()).epsilon(0.2));
    CHECK(start[4] == Approx(kTruth.per_prefill_attention.to_seconds()).epsilon(0.5));

    // One after the other: nothing tells prompts, and every coefficient is above 0 all the same.
    EngineLog alone;
    for (int i = 0; i < 10; ++i) {
        LoggedRequest request;
        request.arrival = Time::zero() + Duration::seconds(10 * i);
        request.first_token = request.arrival + Duration::milliseconds(100);
        request.finish = request.first_token + Duration::seconds(1);
        request.prompt_tokens = 1000;
        request.output_tokens = 101;
        alone.requests.push_back(request);
    }
    const CoefficientArray least = start_from_log(alone, std::vector<bool>(10, true));
    CHECK(least[0] == Approx(0.01).epsilon(0.05));
    CHECK(least[1] == Approx(50e-6));
    for (const double c : least) CHECK(c > 0);
}

TEST_CASE("Observe: settings that cannot have served the log are refused with its line") {
    ObserveOptions options = engine_settings(64);
    const EngineLog log = log_of(options, Duration::zero(), 60);
    options.kv_blocks = 100;
    const ObserveResult blocks = observe(log, options);
    CHECK_FALSE(blocks.fit);
    CHECK(blocks.error.rfind("requests.csv:", 0) == 0);
    CHECK(blocks.error.find("(rejected, exceeds_kv_capacity)") != std::string::npos);
    CHECK(blocks.error.find("expected the settings of the logged engine") != std::string::npos);

    options = engine_settings(64);
    options.max_model_len = 2000;
    const ObserveResult length = observe(log, options);
    CHECK_FALSE(length.fit);
    CHECK(length.error.find("expected at most max_model_len, 2000") != std::string::npos);

    options = engine_settings(64);
    options.fit_part = 0.9;
    const ObserveResult few = observe(log, options);
    CHECK_FALSE(few.fit);
    CHECK(few.error ==
          "requests.csv: 54 requests to fit and 6 held out have an output of at least two tokens; "
          "expected at least 8 of each");

    options = engine_settings(64);
    options.kv_blocks.reset();
    options.simulations = kLeastSimulations;
    CHECK(observe(log, options).fit);
}

TEST_CASE("Observe: gives up when it is stopped") {
    ObserveOptions options = engine_settings(64);
    const EngineLog log = log_of(options, Duration::zero(), 60);
    std::atomic<bool> stop{true};
    options.stop = &stop;
    CHECK(observe(log, options).error == "stopped before the fit was done");
    stop = false;
    options.progress = [&stop](int simulations) { stop = simulations == 20; };
    const ObserveResult result = observe(log, options);
    CHECK_FALSE(result.fit);
    CHECK(result.error == "stopped before the fit was done");
}

TEST_CASE("Observe: the search walks down a slanted valley with kinks within its evaluations") {
    // Residuals of two nearly parallel slopes, a step in each, and their mean absolute value.
    const auto evaluate = [](const std::vector<double>& x) {
        Scored scored;
        for (int i = 0; i < 40; ++i) {
            const double t = 0.05 * i;
            const double kink = 0.002 * std::floor(3 * (x[0] - 0.4) + t);
            scored.residuals.push_back((x[0] - 0.4) + (1 + 0.1 * t) * (x[1] + 0.7) + kink);
            scored.objective += std::fabs(scored.residuals.back()) / 40;
        }
        return scored;
    };
    for (const int budget : {1, 2, 5, 9, 30, 100}) {
        int calls = 0;
        const SearchResult result = search(
            [&](const std::vector<double>& x) {
                ++calls;
                return evaluate(x);
            },
            {0.0, 0.0}, budget);
        CAPTURE(budget);
        CHECK(calls <= budget);
        CHECK(result.evaluations == calls);
        CHECK(result.objective == evaluate(result.x).objective);
        CHECK(result.objective <= evaluate({0.0, 0.0}).objective);
        if (budget == 100) CHECK(result.objective < 0.003);
    }
    const SearchResult nowhere =
        search([](const std::vector<double>&) { return Scored{}; }, {1.0}, 10);
    CHECK(std::isinf(nowhere.objective));
    CHECK(nowhere.evaluations == 1);
}

TEST_CASE("Observe: the search follows belief where residuals say nothing, and only there") {
    // Only the sum of the first two coordinates shows, and the third alone.
    const auto evaluate = [](const std::vector<double>& x) {
        Scored scored;
        for (int i = 0; i < 20; ++i) {
            const double off = i % 2 == 0 ? x[0] + x[1] - 1 : x[2] - 0.5;
            scored.residuals.push_back(off + 0.001 * (i % 3 - 1));
            scored.objective += std::fabs(scored.residuals.back()) / 20;
        }
        return scored;
    };
    const Belief belief{{0.9, 0.3}, {0.1, 0.2}, 10};
    CHECK(belief.factor({0.9, 0.3, 7}) == 1);
    CHECK(belief.factor({1.0, 0.7, 7}) == Approx(1 + (1.0 + 4.0) / 20));
    const SearchResult found = search(evaluate, {0.0, 0.0, 0.0}, 150, belief);
    CHECK(found.x[0] + found.x[1] == Approx(1).margin(0.003));
    CHECK(found.x[2] == Approx(0.5).margin(0.003));
    // The nearest point of the line, in bands.
    CHECK(found.x[0] == Approx(0.86).margin(0.03));
    CHECK(found.x[1] == Approx(0.14).margin(0.03));
    CHECK(found.objective >= evaluate(found.x).objective);
}

}  // namespace headroom::analysis
