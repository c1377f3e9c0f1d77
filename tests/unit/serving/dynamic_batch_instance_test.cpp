#include "sim/serving/dynamic_batch_instance.hpp"

#include "tests/rig.hpp"
#include "tests/unit/serving/batcher_rig.hpp"

namespace headroom::tests {
namespace {

using serving::AttemptId;
using serving::DynamicEngineSpec;
using OutcomeKind = BatcherOutcome::Kind;

Time at_ms(std::int64_t ms) {
    return Time::zero() + Duration::milliseconds(ms);
}

/// t(b) = 10 ms + 2 ms b: t(1) = 12 ms, t(2) = 14 ms, t(4) = 18 ms, t(8) = 26 ms.
DynamicEngineSpec batcher(std::int64_t max_batch_size, std::int64_t delay_ms = 0) {
    DynamicEngineSpec spec;
    spec.latency = linear_batches(Duration::milliseconds(10), Duration::milliseconds(2));
    spec.max_batch_size = max_batch_size;
    spec.preferred_batch_sizes = {max_batch_size};
    spec.max_queue_delay = Duration::milliseconds(delay_ms);
    return spec;
}

/// A request that started and completed, in milliseconds.
BatcherOutcome served(std::uint32_t attempt, std::int64_t start, std::int64_t end) {
    return {attempt, OutcomeKind::completed, at_ms(end), at_ms(start)};
}
BatcherOutcome timed_out(std::uint32_t attempt, std::int64_t end) {
    return {attempt, OutcomeKind::timed_out, at_ms(end)};
}

/// Requests `first` to `last` arrive at one time.
void burst(BatcherRig& rig, std::int64_t ms, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i <= last; ++i) (void)rig.submit(at_ms(ms), i);
}

}  // namespace

TEST_CASE("DynamicBatchInstance: the first runs alone, what comes meanwhile runs together") {
    BatcherRig rig(batcher(4));
    for (std::uint32_t i = 0; i < 6; ++i) (void)rig.submit(at_ms(i), i);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), served(1, 12, 30),
                                                      served(2, 12, 30), served(3, 12, 30),
                                                      served(4, 12, 30), served(5, 30, 42)});
    CHECK(rig.stats.executions == 3);
    CHECK(rig.stats.executed_requests == 6);
}

TEST_CASE("DynamicBatchInstance: what arrives at one time runs in one batch") {
    BatcherRig rig(batcher(4));
    burst(rig, 3, 0, 1);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 3, 17), served(1, 3, 17)});
}

TEST_CASE("DynamicBatchInstance: a batch waits for the delay from its oldest request's arrival") {
    BatcherRig rig(batcher(4, 5));
    (void)rig.submit(at_ms(0), 0);
    (void)rig.submit(at_ms(3), 1);
    (void)rig.submit(at_ms(20), 2);
    rig.run(Time::max());
    CHECK(rig.outcomes ==
          std::vector<BatcherOutcome>{served(0, 5, 19), served(1, 5, 19), served(2, 25, 37)});
}

TEST_CASE("DynamicBatchInstance: a batch of the preferred size does not wait for the delay") {
    BatcherRig rig(batcher(4, 5));
    for (std::uint32_t i = 0; i < 4; ++i) (void)rig.submit(at_ms(i), i);
    rig.run(at_ms(22));
    REQUIRE(rig.outcomes.size() == 4);
    CHECK(rig.outcomes.back() == served(3, 3, 21));
}

TEST_CASE(
    "DynamicBatchInstance: exactly the largest preferred part goes, the rest waits its delay") {
    DynamicEngineSpec spec = batcher(8, 50);
    spec.preferred_batch_sizes = {2, 4};
    BatcherRig rig(spec);
    burst(rig, 0, 0, 4);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 18), served(1, 0, 18),
                                                      served(2, 0, 18), served(3, 0, 18),
                                                      served(4, 50, 62)});
}

TEST_CASE("DynamicBatchInstance: with no delay a preferred batch is closed, any other grows") {
    DynamicEngineSpec spec = batcher(8);
    spec.preferred_batch_sizes = {2, 4};
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(0), 0);  // runs until 12
    burst(rig, 1, 1, 2);            // a preferred batch: closed
    (void)rig.submit(at_ms(2), 3);  // opens the next, of 1
    burst(rig, 3, 4, 5);            // no slot is free: they wait in the queue
    rig.run(Time::max());
    // At 12 the second payload has a slot again and grows: of 3 + 0 waiting only one makes it 2.
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), served(1, 12, 26),
                                                      served(2, 12, 26), served(3, 26, 40),
                                                      served(4, 26, 40), served(5, 40, 52)});
}

