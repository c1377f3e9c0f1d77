/// A small run written down by hand, with numbers that are easy to check: two services (an LLM and
/// a simple one that it calls), an hour long, measured from minute ten.
#pragma once

#include <string>
#include <utility>

#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"
#include "tests/unit/analysis/decisions_about.hpp"

namespace headroom::analysis {

struct HandMadeRun {
    scenarios::Scenario scenario;
    SimulationResult result;
};

inline void record(metrics::Histogram& histogram, std::int64_t first_ms, std::int64_t step_ms,
                   std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        histogram.record(Duration::milliseconds(first_ms + i * step_ms).ps());
    }
}

inline TimeIntegral held(std::int64_t count, Duration time) {
    TimeIntegral integral;
    integral.add(count, time);
    return integral;
}

inline scenarios::Scenario hand_made_scenario() {
    scenarios::Scenario scenario;
    scenario.name = "by-hand";
    scenario.description = "A chat service and its reranker.";
    scenario.hash = "0123456789abcdef";
    scenario.canonical = R"({"sources":{"users":{"service":"chat","arrivals":{}}}})";
    scenario.spec.seed = 7;
    scenario.spec.measure_from = Time::zero() + Duration::minutes(10);
    serving::ServiceSpec chat;
    chat.name = "chat";
    chat.slo = {Duration::seconds(2), Duration::milliseconds(100), std::nullopt};
    chat.calls = {1};
    chat.versions.resize(1);
    chat.versions[0].engine.llm = serving::LlmEngineSpec{};
    chat.versions[0].engine.llm->profile = {"estimated", "small model", 0.25};
    serving::ServiceSpec reranker;
    reranker.name = "reranker";
    reranker.versions.resize(1);
    reranker.versions[0].engine.simple = serving::SimpleEngineSpec{4};
    scenario.spec.services = {chat, reranker};
    scenario.spec.sources = {{"users", 0, {}}};
    scenario.profiles = {{"chat", "v1", chat.versions[0].engine.llm->profile}};

    control::WorkloadSpec workload;
    workload.name = "chat";
    workload.pod.devices.count = 1;
    workload.pod.requests = {MilliCpu{8000}, gibibytes(32)};
    workload.usage.cpu_idle = MilliCpu{0};
    workload.usage.cpu_busy = MilliCpu{4000};
    control::WorkloadSpec simple;
    simple.name = "reranker";
    simple.service = 1;
    simple.pod.requests = {MilliCpu{1000}, gibibytes(1)};
    simple.usage.cpu_idle = simple.usage.cpu_busy = MilliCpu{0};
    scenario.spec.control.workloads = {workload, simple};
    control::NodePoolSpec pool;
    pool.name = "gpu";
    pool.count = 4;
    pool.node.name = pool.node.pool = "gpu";
    pool.node.capacity = pool.node.allocatable = {MilliCpu{16000}, gibibytes(128), 110};
    pool.node.devices.resize(1);
    pool.node.devices[0].model = "h100-sxm";
    pool.node.devices[0].idle_milliwatts = 100'000;
    pool.node.devices[0].peak_milliwatts = 700'000;
    pool.node.idle_milliwatts = 200'000;
    pool.node.peak_milliwatts = 600'000;
    scenario.spec.control.pools = {pool};
    return scenario;
}

inline ServiceResult hand_made_chat() {
    ServiceResult chat;
    chat.name = "chat";
    serving::ServiceStats& stats = chat.stats;
    stats.requests.arrived = 110;
    for (int i = 0; i < 100; ++i) stats.requests.end(serving::Outcome::completed);
    for (int i = 0; i < 6; ++i) stats.requests.end(serving::Outcome::rejected);
    stats.requests.end(serving::Outcome::timed_out);
    stats.calls = stats.requests;
    stats.causes[static_cast<std::size_t>(serving::Cause::gateway_queue_full)] = 6;
    stats.causes[static_cast<std::size_t>(serving::Cause::timeout)] = 1;
    record(stats.ttft, 10, 10, 100);
    record(stats.e2e, 1000, 100, 100);
    record(stats.tpot, 20, 0, 100);
    record(stats.itl, 20, 0, 1000);
    record(stats.queue, 0, 1, 100);
    stats.prompt_tokens = 50'000;
    stats.output_tokens = 20'000;
    stats.measured_completed = 100;
    stats.preemptions = 3;
    stats.slo_good = 90;
    stats.slo_missed = 10;
    stats.busy = held(1, Duration::minutes(50));
    stats.instance_time = held(2, Duration::minutes(50));
    stats.kv_block_time = held(100, Duration::minutes(50));
    stats.kv_capacity_time = held(400, Duration::minutes(50));
    return chat;
}

