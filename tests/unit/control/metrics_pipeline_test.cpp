#include "sim/control/metrics_pipeline.hpp"

#include <algorithm>

#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

/// Counters that grow evenly: 2 requests/s, 50 tokens/s, busy a quarter of the time, first tokens
/// after 400 ms; 7 in flight and one more each 10 s.
serving::InstanceLoad steady(Time now, serving::InstanceKey) {
    const std::int64_t s = now.ps() / Duration::kPerSecond;
    serving::InstanceLoad load;
    load.in_flight = 7 + s / 10;
    load.waiting = 3;
    load.running = 4;
    load.kv_used_blocks = 300;
    load.kv_total_blocks = 1000;
    load.completed = 2 * s;
    load.output_tokens = 50 * s;
    load.busy += now.since_start() / 4;
    load.ttft_count = 2 * s;
    load.ttft_sum.add(2 * s, Duration::milliseconds(400));
    return load;
}

struct Seen {
    Time now;
    std::vector<MetricReading> readings;
    std::vector<ScalingPod> pods;
};

std::vector<Seen> watch(ControlSpec spec, std::vector<MetricRequest> requests, Duration every,
                        Time until) {
    std::vector<Seen> seen;
    with_script(
        spec, every,
        [&seen](const ScalingView& view) {
            seen.push_back({view.now, view.metrics, view.pods});
            return want(view, view.spec_replicas);
        },
        std::move(requests));
    Run run(spec);
    run.plane.load_at = steady;
    run.plane.service_loads[0].gateway_queue = 5;
    run.start();
    run.run_until(until);
    return seen;
}

std::int64_t value(const Seen& seen, std::size_t metric) {
    REQUIRE(seen.readings[metric].pods.size() == 1);
    REQUIRE(seen.readings[metric].pods[0]);
    return seen.readings[metric].pods[0]->value_milli;
}

}  // namespace

