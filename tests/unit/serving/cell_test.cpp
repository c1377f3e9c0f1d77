// The cell's side of its bargain with the control plane: notifications, endpoints, ordinals, loads,
// and what a run leaves behind when it is cut off.
#include "sim/serving/cell.hpp"

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/serving/service_rig.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;
using serving::Notification;
using serving::Outcome;

/// A server of so many seconds a request, started.
CellRig one_server(const std::vector<double>& times, double service_time = 1.0) {
    CellRig rig = rig_of(simple_service("service", 1, Distribution::fixed(service_time)), times);
    rig.start();
    return rig;
}

}  // namespace

TEST_CASE("Cell: says once that a request waits, until an endpoint has come and gone") {
    CellRig rig = one_server({1, 2, 3, 10});
    CHECK(rig.cell->may_notify());
    rig.run(at(5));
    CHECK_FALSE(rig.cell->may_notify());  // it has said so
    auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::request_waits);
    CHECK(told[0].time == at(1));
    CHECK(told[0].instance.service == 0);
    CHECK_FALSE(rig.cell->has_notifications());

    rig.add(at(5), 0, 0);
    CHECK(rig.cell->service_load(at(5), 0).gateway_queue == 0);
    rig.run(at(9));
    rig.cell->drain_instance(at(9), {0, 0});
    CHECK(rig.cell->take_notifications().size() == 1);  // drained
    CHECK(rig.cell->may_notify());
    rig.run_to_the_end();
    told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::request_waits);
    CHECK(told[0].time == at(10));
}

TEST_CASE(
    "Cell: says when an instance has as many requests as it was told, which then takes no more") {
    CellRig rig = one_server({1, 2, 3, 3, 3, 4}, 10.0);
    rig.add(at(0), 0, 0);
    CHECK_FALSE(rig.cell->may_notify());
    rig.cell->add_instance(at(0), {0, 1}, 0, serving::kNominalSpeed, 2);
    CHECK(rig.cell->may_notify());
    // In turns: 1 and 3 to the first one, 2 and the second of 3 to the other.
    CHECK_FALSE(rig.cell->run_until(at(9), 100));
    CHECK(rig.cell->now() == at(3));
    CHECK(rig.cell->arrived() == 4);
    const auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::in_flight_reached);
    CHECK(told[0].time == at(3));
    CHECK(told[0].instance.ordinal == 1);
    CHECK(rig.cell->run_until(at(9), 100));
    CHECK(rig.cell->instance_load(at(9), {0, 0}).in_flight == 4);
    CHECK(rig.cell->instance_load(at(9), {0, 1}).in_flight == 2);
    CHECK(rig.cell->may_notify());
    rig.cell->kill_instance(at(9), {0, 1});
    CHECK_FALSE(rig.cell->may_notify());
    rig.run_to_the_end();
    CHECK_FALSE(rig.cell->has_notifications());
}

TEST_CASE("Cell: an instance that is added to a queue gets no more of it than it was told") {
    CellRig rig = one_server({1, 1, 1, 1, 1}, 10.0);
    rig.run(at(2));
    CHECK(rig.cell->take_notifications().size() == 1);  // a request waits
    rig.cell->add_instance(at(2), {0, 0}, 0, serving::kNominalSpeed, 3);
    const auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::in_flight_reached);
    CHECK(rig.cell->instance_load(at(2), {0, 0}).in_flight == 3);
    CHECK(rig.cell->service_load(at(2), 0).gateway_queue == 2);
    rig.cell->kill_instance(at(2), {0, 0});
    CHECK(rig.cell->service_load(at(2), 0).gateway_queue == 2);
    CHECK(rig.cell->may_notify());  // the next request finds no endpoint
}

TEST_CASE("Cell: a gateway's limit below the number that an instance is told is never passed") {
    CellRig rig = one_server({1, 1, 1, 1, 1}, 10.0);
    rig.specs[0].gateway.max_in_flight_per_instance = 2;
    rig.cell->add_instance(at(0), {0, 0}, 0, serving::kNominalSpeed, 3);
    rig.run_to_the_end();
    CHECK_FALSE(rig.cell->has_notifications());
    CHECK(rig.cell->stats(0).requests.of(Outcome::completed) == 5);
}

TEST_CASE("Cell: stops at the event that left a notification") {
    CellRig rig = one_server({1, 2, 3});
    CHECK_FALSE(rig.cell->run_until(at(5), 100));
    CHECK(rig.cell->arrived() == 1);
    CHECK(rig.cell->take_notifications().size() == 1);
    CHECK(rig.cell->run_until(at(5), 100));
    CHECK(rig.cell->arrived() == 3);
}

