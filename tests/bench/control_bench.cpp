// Speed of the control plane in ticks of autoscalers per CPU second: what it costs to watch many
// services that do next to nothing, as most of a large cluster does. Scrapes are in it: each tick
// has two scraped pods and a scraped service of its own.
//
//     build/release/tests/bench/headroom_bench --benchmark_filter=autoscalers
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "sim/control/scaling_policy.hpp"
#include "tests/bench/resource_use.hpp"
#include "tests/rig.hpp"
#include "traces/generators/generated_source.hpp"

namespace headroom::bench {
namespace {

using namespace headroom::tests;

constexpr std::int64_t kPodsEach = 2;
constexpr Duration kTick = Duration::seconds(15);

ParameterValue object(Parameters parameters) {
    return {std::make_shared<const Parameters>(std::move(parameters))};
}

/// Requests in flight, ten a pod; the default rules of behavior.
PolicyChoice horizontal_autoscaler() {
    Parameters target;
    target.set("type", {std::string("AverageValue")});
    target.set("value", whole(10'000));
    Parameters metric;
    metric.set("type", {std::string("Pods")});
    metric.set("name", {std::string("requests_in_flight")});
    metric.set("container", {std::string()});
    metric.set("target", object(std::move(target)));
    PolicyChoice choice = choose<control::ScalingPolicy>(
        "hpa", {{"min_replicas", whole(kPodsEach)},
                {"max_replicas", whole(10)},
                {"metrics",
                 {std::make_shared<const ParameterValue::List>(
                     ParameterValue::List{object(std::move(metric))})}}});
    const auto* entry = Registry<control::ScalingPolicy>::instance().find("hpa");
    for (const ParameterSpec& spec : entry->specs) {
        if (spec.name != "behavior") continue;
        choice.parameters.set("behavior", object(Parameters::defaults(spec.fields)));
    }
    return choice;
}

/// A request an hour, with draws of its own.
serving::SourceSpec rare_requests(std::uint32_t service) {
    const std::string name = fmt::format("users-{}", service);
    return {
        name, service, [name](std::uint64_t seed) {
            traces::GeneratedConfig config;
            config.name = name;
            config.seed = seed;
            config.arrivals = make_policy<traces::ArrivalProcess>(
                choose<traces::ArrivalProcess>("poisson", {{"rate", ParameterValue{1.0 / 3600.0}}}),
                {traces::source_stream(seed, name, "arrival")});
            return std::make_unique<traces::GeneratedSource>(std::move(config));
        }};
}

/// Services with two pods, an autoscaler and a request an hour each.
SimulationSpec idle_services(std::uint32_t services, Duration duration) {
    SimulationSpec spec;
    spec.end = Time::zero() + duration;
    const PolicyChoice autoscaler = horizontal_autoscaler();
    for (std::uint32_t i = 0; i < services; ++i) {
        spec.services.push_back(
            simple_service(fmt::format("service-{}", i), 1, Distribution::exponential(1.0)));
        spec.sources.push_back(rare_requests(i));
        add_workload(spec, i, kPodsEach);
        spec.control.workloads[i].autoscaler = control::AutoscalerSpec{autoscaler, {}};
    }
    // A node has room for 100 pods; as many again for what an autoscaler may add.
    spec.control.pools[0].count = 2 + 2 * kPodsEach * services / 100;
    spec.control.metrics.scrape_interval = kTick;
    return spec;
}

/// The goal: a day of 5,000 autoscalers in less than 60 CPU seconds. The 500 show what a tick costs
/// while all fits the caches.
void autoscalers(benchmark::State& state) {
    const auto services = static_cast<std::uint32_t>(state.range(0));
    const Duration day = Duration::hours(24);
    const PeakMemory peak;
    const double start = cpu_seconds();
    for (auto _ : state) {
        const SimulationResult result = Simulation(idle_services(services, day)).run({});
        if (result.total.requests.arrived == 0) state.SkipWithError("no request arrived");
    }
    const double used = cpu_seconds() - start;
    const std::int64_t ticks = state.range(0) * (day / kTick);
    state.counters["CPU s"] = used;
    state.counters["ticks/CPU-s"] = static_cast<double>(ticks) / used;
    state.counters["peak MB"] = peak.megabytes();
}

BENCHMARK(autoscalers)->Arg(500)->Arg(5000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace headroom::bench