TEST_CASE("DynamicBatchInstance: the batcher that sleeps looks every 500 ms") {
    DynamicEngineSpec spec = batcher(4, 5);
    spec.latency = linear_batches(Duration::milliseconds(2000), Duration::milliseconds(1));
    for (const std::int64_t late : {1900, 2006}) {
        BatcherRig rig(spec);
        (void)rig.submit(at_ms(0), 0);     // runs from 5 to 2006
        (void)rig.submit(at_ms(1000), 1);  // lies ahead from 1005 on
        // Three more would wake the batcher; it looks at 1505 and 2005.
        (void)rig.submit(at_ms(late), 2);
        rig.run(Time::max());
        INFO(late);
        if (late < 2005) {
            CHECK(rig.outcomes.at(1) == served(1, 2006, 4008));
            CHECK(rig.outcomes.at(2) == served(2, 2006, 4008));
        } else {
            CHECK(rig.outcomes.at(1) == served(1, 2006, 4007));
            CHECK(rig.outcomes.at(2) == served(2, 4007, 6008));
        }
    }
}

TEST_CASE("DynamicBatchInstance: payloads that waited for the delay are merged when taken") {
    DynamicEngineSpec spec = batcher(8, 1);
    spec.preferred_batch_sizes = {4};
    BatcherRig rig(spec);
    burst(rig, 0, 0, 5);   // 4 run until 18; 2 lie ahead from 1 on
    burst(rig, 5, 6, 11);  // 2 make them 4, one more closes them at 5; 3 lie ahead from 6 on
    rig.run(Time::max());
    REQUIRE(rig.outcomes.size() == 12);
    CHECK(rig.outcomes.at(3) == served(3, 0, 18));
    for (std::uint32_t i = 4; i < 12; ++i) CHECK(rig.outcomes.at(i) == served(i, 18, 44));
    CHECK(rig.stats.executions == 2);
}

TEST_CASE("DynamicBatchInstance: runs as many batches at once as it has instances") {
    DynamicEngineSpec spec = batcher(2);
    spec.instances = 2;
    BatcherRig rig(spec);
    for (std::uint32_t i = 0; i < 5; ++i) (void)rig.submit(at_ms(i), i);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), served(1, 1, 13),
                                                      served(4, 13, 25), served(2, 12, 26),
                                                      served(3, 12, 26)});
    CHECK(rig.stats.busy.to_seconds() == Approx(0.050));
    CHECK(rig.instance.load({Time::max(), 0}).servers == 2);
}

TEST_CASE(
    "DynamicBatchInstance: a bounded queue refuses, and batches form for idle instances only") {
    DynamicEngineSpec spec = batcher(4);
    spec.max_queue_size = 2;
    BatcherRig rig(spec);
    CHECK_FALSE(rig.submit(at_ms(0), 0));
    CHECK_FALSE(rig.submit(at_ms(1), 1));
    CHECK_FALSE(rig.submit(at_ms(2), 2));
    CHECK(rig.submit(at_ms(3), 3) == serving::Cause::instance_queue_full);
    CHECK_FALSE(rig.submit(at_ms(13), 4));  // the queue is empty again
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{{3, OutcomeKind::refused, at_ms(3)},
                                                      served(0, 0, 12),
                                                      served(1, 12, 26),
                                                      served(2, 12, 26),
                                                      served(4, 26, 38)});
}

TEST_CASE("DynamicBatchInstance: rejects what expired in the queue when the walk meets it") {
    DynamicEngineSpec spec = batcher(4);
    spec.default_timeout = Duration::milliseconds(5);
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(0), 0);
    (void)rig.submit(at_ms(1), 1);
    (void)rig.submit(at_ms(7), 2);  // expires at 12, the very time of the walk
    (void)rig.submit(at_ms(8), 3);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), timed_out(1, 12),
                                                      timed_out(2, 12), served(3, 12, 24)});
}

TEST_CASE("DynamicBatchInstance: a timeout within the delay rejects when it ends") {
    DynamicEngineSpec spec = batcher(4, 20);
    spec.default_timeout = Duration::milliseconds(5);
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(2), 0);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{timed_out(0, 7)});
}

