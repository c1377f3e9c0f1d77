// A router that is shown its endpoints at an interval: when, what it sees, and that nobody else
// notices.
#include <memory>

#include "sim/serving/cell.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/serving/service_rig.hpp"

namespace headroom::tests {
namespace {

struct Look {
    Time time;
    std::vector<std::uint32_t> ordinals;
    std::vector<std::int64_t> waiting;
    std::vector<std::int64_t> in_flight;
};

/// What the routers of the test that is running have seen.
std::vector<Look>& looks() {
    static std::vector<Look> list;
    return list;
}

/// Sends everything to the first endpoint, and keeps a record of what it is shown.
class Onlooker final : public serving::RoutingPolicy {
  public:
    Onlooker(const Parameters& parameters, const PolicyContext&)
        : interval_(parameters.duration("interval")) {}
    static ParameterSpecs parameter_specs() {
        return {ParameterSpec::duration("interval", Duration::seconds(1), "")};
    }
    std::int64_t pick(const serving::RouterView& view, const serving::RoutedRequest&) override {
        CHECK(view.now() >= Time::zero());
        return 0;
    }
    [[nodiscard]] Duration observes_every() const override { return interval_; }
    void observe(const serving::RouterView& view) override {
        Look look{view.now(), {}, {}, {}};
        for (std::int64_t i = 0; i < view.size(); ++i) {
            look.ordinals.push_back(view.ordinal(i));
            look.waiting.push_back(view.load(i).waiting);
            look.in_flight.push_back(view.load(i).in_flight);
        }
        looks().push_back(look);
    }

