// Speed of the data plane in requests per CPU second, with the default metrics. Every figure that
// compares is a ratio against something in the same run, for machines differ and are shared.
//
//     build/release/tests/bench/headroom_bench
#include <benchmark/benchmark.h>

#include <algorithm>
#include <queue>
#include <random>
#include <string_view>

#include "tests/bench/resource_use.hpp"
#include "tests/bench/speeds.hpp"
#include "tests/rig.hpp"
#include "traces/generators/generated_source.hpp"

namespace headroom::bench {
namespace {

using namespace headroom::tests;

/// Poisson arrivals, with the lengths of the Azure 2023 conversation trace (lognormal fit) or of
/// one token where lengths mean nothing.
serving::SourceSpec arrivals_at(double rate, std::int64_t requests, bool lengths = true) {
    return {
        "users", 0, [rate, requests, lengths](std::uint64_t seed) {
            traces::GeneratedConfig config;
            config.name = "users";
            config.seed = seed;
            auto choice =
                choose<traces::ArrivalProcess>("poisson", {{"rate", ParameterValue{rate}}});
            config.arrivals = make_policy<traces::ArrivalProcess>(
                choice, {traces::source_stream(seed, "users", "arrival")});
            if (lengths) {
                config.prompt = traces::LengthModel(Distribution::lognormal(6.63, 0.99), 1, 8192);
                config.output = traces::LengthModel(Distribution::lognormal(5.02, 0.86), 1, 2048);
            }
            config.limit = requests;
            return std::make_unique<traces::GeneratedSource>(std::move(config));
        }};
}

SimulationSpec llm_spec(std::int64_t instances, double rate_each, std::int64_t requests,
                        const std::string& router) {
    SimulationSpec spec;
    spec.drain = true;
    spec.services.push_back(llm_service(
        "llm",
        choose<serving::BatchingPolicy>("vllm-v1", {{"max_num_batched_tokens", whole(8192)}}),
        30'000));
    spec.services[0].routing = choose<serving::RoutingPolicy>(router);
    spec.sources.push_back(arrivals_at(rate_each * static_cast<double>(instances), requests));
    add_workload(spec, 0, instances);
    return spec;
}

/// Runs a spec once and returns requests per CPU second.
double requests_per_cpu_second(const SimulationSpec& spec, bool exact_steps = false) {
    RunOptions options;
    options.exact_steps = exact_steps;
    const double start = cpu_seconds();
    const SimulationResult result = Simulation(spec).run(options);
    return static_cast<double>(result.total.requests.arrived) / (cpu_seconds() - start);
}

/// The one as it runs by itself, the other, which is shorter, with exact steps.
void against_the_twin(benchmark::State& state, const SimulationSpec& spec,
                      const SimulationSpec& shorter) {
    Speeds fast;
    Speeds exact;
    for (auto _ : state) {
        fast.add(requests_per_cpu_second(spec));
        exact.add(requests_per_cpu_second(shorter, true));
    }
    fast.report(state, "requests/CPU-s");
    state.counters["twin requests/CPU-s"] = exact.best();
    state.counters["times the twin"] = fast.best() / exact.best();
}

void one_instance(benchmark::State& state) {
    against_the_twin(state, llm_spec(1, 2.0, 2'000'000, "round-robin"),
                     llm_spec(1, 2.0, 60'000, "round-robin"));
}

/// As vLLM serves by default: asynchronous scheduling and prefix caching.
void one_instance_with_leaps(benchmark::State& state) {
    const auto spec = [](std::int64_t requests) {
        SimulationSpec made = llm_spec(1, 2.0, requests, "round-robin");
        made.services[0].versions[0].engine.llm->async_scheduling = true;
        made.services[0].versions[0].engine.llm->prefix_caching = true;
        return made;
    };
    against_the_twin(state, spec(300'000), spec(60'000));
}

void thousand_instances(benchmark::State& state) {
    Speeds speeds;
    for (auto _ : state)
        speeds.add(requests_per_cpu_second(llm_spec(1000, 2.0, 3'000'000, "two-choice")));
    speeds.report(state, "requests/CPU-s");
}

/// The least an M/M/c simulation can do: a std::priority_queue of departures, std:: distributions,
/// one running mean, no records, no metrics.
double bare_mmc(std::int64_t jobs, std::size_t servers, double load) {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> gap(load * static_cast<double>(servers));
    std::exponential_distribution<double> service(1.0);
    std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
    for (std::size_t i = 0; i < servers; ++i) free_at.push(0);
    double now = 0;
    double waits = 0;
    const double start = cpu_seconds();
    for (std::int64_t i = 0; i < jobs; ++i) {
        now += gap(random);
        const double begin = std::max(now, free_at.top());
        free_at.pop();
        free_at.push(begin + service(random));
        waits += begin - now;
    }
    benchmark::DoNotOptimize(waits);
    return static_cast<double>(jobs) / (cpu_seconds() - start);
}

void mm10(benchmark::State& state) {
    constexpr std::int64_t kJobs = 5'000'000;
    Speeds ours;
    Speeds bare;
    for (auto _ : state) {
        SimulationSpec spec;
        spec.drain = true;
        spec.services.push_back(simple_service("queue", 10, Distribution::exponential(1.0)));
        spec.sources.push_back(arrivals_at(8.0, kJobs, false));
        add_workload(spec, 0, 1);
        ours.add(requests_per_cpu_second(spec));
        bare.add(bare_mmc(kJobs, 10, 0.8));
    }
    ours.report(state, "jobs/CPU-s");
    state.counters["bare jobs/CPU-s"] = bare.best();
    state.counters["of the bare loop"] = ours.best() / bare.best();
}

void ten_thousand_instances(benchmark::State& state) {
    Speeds speeds;
    const PeakMemory peak;
    for (auto _ : state)
        speeds.add(requests_per_cpu_second(llm_spec(10'000, 2.0, 6'000'000, "two-choice")));
    speeds.report(state, "requests/CPU-s");
    state.counters["peak MB"] = peak.megabytes();
}

/// 172.8 million requests: a day of 1000 instances at 2/s each. Minutes; only when asked for.
void simulated_day(benchmark::State& state) {
    double rate = 0;
    const PeakMemory peak;
    const double start = cpu_seconds();
    for (auto _ : state)
        rate = requests_per_cpu_second(llm_spec(1000, 2.0, 172'800'000, "two-choice"));
    state.counters["requests/CPU-s"] = rate;
    state.counters["CPU s"] = cpu_seconds() - start;
    state.counters["peak MB"] = peak.megabytes();
}

/// Memory is O(requests in flight), however many there are.
void memory(benchmark::State& state) {
    double rate = 0;
    const PeakMemory peak;
    for (auto _ : state)
        rate = requests_per_cpu_second(llm_spec(4, 2.0, 10'000'000, "least-request"));
    state.counters["requests/CPU-s"] = rate;
    state.counters["peak MB"] = peak.megabytes();
}

BENCHMARK(memory)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(one_instance)->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(one_instance_with_leaps)->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(thousand_instances)->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK(ten_thousand_instances)->Iterations(3)->Unit(benchmark::kMillisecond);
BENCHMARK(mm10)->Iterations(5)->Unit(benchmark::kMillisecond);

/// Too long for every run: it is there only when the command line names it.
void register_long_ones(int argc, char** argv) {
    const auto names_it = [](const char* argument) {
        return std::string_view(argument).find("simulated_day") != std::string_view::npos;
    };
    if (std::none_of(argv + 1, argv + argc, names_it)) return;
    benchmark::RegisterBenchmark("simulated_day", simulated_day)
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace headroom::bench

int main(int argc, char** argv) {
    headroom::bench::register_long_ones(argc, argv);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
