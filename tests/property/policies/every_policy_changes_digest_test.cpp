// Each registered routing and batching policy, by enumeration: in a named small scenario it gives
// another digest than the plainest rule there is (so it is reached and does something), and it
// loses no request.
#include <string>

#include "tests/catch.hpp"
#include "tests/property/policies/test_policies.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

/// The base of routing: always the first endpoint.
class FirstEndpoint final : public serving::RoutingPolicy {
  public:
    FirstEndpoint(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    std::int64_t pick(const serving::RouterView&, const serving::RoutedRequest&) override {
        return 0;
    }
};
REGISTER_POLICY(serving::RoutingPolicy, FirstEndpoint, "test-first-endpoint", "for tests");

/// The base of batching: one request at a time, prompt and output.
class OneAtATime final : public serving::BatchingPolicy {
  public:
    OneAtATime(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    void plan_next_step(const serving::BatchView& view, serving::StepPlan& plan) override {
        if (view.running() > 0) {
            plan.decode = serving::StepPlan::Decode::all;
            plan.repeatable = true;
            plan.arrivals_matter = false;
        } else if (view.waiting() > 0) {
            const std::int64_t prompt = view.waiting_at(0).known;
            plan.chunks.push_back({0, prompt, prompt, true});
        }
    }
};
REGISTER_POLICY(serving::BatchingPolicy, OneAtATime, "test-one-at-a-time", "for tests");

/// "burst-and-drizzle": two bursts with a drizzle of requests after each, of sessions and lengths
/// that repeat, on three instances with little KV cache.
SimulationSpec burst_and_drizzle(PolicyChoice routing, PolicyChoice batching) {
    SimulationSpec spec;
    spec.name = "burst-and-drizzle";
    spec.drain = true;
    spec.services.push_back(llm_service("llm", std::move(batching), 40));
    spec.services[0].routing = std::move(routing);
    std::vector<serving::Arrival> arrivals;
    for (const std::int64_t start_ms : {0, 3000}) {
        for (std::int64_t i = 0; i < 40; ++i) {
            const std::int64_t at_ms = start_ms + (i < 25 ? i / 5 : 40 * (i - 20));
            serving::Arrival arrival =
                arrival_at(Duration::milliseconds(at_ms), 20 + 37 * i % 150, 1 + 23 * i % 60);
            arrival.attributes.session = static_cast<std::uint32_t>(1 + i % 7);
            arrival.attributes.tenant = static_cast<std::uint32_t>(i % 3);
            arrival.attributes.priority = static_cast<std::int32_t>(i % 2);
            arrivals.push_back(arrival);
        }
    }
    spec.sources.push_back(list_source(0, std::move(arrivals)));
    add_workload(spec, 0, 3);
    return spec;
}

SimulationResult run_whole(const SimulationSpec& spec) {
    const SimulationResult result = Simulation(spec).run({});
    const serving::ServiceStats& stats = result.services[0].stats;
    CHECK(imbalance(stats) == "");
    CHECK(stats.requests.arrived == 80);
    CHECK(stats.requests.in_flight() == 0);
    CHECK(stats.requests.of(serving::Outcome::completed) == 80);
    return result;
}

}  // namespace

TEST_CASE("Routing policies: each changes the digest of burst-and-drizzle and loses no request") {
    const auto batching = choose<serving::BatchingPolicy>("test-one-at-a-time");
    const auto digest_of = [&](const std::string& routing) {
        INFO(routing);
        return run_whole(
                   burst_and_drizzle(choose_complete<serving::RoutingPolicy>(routing), batching))
            .digest.hex();
    };
    const std::string base = digest_of("test-first-endpoint");
    CHECK(digest_of("test-first-endpoint") == base);
    int tried = 0;
    for (const auto& [name, entry] : Registry<serving::RoutingPolicy>::instance().entries()) {
        if (for_tests(name)) continue;
        INFO(name);
        CHECK(digest_of(name) != base);
        ++tried;
    }
    CHECK(tried >= 9);
}

TEST_CASE("Batching policies: each changes the digest of burst-and-drizzle and loses no request") {
    const auto routing = choose<serving::RoutingPolicy>("test-first-endpoint");
    const auto digest_of = [&](const std::string& batching) {
        INFO(batching);
        PolicyChoice choice = choose_complete<serving::BatchingPolicy>(batching);
        // What a policy reserves per request must fit into the little cache more than once.
        if (choice.parameters.given("reserve_tokens")) {
            choice.parameters.set("reserve_tokens", whole(256));
        }
        return run_whole(burst_and_drizzle(routing, choice)).digest.hex();
    };
    const std::string base = digest_of("test-one-at-a-time");
    CHECK(digest_of("test-one-at-a-time") == base);
    int tried = 0;
    for (const auto& [name, entry] : Registry<serving::BatchingPolicy>::instance().entries()) {
        if (for_tests(name)) continue;
        INFO(name);
        CHECK(digest_of(name) != base);
        ++tried;
    }
    CHECK(tried >= 5);
}

}  // namespace headroom::tests