TEST_CASE("DynamicBatchInstance: rejects every 500 ms while it awaits an idle instance") {
    DynamicEngineSpec spec = batcher(4);
    spec.latency = linear_batches(Duration::milliseconds(3000), Duration::milliseconds(1));
    spec.default_timeout = Duration::milliseconds(300);
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(0), 0);
    (void)rig.submit(at_ms(100), 1);  // the batcher looks at 500, then waits for a slot
    rig.run(at_ms(1001));
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{timed_out(1, 1000)});
}

TEST_CASE("DynamicBatchInstance: may serve what expired behind all others instead") {
    DynamicEngineSpec spec = batcher(1);
    spec.default_timeout = Duration::milliseconds(5);
    spec.timeout_action = serving::QueueTimeoutAction::delay;
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(0), 0);
    (void)rig.submit(at_ms(1), 1);
    (void)rig.submit(at_ms(8), 2);
    rig.run(Time::max());
    CHECK(rig.outcomes ==
          std::vector<BatcherOutcome>{served(0, 0, 12), served(2, 12, 24), served(1, 24, 36)});
}

TEST_CASE("DynamicBatchInstance: a higher priority is emptied first, a batch may mix them") {
    DynamicEngineSpec spec = batcher(2);
    spec.priority_levels = 3;
    spec.default_priority_level = 2;
    BatcherRig rig(spec);
    (void)rig.submit(at_ms(0), 0, 1);
    (void)rig.submit(at_ms(1), 1, 3);
    (void)rig.submit(at_ms(2), 2, 0);  // no level: 2
    (void)rig.submit(at_ms(3), 3, 1);
    (void)rig.submit(at_ms(4), 4, 9);  // no level: 2
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), served(3, 12, 26),
                                                      served(2, 12, 26), served(4, 26, 40),
                                                      served(1, 26, 40)});
}

TEST_CASE(
    "DynamicBatchInstance: an aborted request leaves the queue, but keeps its place in a batch") {
    BatcherRig rig(batcher(2));
    (void)rig.submit(at_ms(0), 0);  // runs until 12
    burst(rig, 1, 1, 7);            // {1, 2} and {3, ...} lie ahead, the others wait
    rig.abort(at_ms(2), 0);         // runs to its end for nobody
    rig.abort(at_ms(2), 2);
    rig.abort(at_ms(2), 5);
    CHECK(rig.instance.load({at_ms(2), 0}).in_flight == 5);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(1, 12, 26), served(3, 26, 40),
                                                      served(4, 26, 40), served(6, 40, 54),
                                                      served(7, 40, 54)});
    CHECK(rig.stats.executed_requests == 7);
}

TEST_CASE("DynamicBatchInstance: a new speed holds for executions that start later") {
    BatcherRig rig(batcher(4));
    (void)rig.submit(at_ms(0), 0);
    rig.run(at_ms(1));
    rig.instance.set_speed({at_ms(1), 0}, serving::kNominalSpeed / 2);
    (void)rig.submit(at_ms(2), 1);
    rig.run(Time::max());
    CHECK(rig.outcomes == std::vector<BatcherOutcome>{served(0, 0, 12), served(1, 12, 36)});
}

TEST_CASE("DynamicBatchInstance: shows its load, and what it has when it is killed") {
    DynamicEngineSpec spec = batcher(2);
    BatcherRig rig(spec, at_ms(2));
    (void)rig.submit(at_ms(0), 0);
    burst(rig, 1, 1, 6);
    rig.run(at_ms(5));
    const EventKey now{at_ms(5), 0};
    const serving::InstanceLoad load = rig.instance.load(now);
    CHECK(load.in_flight == 7);
    CHECK(load.running == 1);
    CHECK(load.waiting == 6);
    CHECK(load.busy.to_seconds() == 0.005);
    CHECK(rig.instance.report(now, rig.slots[0]).first_scheduled == at_ms(0));
    CHECK(rig.instance.report(now, rig.slots[3]).first_scheduled == Time::max());
    std::vector<AttemptId> lost;
    rig.instance.kill(now, lost);
    REQUIRE(lost.size() == 7);
    for (std::uint32_t i = 0; i < 7; ++i) CHECK(lost[i].index == i);
    CHECK(rig.stats.busy.to_seconds() == 0.003);  // measured from 2 ms on
    CHECK(rig.stats.executions == 0);
}

