/// A small rig for tests of the data plane: makes specs from a few numbers and runs simulations.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/control/scheduling_policy.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/cell.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "sim/serving/routing_policy.hpp"
#include "sim/simulation.hpp"
#include "traces/generators/closed_loop_source.hpp"
#include "traces/generators/generated_source.hpp"

namespace headroom::tests {

/// A policy's choice with some parameters other than their defaults.
template <class Interface>
PolicyChoice choose(const std::string& name,
                    const std::vector<std::pair<std::string, ParameterValue>>& values = {}) {
    const auto* entry = Registry<Interface>::instance().find(name);
    PolicyChoice choice{name, Parameters::defaults(entry->specs)};
    for (const auto& [key, value] : values) choice.parameters.set(key, value);
    return choice;
}

inline ParameterValue whole(std::int64_t value) {
    return ParameterValue{value};
}

/// The reference cases' closed form: 6.5 ms + 40 us P + 30 us D + 90 ns K + 6 ns A.
inline std::shared_ptr<const serving::LatencyModel> reference_latency() {
    return std::make_shared<serving::LinearLatency>(serving::LinearCoefficients{
        Duration::microseconds(6500), Duration::microseconds(40), Duration::microseconds(30),
        Duration::nanoseconds(90), Duration::nanoseconds(6)});
}

/// Yields a given list of requests.
class ListSource final : public serving::RequestSource {
  public:
    explicit ListSource(std::shared_ptr<const std::vector<serving::Arrival>> list)
        : list_(std::move(list)) {}
    OptionalTime peek() override {
        if (next_ == list_->size()) return std::nullopt;
        return (*list_)[next_].time;
    }
    serving::Arrival take() override { return (*list_)[next_++]; }

