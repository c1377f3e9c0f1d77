#include "policies/scaling/hpa/hpa.hpp"

#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::MetricReading;
using control::PodSample;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingView;

constexpr Time kStart = Time::zero() + Duration::hours(1);

Parameters hpa_defaults(std::int64_t min, std::int64_t max) {
    Parameters p = Parameters::defaults(Hpa::parameter_specs());
    p.set("min_replicas", {min});
    p.set("max_replicas", {max});
    return p;
}

ParameterValue queue_metric(std::int64_t milli) {
    Parameters target;
    target.set("type", {std::string("AverageValue")});
    target.set("value", {milli});
    Parameters metric;
    metric.set("type", {std::string("Pods")});
    metric.set("name", {std::string("queue")});
    metric.set("container", {std::string()});
    metric.set("target", object(std::move(target)));
    return object(std::move(metric));
}

void set_metrics(Parameters& p, ParameterValue::List metrics) {
    p.set("metrics", list(std::move(metrics)));
}

Parameters with_behavior(Parameters p) {
    for (const ParameterSpec& spec : Hpa::parameter_specs()) {
        if (spec.name == "behavior") p.set("behavior", object(Parameters::defaults(spec.fields)));
    }
    return p;
}

/// `replicas` old pods that each use `milli` of the 1000 milli-cpu they request; every metric reads
/// so.
ScalingView view_of_pods_using(std::int64_t replicas, std::int64_t milli, Time now,
                               std::size_t metrics = 1) {
    ScalingView v;
    v.now = now;
    v.spec_replicas = v.status_replicas = replicas;
    MetricReading reading;
    reading.available = true;
    for (std::int64_t i = 0; i < replicas; ++i) {
        ScalingPod pod;
        pod.ready = true;
        pod.start_time = Time::zero();
        pod.ready_transition = Time::zero();
        pod.containers = {{"main", 1000, 1'000'000}};
        v.pods.push_back(pod);
        reading.pods.push_back(PodSample{milli, now, Duration::seconds(60)});
    }
    v.metrics.assign(metrics, reading);
    return v;
}

TEST_CASE("Hpa: asks for cpu at 80 per cent every 15 s unless told otherwise") {
    const auto hpa = make_scaler("hpa", hpa_defaults(1, 10));
    REQUIRE(hpa->metrics().size() == 1);
    CHECK(hpa->metrics()[0] == control::MetricRequest{.kind = control::MetricKind::resource,
                                                      .name = "cpu",
                                                      .pointer = "/metrics/0/name",
                                                      .share_of_requests = true});
    CHECK(hpa->period() == Duration::seconds(15));
    const auto decision = hpa->decide(view_of_pods_using(4, 1000, kStart));
    CHECK(decision.desired == 5);
    CHECK(decision.outcome == ScalingOutcome::scaled);
    CHECK(decision.reason == "5 wanted");
    CHECK(decision.inputs == "cpu 100 % (target 80 %)");
}

TEST_CASE("Hpa: a fresh controller does not scale down for the stabilization window") {
    const auto hpa = make_scaler("hpa", hpa_defaults(1, 10));
    const auto held = hpa->decide(view_of_pods_using(8, 200, kStart));
    CHECK(held.desired == 8);
    CHECK(held.wanted == 2);
    CHECK(held.outcome == ScalingOutcome::limited);
    CHECK(held.reason == "2 wanted, 8 held: scale-down stabilization 300 s");
    CHECK(hpa->decide(view_of_pods_using(8, 200, kStart + Duration::seconds(300))).desired == 8);
    CHECK(hpa->decide(view_of_pods_using(8, 200, kStart + Duration::seconds(301))).desired == 2);
}

TEST_CASE("Hpa: without behavior one round at most doubles, and four are always in reach") {
    CHECK(make_scaler("hpa", hpa_defaults(1, 100))
              ->decide(view_of_pods_using(1, 8000, kStart))
              .desired == 4);
    const auto limited =
        make_scaler("hpa", hpa_defaults(1, 100))->decide(view_of_pods_using(5, 4000, kStart));
    CHECK(limited.desired == 10);
    CHECK(limited.reason == "25 wanted, 10 allowed: scale-up limit max(2 x 5, 4)");
}