inline control::WorkloadResult hand_made_workload() {
    control::WorkloadResult workload;
    workload.name = "chat";
    const auto at = [](int minute) { return Time::zero() + Duration::minutes(minute); };
    workload.desired_replicas.append(at(0), 1);
    workload.desired_replicas.append(at(20), 4);
    workload.desired_replicas.append(at(50), 2);
    workload.ready_replicas.append(at(0), 1);
    workload.ready_replicas.append(at(25), 4);
    workload.ready_replicas.append(at(50), 2);
    workload.scale_ups = 1;
    workload.scale_downs = 1;
    workload.reversals = 1;
    workload.pods_created = 4;
    workload.pods_deleted = 2;
    workload.pods_became_ready = 4;
    workload.image_pull_time = Duration::seconds(120);
    workload.weights_load_time = Duration::seconds(60);
    workload.device_time = held(2, Duration::minutes(50));
    workload.ready_replica_time = held(2, Duration::minutes(50));
    workload.cost = Money{5'000'000};
    return workload;
}

inline HandMadeRun hand_made_run() {
    HandMadeRun run{hand_made_scenario(), {}};
    SimulationResult& result = run.result;
    result.end = Time::zero() + Duration::hours(1);
    result.measure_from = run.scenario.spec.measure_from;
    result.digest.add(Uint128{0xabc});
    ServiceResult reranker;
    reranker.name = "reranker";
    reranker.stats.calls.arrived = 100;
    for (int i = 0; i < 100; ++i) reranker.stats.calls.end(serving::Outcome::completed);
    record(reranker.stats.e2e, 5, 0, 100);
    reranker.stats.busy = held(1, Duration::minutes(50));
    reranker.stats.instance_time = held(1, Duration::minutes(50));
    result.services = {hand_made_chat(), reranker};
    result.total = result.services[0].stats;
    result.cells = {{{0, 1}}};

    control::WorkloadResult simple;
    simple.name = "reranker";
    simple.service = 1;
    simple.ready_replicas.append(Time::zero(), 1);
    simple.desired_replicas.append(Time::zero(), 1);
    simple.ready_replica_time = held(1, Duration::minutes(50));
    simple.pods_pending = 1;
    result.control.workloads = {hand_made_workload(), simple};
    control::NodePoolResult pool;
    pool.name = "gpu";
    pool.nodes = 4;
    pool.node_time = held(4, Duration::minutes(50));
    pool.device_time = held(4, Duration::minutes(50));
    pool.device_allocated_time = held(2, Duration::minutes(50));
    pool.cost = Money{20'000'000};
    result.control.pools = {pool};
    result.control.cost = pool.cost;
    using Outcome = control::Decision::Outcome;
    const auto at = [](int minute) { return Time::zero() + Duration::minutes(minute); };
    result.control.decisions = {
        about_pod({at(0), "scheduler", "chat-0", Outcome::changed, -1, 0, 0, "bound to gpu-0"}),
        {at(20), "hpa chat", "chat", Outcome::changed, 1, 4, 4, "in flight 160 over target 40"},
        about_pod({at(20), "scheduler", "chat-3", Outcome::blocked, -1, -1, -1,
                   "0/4 nodes are available"}),
        {at(30), "hpa chat", "chat", Outcome::unchanged, 4, 4, 4, "within tolerance"},
        {at(50), "hpa chat", "chat", Outcome::changed, 4, 2, 2, "2 wanted", "in flight 60 of 80"}};
    // The first pod of chat became an endpoint again.
    result.control.instance_pods = {{"chat-0", "chat-0", "chat-3"}, {"reranker-0"}};
    return run;
}

}  // namespace headroom::analysis