  private:
    Duration interval_;
};
REGISTER_POLICY(serving::RoutingPolicy, Onlooker, "test-onlooker", "for tests");

/// One server of `service_time` a request, requests at `times`, looks every `interval` seconds.
CellRig watched_server(const std::vector<double>& times, double service_time, double interval) {
    looks().clear();
    CellRig rig = rig_of(simple_service("service", 1, Distribution::fixed(service_time)), times);
    rig.specs[0].routing = choose<serving::RoutingPolicy>(
        "test-onlooker", {{"interval", ParameterValue{Duration::from_seconds(interval)}}});
    rig.start();
    return rig;
}

std::vector<double> times_of_looks() {
    std::vector<double> times;
    for (const Look& look : looks()) times.push_back(look.time.to_seconds());
    return times;
}

using Times = std::vector<double>;

}  // namespace

TEST_CASE(
    "Cell: a router looks at the multiples of its interval, until the last request has ended") {
    CellRig rig = watched_server({0.5, 1.25, 4.0}, 1.0, 1.0);
    CHECK(rig.cell->idle() == false);
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    // The last request ends at 5, after what looks at 5.
    CHECK(times_of_looks() == Times{0, 1, 2, 3, 4, 5});
    CHECK(rig.cell->idle());
    CHECK(rig.cell->last_activity() == at(5));
}

TEST_CASE("Cell: a look sees what the events before its instant left") {
    CellRig rig = watched_server({0.5, 0.6, 1.0, 2.0}, 1.5, 1.0);
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    REQUIRE(looks().size() >= 4);
    CHECK(looks()[0].in_flight == std::vector<std::int64_t>{0});
    CHECK(looks()[1].in_flight == std::vector<std::int64_t>{2});  // the one of 1 s is not there yet
    CHECK(looks()[1].waiting == std::vector<std::int64_t>{1});
    CHECK(looks()[2].in_flight == std::vector<std::int64_t>{3});  // the first ends at 2, after it
    CHECK(looks()[3].waiting == std::vector<std::int64_t>{2});
}

TEST_CASE("Cell: looks pause while there is no endpoint and go on at a multiple") {
    CellRig rig = watched_server({0.25, 7.5}, 0.5, 1.0);
    rig.run(at(0.125));
    rig.add(at(0.125), 0, 0);
    rig.run(at(2.5));
    rig.cell->drain_instance(at(2.5), {0, 0});
    static_cast<void>(rig.cell->take_notifications());
    rig.run(at(4.0));
    rig.add(at(4.0), 0, 1);  // before the events of 4 s: there to be looked at
    rig.run(at(4.5));
    rig.cell->kill_instance(at(4.5), {0, 1});
    rig.run(at(5.25));
    rig.add(at(5.25), 0, 2);
    rig.run_to_the_end();
    CHECK(times_of_looks() == Times{1, 2, 4, 6, 7, 8});
    CHECK(looks()[2].ordinals == std::vector<std::uint32_t>{1});
    CHECK(looks()[3].ordinals == std::vector<std::uint32_t>{2});
}

TEST_CASE("Cell: an endpoint that comes while its own instant is running is looked at next time") {
    CellRig rig = watched_server({2.0, 3.5}, 0.25, 1.0);
    rig.run(at(2.5));
    REQUIRE(rig.cell->take_notifications().size() == 1);  // the request of 2 s met no endpoint
    rig.add(at(2.0), 0, 0);                               // the answer, at the same time
    rig.run_to_the_end();
    CHECK(times_of_looks() == Times{3});
}

TEST_CASE("Cell: a full endpoint is looked at like any other, and looks go on at their times") {
    CellRig rig = watched_server({0.125, 0.25, 0.375, 0.5, 0.625}, 0.25, 0.5);
    rig.specs[0].gateway.max_in_flight_per_instance = 1;
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    CHECK(times_of_looks() == Times{0, 0.5, 1});
    CHECK(looks()[0].in_flight == std::vector<std::int64_t>{0});
    CHECK(looks()[1].in_flight == std::vector<std::int64_t>{1});
    CHECK(looks()[2].in_flight == std::vector<std::int64_t>{1});
}

TEST_CASE("Cell: an endpoint added after the last request keeps no looks going") {
    CellRig rig = watched_server({0}, 0.5, 1.0);
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    const std::size_t before = looks().size();
    rig.add(at(10), 0, 1);
    rig.add(at(20), 0, 2);
    rig.run_to_the_end();
    CHECK(rig.cell->idle());
    CHECK(looks().size() == before);
}

TEST_CASE("Cell: a router that never looks costs no event") {
    CellRig rig = watched_server({5}, 0.5, 0.0);
    rig.add(at(0), 0, 0);
    CHECK(rig.cell->next_key().time == at(5));
    rig.run_to_the_end();
    CHECK(looks().empty());
}

TEST_CASE("Cell: looking changes no outcome") {
    const auto digest_with = [](double interval) {
        CellRig rig = watched_server({0.1, 0.2, 0.3, 1.0, 1.5, 2.0}, 0.4, interval);
        rig.add(at(0), 0, 0);
        rig.run_to_the_end();
        rig.cell->finish(at(10));
        return rig.cell->digest().hex();
    };
    CHECK(digest_with(0.1) == digest_with(0.0));
    CHECK(digest_with(0.01) == digest_with(0.0));
}

TEST_CASE("Cell: in a drained run looks do not shift its end") {
    const auto end_with = [](double interval) {
        looks().clear();
        SimulationSpec spec;
        spec.drain = true;
        spec.services.push_back(simple_service("a", 1, Distribution::fixed(1.0)));
        spec.services.push_back(simple_service("b", 1, Distribution::fixed(1.0)));
        for (serving::ServiceSpec& service : spec.services) {
            service.routing = choose<serving::RoutingPolicy>(
                "test-onlooker", {{"interval", ParameterValue{Duration::from_seconds(interval)}}});
        }
        spec.sources.push_back(list_source(0, {arrival_at(Duration::seconds(30))}));
        spec.sources.push_back(list_source(1, {arrival_at(Duration::seconds(33))}));
        add_workload(spec, 0, 2);
        add_workload(spec, 1, 1);
        const SimulationResult result = Simulation(spec).run({});
        CHECK(result.total.requests.of(serving::Outcome::completed) == 2);
        return result.end;
    };
    CHECK(end_with(0.0) == at(34));
    CHECK(end_with(0.05) == at(34));
    CHECK(end_with(100.0) == at(34));
}

}  // namespace headroom::tests