  private:
    std::shared_ptr<const std::vector<serving::Arrival>> list_;
    std::size_t next_ = 0;
};

inline serving::SourceSpec list_source(std::uint32_t service, std::vector<serving::Arrival> list) {
    auto shared = std::make_shared<const std::vector<serving::Arrival>>(std::move(list));
    return {"list", service,
            [shared](std::uint64_t) { return std::make_unique<ListSource>(shared); }};
}

inline serving::ServiceSpec llm_service(std::string name, PolicyChoice batching,
                                        std::int64_t kv_blocks) {
    serving::ServiceSpec service;
    service.name = std::move(name);
    service.routing = choose<serving::RoutingPolicy>("round-robin");
    serving::VersionSpec version;
    version.engine.llm = serving::LlmEngineSpec{};
    version.engine.llm->latency = reference_latency();
    version.engine.llm->batching = std::move(batching);
    version.engine.llm->kv_blocks = kv_blocks;
    service.versions.push_back(std::move(version));
    return service;
}

inline serving::ServiceSpec simple_service(std::string name, std::int64_t servers,
                                           Distribution service_time,
                                           std::int64_t queue_limit = -1) {
    serving::ServiceSpec service;
    service.name = std::move(name);
    service.routing = choose<serving::RoutingPolicy>("round-robin");
    serving::VersionSpec version;
    version.engine.simple =
        serving::SimpleEngineSpec{servers, std::move(service_time), queue_limit};
    service.versions.push_back(std::move(version));
    return service;
}

/// A workload of `replicas` one-core pods for a service, on a pool that has room for `room` of
/// them.
inline void add_workload(SimulationSpec& spec, std::uint32_t service, std::int64_t replicas,
                         std::int64_t room = 0) {
    control::WorkloadSpec workload;
    workload.name = spec.services[service].name;
    workload.service = service;
    workload.replicas = replicas;
    workload.pod.name = workload.name;
    workload.pod.requests.cpu = MilliCpu{1000};
    spec.control.workloads.push_back(workload);
    if (spec.control.pools.empty()) {
        spec.control.scheduling = choose<control::SchedulingPolicy>("kube-default");
        control::NodePoolSpec pool;
        pool.name = "pool";
        pool.node.name = "pool";
        pool.node.capacity.cpu = pool.node.allocatable.cpu = MilliCpu{100'000};
        pool.node.capacity.memory = pool.node.allocatable.memory = gibibytes(1000);
        pool.node.capacity.max_pods = pool.node.allocatable.max_pods = 1000;
        pool.count = 0;
        spec.control.pools.push_back(pool);
    }
    spec.control.pools[0].count += std::max(replicas, room) / 100 + 1;
}

/// Open loop: Poisson arrivals of so many requests a second; -1: without end.
inline serving::SourceSpec poisson_source(std::uint32_t service, double rate,
                                          std::int64_t requests = -1,
                                          traces::LengthModel prompt = {},
                                          traces::LengthModel output = {}) {
    return {"users", service, [=](std::uint64_t seed) {
                traces::GeneratedConfig config;
                config.name = "users";
                config.seed = seed;
                config.arrivals = make_policy<traces::ArrivalProcess>(
                    choose<traces::ArrivalProcess>("poisson", {{"rate", ParameterValue{rate}}}),
                    {traces::source_stream(seed, "users", "arrival")});
                config.prompt = prompt;
                config.output = output;
                if (requests >= 0) config.limit = requests;
                return std::make_unique<traces::GeneratedSource>(std::move(config));
            }};
}

/// Closed loop: `users` who think between requests; -1 requests: without end.
inline serving::SourceSpec closed_loop_source(std::uint32_t service, std::uint32_t users,
                                              Distribution think, std::int64_t requests = -1,
                                              traces::LengthModel prompt = {},
                                              traces::LengthModel output = {}) {
    return {"users", service, [=](std::uint64_t seed) {
                traces::ClosedLoopConfig config;
                config.name = "users";
                config.seed = seed;
                config.users = users;
                config.think = think;
                config.prompt = prompt;
                config.output = output;
                if (requests >= 0) config.limit = requests;
                return std::make_unique<traces::ClosedLoopSource>(std::move(config));
            }};
}

inline serving::Arrival arrival_at(Duration after_start, std::int64_t prompt = 1,
                                   std::int64_t output = 1) {
    serving::Arrival arrival;
    arrival.time = Time::zero() + after_start;
    arrival.prompt = Tokens{prompt};
    arrival.output = Tokens{output};
    return arrival;
}

/// One cell without a control plane: the test itself adds, drains and kills instances. Fill `specs`
/// and `sources`, then start().
struct CellRig {
    std::vector<serving::ServiceSpec> specs;
    std::vector<serving::SourceSpec> sources;
    serving::CellConfig config{1, Time::zero(), false, true};
    std::unique_ptr<serving::Cell> cell;

    void start() {
        std::vector<std::uint32_t> services;
        for (std::uint32_t i = 0; i < specs.size(); ++i) services.push_back(i);
        cell = std::make_unique<serving::Cell>(config, specs, sources, services);
    }
    void add(Time now, std::uint32_t service, std::uint32_t ordinal,
             std::uint32_t version = 0) const {
        cell->add_instance(now, {service, ordinal}, version, serving::kNominalSpeed);
    }
    /// Runs the events before `limit`; notifications stay in the cell.
    void run(Time limit) const {
        while (!cell->idle() && cell->next_key().time < limit) cell->run_next();
    }
    void run_to_the_end() const { run(Time::max()); }
    /// Rows by request, then by service.
    [[nodiscard]] std::vector<serving::RequestRow> rows() const {
        std::vector<serving::RequestRow> rows = cell->rows();
        std::sort(rows.begin(), rows.end(),
                  [](const serving::RequestRow& a, const serving::RequestRow& b) {
                      return std::tie(a.source, a.id, a.service) <
                             std::tie(b.source, b.id, b.service);
                  });
        return rows;
    }
};

/// The first field in which two services' figures differ, by name; empty where all are equal.
inline std::string first_difference(const serving::ServiceStats& a,
                                    const serving::ServiceStats& b) {
    const std::pair<const char*, bool> fields[] = {
        {"requests", a.requests == b.requests},
        {"calls", a.calls == b.calls},
        {"attempts", a.attempts == b.attempts},
        {"causes", a.causes == b.causes},
        {"queue", a.queue == b.queue},
        {"ttft", a.ttft == b.ttft},
        {"tpot", a.tpot == b.tpot},
        {"itl", a.itl == b.itl},
        {"e2e", a.e2e == b.e2e},
        {"prompt_tokens", a.prompt_tokens == b.prompt_tokens},
        {"output_tokens", a.output_tokens == b.output_tokens},
        {"measured_completed", a.measured_completed == b.measured_completed},
        {"preemptions", a.preemptions == b.preemptions},
        {"prefix_query_tokens", a.prefix_query_tokens == b.prefix_query_tokens},
        {"prefix_hit_tokens", a.prefix_hit_tokens == b.prefix_hit_tokens},
        {"host_hit_tokens", a.host_hit_tokens == b.host_hit_tokens},
        {"swaps", a.swaps == b.swaps},
        {"drafted_tokens", a.drafted_tokens == b.drafted_tokens},
        {"accepted_tokens", a.accepted_tokens == b.accepted_tokens},
        {"kv_transferred_bytes", a.kv_transferred_bytes == b.kv_transferred_bytes},
        {"adapter_loads", a.adapter_loads == b.adapter_loads},
        {"executions", a.executions == b.executions},
        {"executed_requests", a.executed_requests == b.executed_requests},
        {"slo_good", a.slo_good == b.slo_good},
        {"slo_missed", a.slo_missed == b.slo_missed},
        {"busy", a.busy == b.busy},
        {"kv_block_time", a.kv_block_time == b.kv_block_time},
        {"kv_capacity_time", a.kv_capacity_time == b.kv_capacity_time},
        {"instance_time", a.instance_time == b.instance_time},
        {"in_system", a.in_system == b.in_system},
        {"sojourn", a.sojourn == b.sojourn},
        {"last_arrival", a.last_arrival == b.last_arrival},
        {"backlog level", a.backlog.level() == b.backlog.level()},
        {"backlog total", a.backlog.total() == b.backlog.total()},
    };
    for (const auto& [name, equal] : fields) {
        if (!equal) return name;
    }
    return "";
}

/// Preemptions of a service, as the rows of its requests tell them.
inline std::int64_t preemptions_of(const std::vector<serving::RequestRow>& rows,
                                   std::uint32_t service) {
    std::int64_t sum = 0;
    for (const serving::RequestRow& row : rows) {
        if (row.service == service) sum += row.preemptions;
    }
    return sum;
}

/// What is wrong with the books of one finished service, empty when they balance: conservation at
/// each level, causes for all that did not complete, and Little's law in integers.
inline std::string imbalance(const serving::ServiceStats& stats) {
    using serving::Outcome;
    for (const auto& [name, counts] :
         {std::pair{"requests", &stats.requests}, std::pair{"calls", &stats.calls},
          std::pair{"attempts", &stats.attempts}}) {
        if (counts->in_flight() < 0) return std::string(name) + ": more ended than arrived";
    }
    std::int64_t causes = 0;
    for (const std::int64_t n : stats.causes) causes += n;
    const std::int64_t bad = stats.calls.ended() - stats.calls.of(Outcome::completed);
    if (causes != bad) return "causes do not add up to the calls that did not complete";
    if (stats.backlog.level() != stats.calls.in_flight()) return "backlog is not what is in flight";
    if (stats.attempts.of(Outcome::completed) < stats.calls.of(Outcome::completed)) {
        return "a call completed without an attempt";
    }
    if (stats.attempts.in_flight() > stats.calls.in_flight()) return "an attempt without a call";
    if (!(stats.in_system == stats.sojourn)) return "Little's law";
    return "";
}

}  // namespace headroom::tests