TEST_CASE("Cell: runs as many events as it was asked for") {
    CellRig rig = one_server({1, 2, 3});
    rig.add(at(0), 0, 0);
    CHECK_FALSE(rig.cell->run_until(at(9), 2));
    CHECK(rig.cell->run_until(at(9), 4));
    CHECK(rig.cell->idle());
}

TEST_CASE("Cell: a drained instance is reported when its last attempt ends") {
    CellRig rig = one_server({0, 1}, 4.0);
    rig.add(at(0), 0, 3);
    rig.run(at(2));
    rig.cell->drain_instance(at(2), {0, 3});
    CHECK(rig.cell->may_notify());
    CHECK(rig.cell->service_load(at(2), 0).endpoints == 0);
    CHECK_FALSE(rig.cell->has_notifications());
    rig.run_to_the_end();
    const auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::drained);
    CHECK(told[0].time == at(8));
    CHECK(told[0].instance == serving::InstanceKey{0, 3});
    rig.cell->finish(at(20));
    CHECK(rig.cell->stats(0).instance_time.to_seconds() == 8.0);
}

TEST_CASE("Cell: an idle instance is drained at once, with a notification") {
    CellRig rig = one_server({0});
    rig.add(at(0), 0, 0);
    rig.run(at(5));
    rig.cell->drain_instance(at(5), {0, 0});
    const auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::drained);
    CHECK(told[0].time == at(5));
}

TEST_CASE("Cell: a draining instance whose last request times out is drained") {
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(10.0)));
    rig.specs[0].gateway.timeout = Duration::seconds(3);
    rig.sources.push_back(list_source(0, {arrival_at(Duration::zero())}));
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(1));
    rig.cell->drain_instance(at(1), {0, 0});
    rig.run_to_the_end();
    const auto told = rig.cell->take_notifications();
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == Notification::Kind::drained);
    CHECK(told[0].time == at(3));
}

TEST_CASE("Cell: a killed instance leaves no drain behind") {
    CellRig rig = one_server({0}, 4.0);
    rig.add(at(0), 0, 0);
    rig.run(at(1));
    rig.cell->drain_instance(at(1), {0, 0});
    rig.cell->kill_instance(at(2), {0, 0});
    rig.run_to_the_end();
    CHECK_FALSE(rig.cell->has_notifications());
    CHECK(rig.cell->in_flight() == 0);
    rig.cell->finish(at(20));
    CHECK(rig.cell->stats(0).instance_time.to_seconds() == 2.0);
    CHECK(rig.cell->stats(0).causes[static_cast<std::size_t>(Cause::instance_lost)] == 1);
}

TEST_CASE("Cell: what a killed instance had preempted still counts as preempted") {
    const bool exact = GENERATE(false, true);
    CellRig rig;
    rig.config.exact_steps = exact;
    rig.specs.push_back(
        llm_service("llm", choose<serving::BatchingPolicy>("vllm-v1"), 5));  // KV blocks
    rig.specs[0].versions[0].engine.llm->block_size = 4;
    rig.specs[0].gateway.max_attempts = GENERATE(1, 2);
    rig.sources.push_back(
        list_source(0, {arrival_at(Duration::zero(), 8, 8), arrival_at(Duration::zero(), 4, 8)}));
    rig.start();
    rig.add(at(0), 0, 0);
    // Both grow to five blocks; at the fifth decode, after 33 ms, the second one has to go.
    const Time killed = Time::zero() + Duration::milliseconds(45);
    rig.run(killed);
    REQUIRE(rig.cell->stats(0).preemptions == 1);
    rig.cell->kill_instance(killed, {0, 0});
    rig.cell->finish(at(1));
    CHECK(rig.rows().at(0).preemptions == 0);
    CHECK(rig.rows().at(1).preemptions == 1);
}