TEST_CASE("Hpa: behavior's default policies allow four pods or twice as many in 15 s") {
    const auto hpa = make_scaler("hpa", with_behavior(hpa_defaults(1, 100)));
    const auto first = hpa->decide(view_of_pods_using(6, 4000, kStart));
    CHECK(first.desired == 12);
    CHECK(first.reason.find("30 wanted, 12 allowed: policy 100 %/15 s") == 0);
    // Ten seconds later the six added still count: the period began with 6.
    CHECK(hpa->decide(view_of_pods_using(12, 4000, kStart + Duration::seconds(10))).desired == 12);
    CHECK(hpa->decide(view_of_pods_using(12, 4000, kStart + Duration::seconds(15))).desired == 24);
}

TEST_CASE("Hpa: moves into its bounds at once, without metrics") {
    ScalingView none;
    none.now = kStart;
    none.spec_replicas = 12;
    const auto down = make_scaler("hpa", hpa_defaults(2, 10))->decide(none);
    CHECK(down.desired == 10);
    CHECK(down.reason == "12 replicas are above max_replicas 10");
    none.spec_replicas = 1;
    CHECK(make_scaler("hpa", hpa_defaults(2, 10))->decide(none).desired == 2);
}

TEST_CASE("Hpa: a workload at zero with a minimum above it is left alone") {
    const auto decision =
        make_scaler("hpa", hpa_defaults(1, 10))->decide(view_of_pods_using(0, 0, kStart));
    CHECK(decision.desired == 0);
    CHECK(decision.outcome == ScalingOutcome::disabled);
}

TEST_CASE("Hpa: the largest proposal of several metrics wins") {
    Parameters p = hpa_defaults(1, 50);
    set_metrics(p, {queue_metric(500), queue_metric(250), queue_metric(800)});
    CHECK(make_scaler("hpa", std::move(p))->decide(view_of_pods_using(4, 1000, kStart, 3)).wanted ==
          16);
}

TEST_CASE("Hpa: with a metric missing it may scale up but not down") {
    Parameters p = hpa_defaults(1, 50);
    set_metrics(p, {queue_metric(500), queue_metric(500)});
    const auto hpa = make_scaler("hpa", p);
    ScalingView up = view_of_pods_using(4, 1000, kStart, 2);
    up.metrics[1] = {};
    up.metrics[1].error = "no series";
    const auto more = hpa->decide(up);
    CHECK(more.desired == 8);
    CHECK(more.reason == "8 wanted");
    CHECK(more.inputs ==
          "queue 1 (target 0.5 a pod); 1 of 2 metrics failed, first: "
          "unable to get metric queue: no series");
    ScalingView down = view_of_pods_using(4, 100, kStart, 2);
    down.metrics[1].available = false;
    const auto same = hpa->decide(down);
    CHECK(same.desired == 4);
    CHECK(same.outcome == ScalingOutcome::no_metrics);
}

TEST_CASE("Hpa: an impossible configuration is said at each tick") {
    const auto decision =
        make_scaler("hpa", hpa_defaults(5, 3))->decide(view_of_pods_using(4, 1000, kStart));
    CHECK(decision.outcome == ScalingOutcome::invalid);
    CHECK(decision.desired == 4);
    CHECK(decision.reason == "/min_replicas: expected at most max_replicas (3), found 5");
}

TEST_CASE("StaticReplicas: wants its number whatever the view says") {
    Parameters p;
    p.set("replicas", {std::int64_t{7}});
    p.set("sync_period", {Duration::seconds(15)});
    const auto policy = make_scaler("static", std::move(p));
    CHECK(policy->metrics().empty());
    CHECK(policy->decide(view_of_pods_using(3, 1000, kStart)).desired == 7);
    CHECK(policy->decide(view_of_pods_using(3, 1000, kStart)).outcome == ScalingOutcome::scaled);
    CHECK(policy->decide(view_of_pods_using(7, 1000, kStart)).outcome == ScalingOutcome::unchanged);
}

}  // namespace
}  // namespace headroom::policies
