// What the versions of a service show adds up to what the service shows, at any time, whatever
// happens to requests and instances.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/rig.hpp"
#include "tests/scale.hpp"

namespace headroom::tests {
namespace {

using serving::GatewaySpec;
using serving::InstanceKey;
using serving::ServiceLoad;
using serving::ServiceSpec;

ServiceSpec random_split(Draws& draws, const std::string& name) {
    ServiceSpec service = simple_service(name, draws.between(1, 3), Distribution::exponential(0.1),
                                         draws.one_in(3) ? 4 : -1);
    service.versions.resize(static_cast<std::size_t>(draws.between(1, 4)), service.versions[0]);
    for (std::size_t i = 0; i < service.versions.size(); ++i) {
        service.versions[i].name = "v" + std::to_string(i);
        service.versions[i].weight = i == 0 ? 10 : draws.below(4) * 10;
    }
    GatewaySpec& gateway = service.gateway;
    gateway.max_attempts = draws.between(1, 3);
    if (draws.one_in(2)) gateway.timeout = Duration::milliseconds(draws.between(50, 2000));
    if (draws.one_in(2)) gateway.queue_limit = draws.between(0, 20);
    if (draws.one_in(2)) gateway.max_in_flight_per_instance = draws.between(1, 4);
    if (draws.one_in(3)) service.front_end_delay = Duration::milliseconds(20);
    return service;
}

void check_sums(const CellRig& rig, Time now) {
    for (std::uint32_t s = 0; s < rig.specs.size(); ++s) {
        const ServiceLoad whole = rig.cell->service_load(now, s);
        ServiceLoad sum;
        for (std::uint32_t v = 0; v < rig.specs[s].versions.size(); ++v) {
            const ServiceLoad part = rig.cell->service_load(now, s, v);
            REQUIRE(part.gateway_queue >= 0);
            REQUIRE(part.in_flight >= part.gateway_queue);
            sum.gateway_queue += part.gateway_queue;
            sum.in_flight += part.in_flight;
            sum.arrived += part.arrived;
            sum.endpoints += part.endpoints;
            sum.in_flight_time += part.in_flight_time;
        }
        REQUIRE(sum.gateway_queue == whole.gateway_queue);
        REQUIRE(sum.in_flight == whole.in_flight);
        REQUIRE(sum.arrived == whole.arrived);
        REQUIRE(sum.endpoints == whole.endpoints);
        REQUIRE(sum.in_flight_time.ps() == whole.in_flight_time.ps());
    }
}

/// A cell of two services, of which the first calls the second, and the instances that it has.
struct Splits {
    explicit Splits(std::uint64_t seed) : draws{RandomStream(seed, "version loads")} {
        rig.config.seed = seed;
        for (const char* name : {"front", "back"}) rig.specs.push_back(random_split(draws, name));
        rig.specs[0].calls = {1};
        rig.sources = {poisson_source(0, 40, 400)};
        rig.start();
    }

    void add(Time now, std::uint32_t service, std::uint32_t version) {
        rig.add(now, service, ordinals, version);
        instances.push_back({service, ordinals++});
    }
    void act(Time now) {
        const auto service = static_cast<std::uint32_t>(draws.below(2));
        const auto versions = static_cast<std::int64_t>(rig.specs[service].versions.size());
        const auto version = static_cast<std::uint32_t>(draws.below(versions));
        const std::int64_t action = draws.below(7);
        if (action < 3 || instances.empty()) return add(now, service, version);
        if (action == 3) return rig.cell->set_gateway_buffering(now, service, draws.one_in(2));
        const auto which = draws.below(static_cast<std::int64_t>(instances.size()));
        const InstanceKey key = instances[static_cast<std::size_t>(which)];
        instances.erase(instances.begin() + which);
        if (draws.one_in(2)) return rig.cell->kill_instance(now, key);
        rig.cell->drain_instance(now, key);
    }

    Draws draws;
    CellRig rig;
    std::uint32_t ordinals = 0;
    std::vector<InstanceKey> instances;
};

}  // namespace

TEST_CASE("Version loads: they add up to the service's, whatever happens") {
    for (std::int64_t seed = 0; seed < scaled(200, 20); ++seed) {
        CAPTURE(seed);
        Splits splits(static_cast<std::uint64_t>(seed));
        Time now = Time::zero();
        for (int step = 0; step < 120; ++step) {
            now = now.later_by(Duration::milliseconds(splits.draws.between(0, 200)));
            splits.rig.run(now);
            check_sums(splits.rig, now);
            splits.act(now);
            static_cast<void>(splits.rig.cell->take_notifications());
            check_sums(splits.rig, now);
        }
        for (const std::uint32_t service : {0U, 1U}) splits.add(now, service, 0);
        splits.rig.run_to_the_end();
        const Time end = splits.rig.cell->now();
        check_sums(splits.rig, end);
        CHECK(splits.rig.cell->service_load(end, 0).in_flight == 0);
    }
}

}  // namespace headroom::tests
