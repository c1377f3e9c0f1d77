// Each registered scheduling, scaling and arrival policy, by enumeration: in a named small scenario
// it gives a digest of its own, other than the plainest rule's and any of its fellows'.
#include <map>
#include <string>

#include "policies/scheduling/profiles/default_filters.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/property/policies/test_policies.hpp"
#include "tests/rig.hpp"
#include "traces/generators/arrival_process.hpp"

namespace headroom::tests {
namespace {

/// The base of scheduling: the first node that can take the pod.
class FirstNodeScore final : public control::ScorePlugin {
  public:
    FirstNodeScore(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] std::int64_t score(const control::SchedulingContext&,
                                     cluster::NodeId node) const override {
        return 100 - static_cast<std::int64_t>(node.index);
    }
};
REGISTER_POLICY(control::ScorePlugin, FirstNodeScore, "test-first-node", "for tests");

class FirstNode final : public control::SchedulingPolicy {
  public:
    FirstNode(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] control::SchedulingProfile profile() const override {
        return {.filters = policies::default_filters(),
                .scores = {{"test-first-node", 1}},
                .percentage_of_nodes_to_score = 100};
    }
};
REGISTER_POLICY(control::SchedulingPolicy, FirstNode, "test-first-node", "for tests");

void add_pool(SimulationSpec& spec, const std::string& name, std::int64_t count, std::int64_t cores,
              std::int64_t memory) {
    control::NodePoolSpec pool;
    pool.name = pool.node.name = name;
    pool.count = count;
    pool.zones = {"zone-a", "zone-b", "zone-c"};
    pool.node.capacity.cpu = pool.node.allocatable.cpu = MilliCpu{1000 * cores};
    pool.node.capacity.memory = pool.node.allocatable.memory = gibibytes(memory);
    pool.node.capacity.max_pods = pool.node.allocatable.max_pods = 100;
    spec.control.pools.push_back(pool);
}

/// "mixed-fleet": two workloads of unlike pods come cold onto nodes of three sizes in three zones,
/// and a node is lost.
SimulationSpec mixed_fleet(PolicyChoice scheduling) {
    SimulationSpec spec;
    spec.name = "mixed-fleet";
    spec.end = Time::zero() + Duration::minutes(5);
    spec.control.scheduling = std::move(scheduling);
    spec.control.initial = control::InitialState::cold;
    add_pool(spec, "small", 4, 4, 64);
    add_pool(spec, "large", 3, 32, 64);
    add_pool(spec, "roomy", 2, 8, 512);
    for (std::uint32_t i = 0; i < 2; ++i) {
        spec.services.push_back(
            simple_service(i == 0 ? "web" : "batch", 4, Distribution::exponential(0.1)));
        spec.sources.push_back(poisson_source(i, 5));
        spec.sources.back().name = i == 0 ? "users" : "jobs";
        add_workload(spec, i, 5 + i);
        spec.control.workloads[i].pod.requests.memory = gibibytes(i == 0 ? 2 : 20);
    }
    spec.control.pools[0].count = 4;  // add_workload made room in the first pool
    spec.control.faults.push_back({.at = Time::zero() + Duration::minutes(2),
                                   .kind = control::FaultSpec::Kind::lose_node,
                                   .target = "large-0"});
    return spec;
}

/// "surge": a service of which the load is three times as high in the first ten minutes.
SimulationSpec surge(std::optional<PolicyChoice> scaling) {
    SimulationSpec spec;
    spec.name = "surge";
    spec.end = Time::zero() + Duration::minutes(20);
    spec.control.start_unix_s = 0;
    spec.services.push_back(simple_service("web", 1, Distribution::exponential(0.5)));
    spec.sources.push_back(poisson_source(0, 2));
    spec.sources.push_back(poisson_source(0, 4, 2400));
    spec.sources[1].name = "surge";
    add_workload(spec, 0, 4, 100);
    if (scaling) spec.control.workloads[0].autoscaler = control::AutoscalerSpec{*scaling, {}};
    return spec;
}

std::string digest_of(const SimulationSpec& spec) {
    const SimulationResult result = Simulation(spec).run({});
    for (const ServiceResult& service : result.services) {
        CHECK(imbalance(service.stats) == "");
        CHECK(service.stats.requests.of(serving::Outcome::completed) > 0);
    }
    return result.digest.hex();
}

/// Adds what `name` gave; no two may be equal.
void add_unlike(std::map<std::string, std::string>& seen, const std::string& digest,
                const std::string& name) {
    const auto [entry, fresh] = seen.emplace(digest, name);
    INFO(name << " gives the digest of " << entry->second);
    CHECK(fresh);
}

}  // namespace

TEST_CASE("Scheduling policies: each gives mixed-fleet a digest of its own") {
    std::map<std::string, std::string> seen;
    for (const auto& [name, entry] : Registry<control::SchedulingPolicy>::instance().entries()) {
        if (for_tests(name) && name != "test-first-node") continue;
        const auto choice = choose<control::SchedulingPolicy>(name);
        const std::string digest = digest_of(mixed_fleet(choice));
        CHECK(digest_of(mixed_fleet(choice)) == digest);
        add_unlike(seen, digest, name);
    }
    CHECK(seen.size() >= 5);
}

TEST_CASE("Scaling policies: each gives surge a digest of its own") {
    std::map<std::string, std::string> seen;
    add_unlike(seen, digest_of(surge(std::nullopt)), "no autoscaler");
    for (const auto& [name, entry] : Registry<control::ScalingPolicy>::instance().entries()) {
        if (for_tests(name)) continue;
        const auto choice = choose_complete<control::ScalingPolicy>(name);
        add_unlike(seen, digest_of(surge(choice)), name);
    }
    CHECK(seen.size() >= 3);
}

TEST_CASE("Arrival processes: each gives its own digest, at the same rate of 20 a second") {
    using traces::ArrivalProcess;
    std::map<std::string, std::string> seen;
    for (const auto& [name, entry] : Registry<ArrivalProcess>::instance().entries()) {
        if (for_tests(name)) continue;
        PolicyChoice choice = choose<ArrivalProcess>(name);
        for (const ParameterSpec& spec : entry.specs) {
            if (spec.name == "rate") {
                choice.parameters.set(spec.name, {20.0});
            } else if (spec.name == "cv" && !choice.parameters.given("gaps")) {
                choice.parameters.set(spec.name, {2.0});
            } else if (spec.name == "steps") {
                Parameters step;
                step.set("at", {Duration::zero()});
                step.set("rate", {20.0});
                Parameters next = step;
                next.set("at", {Duration::seconds(30)});
                next.set("rate", {10.0});
                const ParameterValue::List steps = {{std::make_shared<const Parameters>(step)},
                                                    {std::make_shared<const Parameters>(next)}};
                choice.parameters.set(spec.name,
                                      {std::make_shared<const ParameterValue::List>(steps)});
            }
        }
        complete(choice.parameters, entry.specs);
        SimulationSpec spec;
        spec.name = "arrivals";
        spec.end = Time::zero() + Duration::minutes(10);
        spec.services.push_back(simple_service("web", 4, Distribution::exponential(0.1)));
        spec.sources.push_back({"users", 0, [choice](std::uint64_t seed) {
                                    traces::GeneratedConfig config;
                                    config.name = "users";
                                    config.seed = seed;
                                    config.arrivals = make_policy<ArrivalProcess>(
                                        choice, {traces::source_stream(seed, "users", "arrival")});
                                    return std::make_unique<traces::GeneratedSource>(
                                        std::move(config));
                                }});
        add_workload(spec, 0, 1);
        INFO(name);
        add_unlike(seen, digest_of(spec), name);
    }
    CHECK(seen.size() >= 7);
}

}  // namespace headroom::tests
