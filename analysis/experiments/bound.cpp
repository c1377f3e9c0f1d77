#include "analysis/experiments/bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/serving/latency/batch_latency.hpp"

namespace headroom::analysis {

namespace {

/// No cluster has more; a search for replicas ends here.
constexpr std::int64_t kMostReplicas = 1'000'000;
/// Of requests within the SLO, where nothing else is asked for.
constexpr double kDefaultQuantile = 0.99;
constexpr double kUnbounded = std::numeric_limits<double>::infinity();

double mean_speed(const control::WorkloadSpec& workload, std::int64_t replicas) {
    if (workload.speed_by_rank.empty() || replicas < 1) return 1;
    double sum = 0;
    for (std::int64_t i = 0; i < replicas; ++i) {
        sum += workload.speed_by_rank[static_cast<std::size_t>(i) % workload.speed_by_rank.size()];
    }
    return sum / static_cast<double>(replicas);
}

/// The share of the service's requests that this version gets. Pools for prefill and decode get
/// them all.
double share_of(const serving::ServiceSpec& service, std::uint32_t version) {
    if (service.kv_transfer) return 1;
    double sum = 0;
    for (const serving::VersionSpec& each : service.versions) {
        sum += static_cast<double>(each.weight);
    }
    return static_cast<double>(service.versions[version].weight) / sum;
}

OfferedLoad share_load(OfferedLoad load, double share) {
    load.mean_rate *= share;
    load.peak_rate *= share;
    load.users *= share;
    // A stream from which each request is taken with probability p: c^2 becomes 1 + p (c^2 - 1).
    if (share < 1 && load.gap_cv != 1) {
        load.gap_cv = std::sqrt(1 + share * (load.gap_cv * load.gap_cv - 1));
    }
    return load;
}

std::optional<std::int64_t> integer_of(const Parameters& parameters, const char* name) {
    const ParameterValue* value = parameters.find(name);
    if (value == nullptr || !std::holds_alternative<std::int64_t>(value->data)) return std::nullopt;
    return std::get<std::int64_t>(value->data);
}

void set_replicas(const control::WorkloadSpec& workload, VersionBound& v) {
    v.replicas = v.min_replicas = v.max_replicas = workload.replicas;
    v.gpus_per_replica = static_cast<double>(workload.pod.devices.count) *
                         static_cast<double>(workload.pod.devices.milli_each.count()) / 1000;
    if (!workload.autoscaler) return;
    const Parameters& parameters = workload.autoscaler->policy.parameters;
    v.autoscaler = workload.autoscaler->policy.name;
    if (const auto fixed = integer_of(parameters, "replicas")) {
        v.min_replicas = v.max_replicas = *fixed;
    }
    v.max_replicas = integer_of(parameters, "max_replicas").value_or(v.max_replicas);
    v.min_replicas = integer_of(parameters, "min_replicas").value_or(v.min_replicas);
    v.min_replicas = std::min(v.min_replicas, v.max_replicas);
}

// ---------------------------------------------------------------- targets

ServerQueue queue_at(const serving::SimpleEngineSpec& engine, double rate, double gap_cv,
                     std::int64_t replicas, double speed) {
    return {.rate = rate,
            .servers = engine.servers * replicas,
            .service_s = engine.service_time.mean() / speed,
            .arrival_cv = gap_cv,
            .service_cv = engine.service_time.cv()};
}

/// The same with its waiting room; the replicas' rooms are one.
LimitedQueue limited_at(const serving::SimpleEngineSpec& engine, const ServerQueue& queue,
                        std::int64_t replicas) {
    return {queue, engine.queue_limit * replicas};
}

/// Whether there is a formula for the target in a queue that is not full.
bool has_formula(const serving::SimpleEngineSpec& engine, const Target& target, double gap_cv) {
    if (target.kind == Target::Kind::tpot) return false;
    if (engine.queue_limit < 0) return true;
    if (target.kind == Target::Kind::mean_response || target.kind == Target::Kind::mean_wait) {
        return true;
    }
    // Any number of replicas stands for all: two have no M/G/1/K.
    return limited_at(engine, queue_at(engine, 0, gap_cv, 2, 1), 2).has_quantiles();
}

bool is_upper(scenarios::Comparison comparison) {
    return comparison == scenarios::Comparison::less ||
           comparison == scenarios::Comparison::less_equal;
}

/// "p99" is 0.99, "mean" 0.
std::optional<double> quantile_named(std::string_view name) {
    struct Named {
        std::string_view name;
        double q;
    };
    for (const Named& each : {Named{"mean", 0}, Named{"p50", 0.5}, Named{"p90", 0.9},
                              Named{"p95", 0.95}, Named{"p99", 0.99}}) {
        if (each.name == name) return each.q;
    }
    return std::nullopt;
}

/// What one expectation asks of a service, if it is about it. `path` is below the service.
std::optional<Target> target_of(const scenarios::Expectation& expectation, std::string_view path,
                                const serving::SloSpec& slo) {
    Target target;
    target.text = expectation.text;
    target.of_all = path == "slo.attainment";
    if (path == "slo.attainment" && !is_upper(expectation.comparison)) {
        target.quantile = expectation.bound;
        if (slo.e2e && !slo.ttft && !slo.tpot) {
            target.limit_s = slo.e2e->to_seconds();
            return target;
        }
        return std::nullopt;
    }
    if (!is_upper(expectation.comparison)) return std::nullopt;
    target.limit_s = expectation.bound;
    const std::size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto q = quantile_named(path.substr(dot + 1));
    if (!q) return std::nullopt;
    target.quantile = *q;
    const std::string_view metric = path.substr(0, dot);
    if (metric == "latency.e2e_s") {
        target.kind = *q > 0 ? Target::Kind::response : Target::Kind::mean_response;
    } else if (metric == "latency.queue_s") {
        target.kind = *q > 0 ? Target::Kind::wait : Target::Kind::mean_wait;
    } else if (metric == "latency.tpot_s") {
        target.kind = Target::Kind::tpot;
    } else {
        return std::nullopt;
    }
    return target;
}

/// The first expectation that a formula can answer for this kind of engine, else the SLO.
std::optional<Target> find_target(const scenarios::Scenario& scenario, const VersionBound& v) {
    const serving::ServiceSpec& service = scenario.spec.services[v.service];
    const std::string own = "services." + service.name + ".";
    const bool whole_run = scenario.spec.services.size() == 1;
    const auto answers = [&](const Target& target) {
        if (v.engine == EngineKind::llm) return target.kind == Target::Kind::tpot;
        const auto& simple = service.versions[v.version].engine.simple;
        return simple && has_formula(*simple, target, v.load.gap_cv);
    };
    for (const scenarios::Expectation& expectation : scenario.expectations) {
        if (expectation.when != scenarios::Expectation::When::whole_run) continue;
        std::string_view path = expectation.metric;
        if (path.substr(0, own.size()) == own) {
            path.remove_prefix(own.size());
        } else if (!whole_run) {
            continue;
        }
        auto target = target_of(expectation, path, service.slo);
        if (target && answers(*target)) return target;
    }
    if (v.engine == EngineKind::simple && service.slo.e2e) {
        const Target target{
            Target::Kind::response, kDefaultQuantile, service.slo.e2e->to_seconds(), true, {}};
        if (answers(target)) return target;
    }
    if (v.engine == EngineKind::llm && service.slo.tpot) {
        return Target{Target::Kind::tpot, 0, service.slo.tpot->to_seconds(), false, {}};
    }
    return std::nullopt;
}

// ---------------------------------------------------------------- engines

bool meets(const ServerQueue& queue, const Target& target, const Distribution& service) {
    switch (target.kind) {
        case Target::Kind::mean_response:
            return queue.mean_response_s() <= target.limit_s;
        case Target::Kind::mean_wait:
            return queue.mean_wait_s() <= target.limit_s;
        case Target::Kind::response:
            return queue.responds_within(target.limit_s, service) >= target.quantile;
        case Target::Kind::wait:
            return queue.waits_within(target.limit_s) >= target.quantile;
        case Target::Kind::tpot:
            break;
    }
    return false;
}

bool meets(const LimitedQueue& limited, const Target& target, const Distribution& service) {
    const LimitedFigures figures = limited.figures(service);
    switch (target.kind) {
        case Target::Kind::mean_response:
            return figures.mean_wait_s + limited.queue.service_s <= target.limit_s;
        case Target::Kind::mean_wait:
            return figures.mean_wait_s <= target.limit_s;
        case Target::Kind::response:
            return (target.of_all ? 1 - figures.blocked : 1) *
                       limited.responds_within(target.limit_s, service) >=
                   target.quantile;
        case Target::Kind::wait:
            return limited.waits_within(target.limit_s) >= target.quantile;
        case Target::Kind::tpot:
            break;
    }
    return false;
}

SimpleFigures simple_figures(const serving::SimpleEngineSpec& engine, const ServerQueue& queue,
                             std::int64_t replicas) {
    SimpleFigures out;
    out.queue = queue;
    if (engine.queue_limit < 0) {
        out.formula = queue.formula();
        out.exact = queue.exact();
        out.mean_wait_s = queue.mean_wait_s();
        out.wait_p99_s = queue.wait_quantile_s(kDefaultQuantile);
        out.response_p99_s = queue.response_quantile_s(kDefaultQuantile, engine.service_time);
        return out;
    }
    const LimitedQueue limited = limited_at(engine, queue, replicas);
    const LimitedFigures figures = limited.figures(engine.service_time);
    out.waiting_room = limited.waiting;
    out.formula = limited.formula();
    out.exact = limited.exact();
    out.blocked = figures.blocked;
    out.mean_wait_s = figures.mean_wait_s;
    out.wait_p99_s = out.response_p99_s = kUnbounded;
    return out;
}

void add_simple(const serving::SimpleEngineSpec& engine, double speed, VersionBound& v) {
    const double service_s = engine.service_time.mean() / speed;
    v.capacity_rps = service_s > 0 ? static_cast<double>(engine.servers) / service_s : kUnbounded;
    if (!(service_s > 0) || v.load.closed()) return;
    const std::int64_t replicas = std::max<std::int64_t>(1, v.at.front().replicas);
    v.simple = simple_figures(
        engine, queue_at(engine, v.load.mean_rate, v.load.gap_cv, replicas, speed), replicas);
    if (!v.target) return;
    const std::int64_t least = least_that(kMostReplicas, [&](std::int64_t n) {
        const auto queue = queue_at(engine, v.load.peak_rate, v.load.gap_cv, n, speed);
        if (!queue.stable()) return false;
        return engine.queue_limit < 0
                   ? meets(queue, *v.target, engine.service_time)
                   : meets(limited_at(engine, queue, n), *v.target, engine.service_time);
    });
    if (least <= kMostReplicas) v.for_target = least;
}

/// The rate at which users come round in an LLM service: N = rate (think + prompt + tokens at the
/// pace of that rate).
double balanced_rate(const LlmCapacity& capacity, const VersionBound& v, double replicas) {
    double low = 0;
    double high = capacity.most().requests_per_s * replicas;
    const auto users = [&](double rate) {
        const LlmOperation each = capacity.at(rate / replicas);
        const double answer =
            capacity.lone_prefill_s() + (capacity.mean_output() - 1) * each.iteration_s;
        return rate * (v.load.think_s + answer);
    };
    if (users(high) <= v.load.users) return high;
    constexpr int kHalvings = 50;
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = 0.5 * (low + high);
        (users(middle) < v.load.users ? low : high) = middle;
    }
    return high;
}

void add_llm(const serving::LlmEngineSpec& engine, double speed, VersionBound& v) {
    if (v.load.lengths.points.empty()) return;
    const LlmCapacity capacity(engine, v.load.lengths, speed);
    LlmFigures out;
    out.most = capacity.most();
    out.limit = capacity.limit();
    out.max_num_seqs = capacity.max_num_seqs();
    out.kv_sequences = capacity.kv_sequences();
    out.mean_prompt = capacity.mean_prompt();
    out.mean_output = capacity.mean_output();
    out.refused = capacity.refused();
    out.decode_tokens_per_s = capacity.decode_tokens_per_s();
    out.prefill_tokens_per_s = capacity.prefill_tokens_per_s();
    out.lone_prefill_s = capacity.lone_prefill_s();
    out.role = engine.role;
    v.capacity_rps = out.most.requests_per_s;
    const auto replicas = static_cast<double>(std::max<std::int64_t>(1, v.at.front().replicas));
    double closed = 0;
    if (v.load.closed()) {
        v.closed = closed_bounds(v.load.users, v.load.think_s, capacity.lone_request_s(),
                                 1 / (v.capacity_rps * replicas));
        closed = v.closed_rate = balanced_rate(capacity, v, replicas);
    }
    if (v.target) {
        out.within_tpot = capacity.within(v.target->limit_s);
        v.tpot_capacity_rps = out.within_tpot->requests_per_s;
    }
    out.now = capacity.at((v.load.mean_rate + closed) / replicas);
    out.peak = capacity.at((v.load.peak_rate + closed) / replicas);
    v.llm = out;
}

void add_dynamic(const serving::DynamicEngineSpec& engine, double speed, VersionBound& v) {
    DynamicFigures out;
    out.max_batch_size = engine.max_batch_size;
    out.instances = engine.instances;
    out.full_batch_s = engine.latency->at(engine.max_batch_size).to_seconds() / speed;
    out.single_s = engine.latency->at(1).to_seconds() / speed;
    // A batch below the largest may be faster by the item; what waits is taken whole, though.
    v.capacity_rps =
        static_cast<double>(engine.instances * engine.max_batch_size) / out.full_batch_s;
    v.dynamic = out;
}

// ---------------------------------------------------------------- one version

/// The rate that a closed loop adds to what is known, at most.
void close_loop(VersionBound& v, double service_s) {
    if (!v.load.closed()) return;
    const auto replicas = static_cast<double>(std::max<std::int64_t>(1, v.at.front().replicas));
    if (!v.closed && v.capacity_rps > 0) {
        v.closed =
            closed_bounds(v.load.users, v.load.think_s, service_s, 1 / (v.capacity_rps * replicas));
    }
    if (!v.closed) return;
    if (!(v.closed_rate > 0)) v.closed_rate = v.closed->rate;
    v.load.mean_rate += v.closed_rate;
    v.load.peak_rate += v.closed_rate;
}

/// Fewest replicas that serve `rate` and stay below all they can do.
std::optional<std::int64_t> replicas_for(double rate, double capacity) {
    if (!(capacity > 0)) return std::nullopt;
    if (!(rate > 0) || std::isinf(capacity)) return rate > 0 ? 1 : 0;
    const double needed = rate / capacity;
    const double rounded = std::floor(needed);
    if (needed >= static_cast<double>(kMostReplicas)) return std::nullopt;
    return static_cast<std::int64_t>(rounded) + 1;
}

void fill_at(VersionBound& v) {
    for (AtReplicas& at : v.at) {
        const double capacity = v.capacity_rps * static_cast<double>(at.replicas);
        const auto of = [&](double rate) {
            if (!(rate > 0)) return 0.0;
            return capacity > 0 ? rate / capacity : kUnbounded;
        };
        at.utilisation = of(v.load.mean_rate);
        at.peak_utilisation = of(v.load.peak_rate);
        at.headroom = v.load.peak_rate > 0 ? capacity / v.load.peak_rate : kUnbounded;
    }
}

VersionBound bound_version(const scenarios::Scenario& scenario,
                           const control::WorkloadSpec& workload, const OfferedLoad& load) {
    const serving::ServiceSpec& service = scenario.spec.services[workload.service];
    VersionBound v;
    v.service = workload.service;
    v.version = workload.version;
    v.alone = service.versions.size() == 1;
    const serving::VersionSpec& version = service.versions[workload.version];
    v.name = v.alone ? service.name : service.name + "/" + version.name;
    v.load = share_load(load, share_of(service, workload.version));
    set_replicas(workload, v);
    v.at.push_back({v.min_replicas});
    if (v.max_replicas != v.min_replicas) v.at.push_back({v.max_replicas});
    const double speed = mean_speed(workload, std::max(v.max_replicas, std::int64_t{1}));
    double lone_s = 0;
    if (version.engine.llm) {
        v.engine = EngineKind::llm;
        v.target = find_target(scenario, v);
        add_llm(*version.engine.llm, speed, v);
    } else if (version.engine.dynamic) {
        v.engine = EngineKind::dynamic;
        add_dynamic(*version.engine.dynamic, speed, v);
        lone_s = v.dynamic->single_s;
    } else if (version.engine.simple) {
        v.target = find_target(scenario, v);
        add_simple(*version.engine.simple, speed, v);
        lone_s = version.engine.simple->service_time.mean() / speed;
    }
    close_loop(v, lone_s);
    // A closed loop never asks for more than is there, so replicas do not follow from it.
    if (!v.load.closed()) {
        v.for_mean = replicas_for(v.load.mean_rate, v.capacity_rps);
        v.for_peak = replicas_for(v.load.peak_rate, v.capacity_rps);
        if (v.engine == EngineKind::llm && v.target) {
            v.for_target = replicas_for(v.load.peak_rate, v.tpot_capacity_rps);
        }
    }
    fill_at(v);
    return v;
}

PoolGpus count_gpus(const scenarios::Scenario& scenario,
                    const std::vector<VersionBound>& versions) {
    PoolGpus gpus;
    for (const control::NodePoolSpec& pool : scenario.spec.control.pools) {
        gpus.held += pool.count * static_cast<std::int64_t>(pool.node.devices.size());
    }
    for (const VersionBound& v : versions) {
        gpus.needed += static_cast<double>(v.max_replicas) * v.gpus_per_replica;
        gpus.for_peak += static_cast<double>(v.for_peak.value_or(0)) * v.gpus_per_replica;
    }
    return gpus;
}

}  // namespace

Bound make_bound(const scenarios::Scenario& scenario) {
    Bound bound;
    const OfferedLoads loads = offered_loads(scenario);
    bound.span_s = loads.span_s;
    bound.error = loads.error;
    for (const control::WorkloadSpec& workload : scenario.spec.control.workloads) {
        bound.versions.push_back(
            bound_version(scenario, workload, loads.services[workload.service]));
    }
    bound.gpus = count_gpus(scenario, bound.versions);
    return bound;
}

}  // namespace headroom::analysis