TEST_CASE("Cell: neither another source nor another service moves a service's draws") {
    const Distribution random = Distribution::exponential(1.0);
    const auto source = [](const char* name, std::uint32_t service, std::size_t requests) {
        serving::SourceSpec spec =
            list_source(service, arrivals_at(std::vector<double>(requests, 0.0)));
        spec.name = name;
        return spec;
    };
    const auto finishes = [](const CellRig& rig, std::uint32_t service) {
        std::vector<Time> times;
        for (const serving::RequestRow& row : rig.rows()) {
            if (row.service == service) times.push_back(row.finish);
        }
        return times;
    };
    CellRig alone;
    alone.specs.push_back(simple_service("service", 1, random));
    alone.sources.push_back(source("users", 0, 5));
    CellRig beside;
    beside.specs = {simple_service("another", 1, random), simple_service("service", 1, random)};
    beside.sources = {source("others", 0, 5), source("silent", 1, 0), source("users", 1, 5)};
    for (CellRig* rig : {&alone, &beside}) {
        rig->start();
        for (std::uint32_t i = 0; i < rig->specs.size(); ++i) rig->add(at(0), i, 0);
        rig->run_to_the_end();
    }
    CHECK(finishes(alone, 0).size() == 5);
    CHECK(finishes(beside, 1) == finishes(alone, 0));
    CHECK(finishes(beside, 0) != finishes(alone, 0));
}

TEST_CASE("Cell: counts what is in flight at the end, wherever it is") {
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(4.0)));
    rig.specs[0].slo.e2e = Duration::seconds(6);
    rig.specs[0].gateway.max_in_flight_per_instance = 2;
    rig.specs[0].front_end_delay = Duration::milliseconds(100);
    std::vector<serving::Arrival> arrivals;
    for (const double time : {0.0, 1.0, 2.0, 3.0, 9.95}) {
        arrivals.push_back(arrival_at(Duration::from_seconds(time)));
    }
    rig.sources.push_back(list_source(0, arrivals));
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(10));
    CHECK(rig.cell->in_flight() == 3);
    rig.cell->finish(at(10));
    // Done at 4.1 and 8.1; served since 8.1; waiting since 8.2; on its way, then at the gateway.
    const auto& stats = rig.cell->stats(0);
    CHECK(stats.requests.arrived == 5);
    CHECK(stats.requests.of(Outcome::completed) == 2);
    CHECK(stats.calls.in_flight() == 3);
    CHECK(imbalance(stats) == "");
    CHECK(stats.busy.to_seconds() == Approx(9.9).epsilon(1e-12));
    // In time: the first; late: the second, and the two in flight for longer than 6 s.
    CHECK(stats.slo_good == 1);
    CHECK(stats.slo_missed == 3);
    const auto rows = rig.rows();
    REQUIRE(rows.size() == 5);
    CHECK(rows[2].outcome == Outcome::in_flight);
    CHECK(rows[2].first_scheduled == at(8.1));
    CHECK(rows[2].finish == Time::max());
    CHECK(rows[4].attempts == 0);
}

TEST_CASE("Cell: measures from where it shall, and counts the whole run") {
    // Calls arrive at 4, 5 and 8 s; the first ends when measuring starts, or half a second later.
    const double service_s = GENERATE(1.0, 1.5);
    CAPTURE(service_s);
    CellRig rig;
    rig.config.measure_from = at(5);
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(service_s)));
    rig.sources.push_back(
        list_source(0, {arrival_at(Duration::seconds(4)), arrival_at(Duration::seconds(5)),
                        arrival_at(Duration::seconds(8))}));
    rig.start();
    rig.add(at(2), 0, 0);
    rig.run_to_the_end();
    rig.cell->finish(at(10));
    const auto& stats = rig.cell->stats(0);
    CHECK(stats.requests.of(Outcome::completed) == 3);
    CHECK(stats.instance_time.to_seconds() == 5.0);
    CHECK(stats.busy.to_seconds() == (service_s == 1.0 ? 2.0 : 3.5));
    // Throughput is what ends within the window, latency that of what arrives within it.
    CHECK(stats.measured_completed == (service_s == 1.0 ? 2 : 3));
    CHECK(stats.e2e.count() == 2);
}

TEST_CASE("Cell: a source that met bad input stops the run with its words") {
    class Broken final : public serving::RequestSource {
      public:
        OptionalTime peek() override {
            if (taken_) return {};
            return Time::zero();
        }
        serving::Arrival take() override {
            taken_ = true;
            return arrival_at(Duration::zero());
        }
        [[nodiscard]] const std::string& error() const override { return taken_ ? error_ : none_; }

      private:
        bool taken_ = false;
        std::string error_ = "trace.csv:2: expected a number";
        std::string none_;
    };
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(1.0)));
    rig.sources.push_back({"broken", 0, [](std::uint64_t) { return std::make_unique<Broken>(); }});
    rig.start();
    rig.add(at(0), 0, 0);
    CHECK_FALSE(rig.cell->run_until(at(10), 100));
    CHECK(rig.cell->error() == "trace.csv:2: expected a number");
}

}  // namespace headroom::tests