TEST_CASE("MetricsPipeline: gauges are the newest sample, rates differences over the window") {
    const auto pods = [](const char* name) { return MetricRequest{MetricKind::pods, name, ""}; };
    const std::vector<Seen> seen =
        watch(small_spec(1, 1, 1),
              {pods("requests_in_flight"), pods("kv_used_fraction"), pods("requests_per_second"),
               pods("output_tokens_per_second"), pods("utilization"), pods("ttft_mean_seconds"),
               pods("requests_in_flight_mean"), MetricRequest{MetricKind::resource, "cpu", ""},
               MetricRequest{MetricKind::resource, "memory", ""}},
              Duration::seconds(10), at_s(130));
    const Seen& late = seen[13];
    REQUIRE(late.now == at_s(130));  // the newest scrape is that of 120 s
    CHECK(late.readings[0].timestamp == at_s(120));
    CHECK(value(late, 0) == 19'000);
    CHECK(value(late, 1) == 300);
    CHECK(value(late, 2) == 2'000);
    CHECK(value(late, 3) == 50'000);
    CHECK(value(late, 4) == 250);
    CHECK(value(late, 5) == 400);
    CHECK(late.readings[2].pods[0]->window == Duration::seconds(60));
    // Samples of 60, 75, 90, 105 and 120 s: 13, 14, 16, 17, 19.
    CHECK(value(late, 6) == 79'000 / 5);
    CHECK(value(late, 7) == 100 + 1000 / 4);
    CHECK(value(late, 8) == mebibytes(512).count() * 1000);
    // At 0 s there is a gauge, but no rate yet; at 20 s the rate spans what there is.
    CHECK(seen[0].readings[0].available);
    CHECK_FALSE(seen[0].readings[2].available);
    CHECK_FALSE(seen[0].readings[2].error.empty());
    CHECK(seen[2].readings[2].pods[0]->window == Duration::seconds(15));
}

TEST_CASE("MetricsPipeline: a sample is visible only after its delay") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.metrics.delay = Duration::seconds(20);
    spec.metrics.scrape_phase = Duration::seconds(5);
    const std::vector<Seen> seen =
        watch(spec, {{MetricKind::pods, "requests_in_flight", ""}}, Duration::seconds(1), at_s(60));
    CHECK_FALSE(seen[24].readings[0].available);
    REQUIRE(seen[25].readings[0].available);  // scraped at 5 s
    CHECK(seen[25].readings[0].timestamp == at_s(5));
    CHECK(seen[39].readings[0].timestamp == at_s(5));
    CHECK(seen[40].readings[0].timestamp == at_s(20));
}

TEST_CASE("MetricsPipeline: a tick sees the scrape of its own instant") {
    const std::vector<Seen> seen =
        watch(small_spec(1, 1, 1), {{MetricKind::pods, "requests_in_flight", ""}},
              Duration::seconds(15), at_s(60));
    CHECK(seen[2].readings[0].timestamp == at_s(30));
}

TEST_CASE("MetricsPipeline: object metrics are of the service, or the sum over the pods") {
    const std::vector<Seen> seen = watch(small_spec(1, 2, 2),
                                         {{MetricKind::external, "gateway_queue", ""},
                                          {MetricKind::object, "requests_running", ""},
                                          {MetricKind::external, "service_endpoints", ""},
                                          {MetricKind::pods, "gateway_queue", ""},
                                          {MetricKind::external, "no_such_metric", ""},
                                          {MetricKind::resource, "requests_running", ""}},
                                         Duration::seconds(15), at_s(30));
    const std::vector<MetricReading>& readings = seen[1].readings;
    CHECK(readings[0].values_milli == std::vector<std::int64_t>{5'000});
    CHECK(readings[1].values_milli == std::vector<std::int64_t>{8'000});
    CHECK(readings[2].values_milli == std::vector<std::int64_t>{2'000});
    for (std::size_t i = 3; i < 6; ++i) {
        CHECK_FALSE(readings[i].available);
        CHECK_FALSE(readings[i].error.empty());
    }
}

TEST_CASE("MetricsPipeline: a starting pod shows idle CPU, but no request metric") {
    ControlSpec spec = small_spec(1, 1, 1);
    spec.initial = InitialState::cold;
    spec.workloads[0].lifecycle.warm_up = Duration::seconds(38);  // an endpoint at 40 s
    const std::vector<Seen> seen = watch(spec,
                                         {{MetricKind::resource, "cpu", ""},
                                          {MetricKind::pods, "requests_running", ""},
                                          {MetricKind::pods, "requests_in_flight_mean", ""}},
                                         Duration::seconds(15), at_s(60));
    CHECK_FALSE(seen[0].readings[0].available);
    CHECK(seen[0].pods[0].phase == PodPhase::pending);
    CHECK(value(seen[1], 0) == 100);
    CHECK(seen[1].readings[0].pods[0]->window == Duration::seconds(13));
    CHECK_FALSE(seen[1].readings[1].available);
    CHECK(seen[1].pods[0].phase == PodPhase::running);
    CHECK_FALSE(seen[1].pods[0].ready);
    CHECK(value(seen[3], 1) == 4'000);
    CHECK(seen[3].pods[0].ready);
    CHECK(seen[3].pods[0].ready_transition == at_s(40));
    CHECK(seen[3].pods[0].start_time == Time::zero());
}

TEST_CASE("MetricsPipeline: the counters of a container that was started again begin anew") {
    ControlSpec spec = small_spec(1, 1, 1);
    const FaultSpec crash = crash_at(92);
    spec.faults = {crash};
    std::vector<MetricReading> last;
    with_script(spec, Duration::seconds(10),
                [&last](const ScalingView& view) {
                    last = view.metrics;
                    return want(view, view.spec_replicas);
                },
                {MetricRequest{MetricKind::pods, "requests_per_second", ""},
                 MetricRequest{MetricKind::resource, "cpu", ""}});
    Run run(spec);
    // Up again at 94 s, between the scrapes of 90 s and of 105 s.
    run.plane.load_at = [](Time now, serving::InstanceKey key) {
        return steady(key.ordinal == 0 ? now : now - Duration::seconds(94), key);
    };
    run.start();
    run.run_until(at_s(110));
    REQUIRE(last.size() == 2);
    REQUIRE(last[0].pods[0].has_value());
    CHECK(last[0].pods[0]->value_milli == 2000);
    CHECK(last[0].pods[0]->window == Duration::seconds(11));
    CHECK(last[1].pods[0]->value_milli == 100 + 250);  // idle, and a quarter of a core
}

TEST_CASE("metric names: every metric is found by its name, and ids are in order") {
    std::size_t index = 0;
    for (const MetricInfo& info : all_metrics()) {
        CHECK(static_cast<std::size_t>(info.id) == index++);
        CHECK(find_metric(info.name) == &info);
        CHECK_FALSE(info.help.empty());
        CHECK_FALSE(info.unit.empty());
    }
    CHECK(find_metric("no_such_metric") == nullptr);
}

}  // namespace headroom::control::testing