TEST_CASE("DynamicBatchInstance: in a cell, what it rejects ends as rejected, with its cause") {
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(1.0)));
    DynamicEngineSpec spec = batcher(4, 20);
    spec.default_timeout = Duration::milliseconds(5);
    rig.specs[0].versions[0].engine = {};
    rig.specs[0].versions[0].engine.dynamic = spec;
    // The second enters in the very event that rejects the first.
    rig.specs[0].gateway.max_in_flight_per_instance = 1;
    rig.sources.push_back(
        list_source(0, {arrival_at(Duration::zero()), arrival_at(Duration::milliseconds(1))}));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    rig.run(at_ms(7));
    rig.cell->drain_instance(at_ms(7), {0, 0});
    rig.run_to_the_end();
    // Its last request is rejected, too: the drained instance is gone with it. The first left a
    // payload that still wants four, so the second does not wake the batcher, which slept at 5.
    const std::vector<serving::Notification> notifications = rig.cell->take_notifications();
    REQUIRE(notifications.size() == 1);
    CHECK(notifications[0].kind == serving::Notification::Kind::drained);
    CHECK(notifications[0].time == at_ms(505));
    const std::vector<serving::RequestRow> rows = rig.rows();
    REQUIRE(rows.size() == 2);
    for (const serving::RequestRow& row : rows) {
        CHECK(row.outcome == serving::Outcome::rejected);
        CHECK(row.cause == serving::Cause::queue_timeout);
        CHECK(row.first_scheduled == Time::max());
    }
    CHECK(rows[0].finish == at_ms(5));
    CHECK(rows[1].finish == at_ms(505));
    rig.cell->finish(at_ms(505));
    CHECK(imbalance(rig.cell->stats(0)) == "");
}

TEST_CASE("DynamicBatchInstance: in a cell, a request that timed out at the gateway is aborted") {
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(1.0)));
    rig.specs[0].versions[0].engine = {};
    rig.specs[0].versions[0].engine.dynamic = batcher(2);
    rig.specs[0].gateway.timeout = Duration::milliseconds(15);
    std::vector<serving::Arrival> arrivals(4, arrival_at(Duration::milliseconds(1)));
    arrivals.insert(arrivals.begin(), arrival_at(Duration::zero()));
    rig.sources.push_back(list_source(0, arrivals));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    rig.run_to_the_end();
    // The first ends at 12; {1, 2} would end at 26 and {3, 4} at 40: all gave up at 16.
    const std::vector<serving::RequestRow> rows = rig.rows();
    REQUIRE(rows.size() == 5);
    CHECK(rows[0].finish == at_ms(12));
    for (std::size_t i = 1; i < 5; ++i) {
        CHECK(rows[i].outcome == serving::Outcome::timed_out);
        CHECK(rows[i].finish == at_ms(16));
        CHECK(rows[i].first_scheduled == (i < 3 ? at_ms(12) : Time::max()));
    }
    rig.cell->finish(at_ms(60));
    CHECK(imbalance(rig.cell->stats(0)) == "");
    CHECK(rig.cell->stats(0).executions == 3);
}

TEST_CASE("DynamicBatchInstance: in a cell, it may be gone while a batch runs for nobody") {
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1, Distribution::fixed(1.0)));
    DynamicEngineSpec spec = batcher(1);
    spec.instances = 2;
    spec.default_timeout = Duration::milliseconds(5);
    rig.specs[0].versions[0].engine = {};
    rig.specs[0].versions[0].engine.dynamic = spec;
    rig.specs[0].gateway.timeout = Duration::milliseconds(19);
    rig.sources.push_back(
        list_source(0, {arrival_at(Duration::zero()), arrival_at(Duration::milliseconds(8)),
                        arrival_at(Duration::milliseconds(9))}));
    rig.start();
    rig.cell->add_instance(Time::zero(), {0, 0}, 0, serving::kNominalSpeed / 2);
    rig.run(at_ms(1));  // the first would end at 24; it gives up at 19
    rig.cell->set_speed(at_ms(1), {0, 0}, serving::kNominalSpeed);
    rig.run(at_ms(15));
    rig.cell->drain_instance(at_ms(15), {0, 0});
    rig.run_to_the_end();
    // The second ends at 20. The batch that forms right then rejects the third, the last.
    const std::vector<serving::RequestRow> rows = rig.rows();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].outcome == serving::Outcome::timed_out);
    CHECK(rows[1].outcome == serving::Outcome::completed);
    CHECK(rows[1].finish == at_ms(20));
    CHECK(rows[2].outcome == serving::Outcome::rejected);
    CHECK(rows[2].finish == at_ms(20));
    const std::vector<serving::Notification> notifications = rig.cell->take_notifications();
    REQUIRE(notifications.size() == 1);
    CHECK(notifications[0].time == at_ms(20));
}

}  // namespace headroom::tests
