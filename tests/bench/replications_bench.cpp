// What threads are worth across replications: the time of ten with one thread over that with two.
// On two free processors close to 2; where others work beside it, less.
//
//     build/release/tests/bench/headroom_bench --benchmark_filter=replications
#include <benchmark/benchmark.h>

#include <chrono>

#include "analysis/experiments/replications.hpp"
#include "tests/rig.hpp"

namespace headroom::bench {
namespace {

using namespace headroom::tests;

constexpr int kReplications = 10;
constexpr std::int64_t kRequests = 200'000;

scenarios::Scenario queue() {
    scenarios::Scenario scenario;
    scenario.spec.drain = true;
    scenario.spec.services.push_back(simple_service("queue", 10, Distribution::exponential(1.0)));
    scenario.spec.sources.push_back(poisson_source(0, 8.0, kRequests));
    add_workload(scenario.spec, 0, 1);
    return scenario;
}

double seconds_with(const scenarios::Scenario& scenario, int threads) {
    const auto start = std::chrono::steady_clock::now();
    const analysis::Replicated study =
        analysis::replicate(scenario, {.count = kReplications, .threads = threads});
    benchmark::DoNotOptimize(study.runs.size());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void replications(benchmark::State& state) {
    const scenarios::Scenario scenario = queue();
    double one = 0;
    double two = 0;
    for (auto _ : state) {
        one += seconds_with(scenario, 1);
        two += seconds_with(scenario, 2);
    }
    state.counters["1 thread / 2"] = one / two;
    state.counters["requests/s"] = benchmark::Counter(static_cast<double>(state.iterations()) *
                                                      kReplications * kRequests / two);
}

BENCHMARK(replications)->Iterations(3)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace headroom::bench
