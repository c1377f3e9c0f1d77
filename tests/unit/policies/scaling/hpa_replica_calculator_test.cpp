#include "policies/scaling/hpa/hpa_replica_calculator.hpp"

#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

using control::MetricKind;
using control::MetricReading;
using control::PodPhase;
using control::PodSample;
using control::ScalingPod;
using control::ScalingView;

constexpr Time kReadingTime = Time::zero() + Duration::hours(1);

/// A pod ready for long, with one container that requests a core.
ScalingPod long_ready_pod() {
    ScalingPod pod;
    pod.name = "pod";
    pod.ready = true;
    pod.start_time = Time::zero();
    pod.ready_transition = Time::zero() + Duration::seconds(40);
    pod.containers = {{.name = "main", .cpu_milli = 1000, .memory_milli = 1'000'000}};
    return pod;
}

std::optional<PodSample> used(std::int64_t milli) {
    return PodSample{.value_milli = milli,
                     .timestamp = kReadingTime - Duration::seconds(5),
                     .window = Duration::seconds(60)};
}

struct Setting {
    ScalingView view;
    MetricReading reading;
};

Setting setting(const std::vector<std::optional<std::int64_t>>& usages) {
    Setting s;
    s.view.now = kReadingTime;
    s.reading.available = true;
    for (const auto& usage : usages) {
        s.view.pods.push_back(long_ready_pod());
        s.reading.pods.push_back(usage.has_value() ? used(*usage) : std::nullopt);
    }
    s.view.spec_replicas = s.view.status_replicas = static_cast<std::int64_t>(usages.size());
    return s;
}

HpaMetric cpu_at(std::int64_t percent) {
    return {.request = {MetricKind::resource, "cpu", ""},
            .target_kind = HpaTargetKind::utilization,
            .target_milli = percent * 1000,
            .invalid = ""};
}

HpaMetric metric(MetricKind kind, HpaTargetKind target, std::int64_t milli) {
    return {.request = {kind, "queue", ""},
            .target_kind = target,
            .target_milli = milli,
            .invalid = ""};
}

ReplicaProposal propose(const HpaMetric& m, const Setting& s,
                        const HpaCalculatorOptions& options = {}) {
    return propose_replicas(m, s.view, s.reading, options);
}

TEST_CASE("HpaReplicaCalculator: utilisation is the ratio of sums in whole per cent") {
    Setting s = setting({900, 300, 300});
    s.view.pods[0].containers[0].cpu_milli = 3000;
    const auto p = propose(cpu_at(10), s);
    CHECK(p.valid);
    CHECK(p.utilization_percent == 30);  // 1500 of 5000; the mean of the ratios is 30 too
    s.reading.pods[0] = used(949);       // 1549 of 5000 is 30.98 %, counted as 30
    CHECK(propose(cpu_at(10), s).utilization_percent == 30);
    CHECK(propose(cpu_at(10), s).usage_milli == 516);
    s.reading.pods[0] = used(3000);  // the mean of ratios would be 53
    CHECK(propose(cpu_at(10), s).utilization_percent == 72);
}

TEST_CASE("HpaReplicaCalculator: stays at the present number within the tolerance") {
    CHECK(propose(cpu_at(50), setting({540, 540, 540})).replicas == 3);
    // In doubles 1.1 lies a rounding above 1 + 0.1: at the very edge upstream scales, so do we.
    CHECK(propose(cpu_at(50), setting({550, 550, 550})).replicas == 4);
    CHECK(propose(cpu_at(50), setting({450, 450, 450})).replicas == 3);
    CHECK(propose(cpu_at(50), setting({300, 300, 300})).replicas == 2);
}

TEST_CASE("HpaReplicaCalculator: a tolerance per direction widens only that direction") {
    HpaCalculatorOptions options;
    options.tolerances = {.scale_down = 0.5, .scale_up = 0.0, .per_direction = true};
    CHECK(propose(cpu_at(50), setting({300, 300}), options).replicas == 2);
    CHECK(propose(cpu_at(50), setting({240, 240}), options).replicas == 1);
    CHECK(propose(cpu_at(50), setting({510, 510}), options).replicas == 3);
}

TEST_CASE("HpaReplicaCalculator: scales the ready pods, not the present number") {
    Setting s = setting({1000, 1000});
    s.view.spec_replicas = 7;
    CHECK(propose(cpu_at(50), s).replicas == 4);
}

TEST_CASE("HpaReplicaCalculator: a pod without a sample counts as full when load is low") {
    // First 20 %, with one pod of five at 100 %: 36 % of 60 is a ratio of 0.6, so 3 of 5.
    CHECK(propose(cpu_at(60), setting({200, 200, 200, 200, std::nullopt})).replicas == 3);
    // A target above 100 % is what an unknown pod is taken to use.
    CHECK(propose(cpu_at(200), setting({400, std::nullopt})).replicas == 2);
}

TEST_CASE("HpaReplicaCalculator: a pod without a sample counts as idle when load is high") {
    CHECK(propose(cpu_at(50), setting({1000, 1000, std::nullopt, std::nullopt})).replicas == 4);
    CHECK(propose(cpu_at(30), setting({1000, 1000, std::nullopt, std::nullopt})).replicas == 7);
}

TEST_CASE("HpaReplicaCalculator: unknown pods never turn the direction round") {
    CHECK(propose(cpu_at(50), setting({600, std::nullopt})).replicas == 2);
    CHECK(propose(cpu_at(80), setting({400, std::nullopt, std::nullopt})).replicas == 3);
}

TEST_CASE(
    "HpaReplicaCalculator: a starting pod is idle on the way up and left out on the way down") {
    Setting s = setting({1000, 1000, 1000});
    s.view.pods[2].start_time = kReadingTime - Duration::seconds(30);
    s.view.pods[2].ready = false;
    s.view.pods[2].ready_transition = kReadingTime - Duration::seconds(30);
    CHECK(propose(cpu_at(50), s).replicas == 4);  // 2000 of 3000 is 66 %: 1.32 * 3
    s.reading.pods[0] = s.reading.pods[1] = used(100);
    CHECK(propose(cpu_at(50), s).replicas == 1);  // the third is not counted: 0.2 * 2
}

TEST_CASE(
    "HpaReplicaCalculator: a fresh cpu sample must span a whole window since the pod was ready") {
    Setting s = setting({1000});
    ScalingPod& pod = s.view.pods[0];
    pod.start_time = kReadingTime - Duration::seconds(200);
    pod.ready_transition =
        kReadingTime - Duration::seconds(65);  // the sample is of kReadingTime - 5 s
    CHECK(group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {}).ready_count == 1);
    pod.ready_transition = kReadingTime - Duration::seconds(64);
    CHECK(group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {}).unready.size() == 1);
    CHECK(group_pods(s.view.pods, s.reading.pods, false, kReadingTime, {}).ready_count == 1);
}

TEST_CASE("HpaReplicaCalculator: a pod that was never ready is left out, one that lost it counts") {
    Setting s = setting({1000});
    ScalingPod& pod = s.view.pods[0];
    pod.ready = false;
    pod.start_time = kReadingTime - Duration::minutes(20);
    pod.ready_transition = *pod.start_time + Duration::seconds(29);
    CHECK(group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {}).unready.size() == 1);
    pod.ready_transition = *pod.start_time + Duration::seconds(30);
    CHECK(group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {}).ready_count == 1);
    pod.ready_transition = Time::max();
    CHECK(group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {}).unready.size() == 1);
}

TEST_CASE("HpaReplicaCalculator: groups deleted, failed, pending and unmeasured pods") {
    Setting s = setting({1, 1, 1, std::nullopt, 1});
    s.view.pods[0].deleted = true;
    s.view.pods[1].phase = PodPhase::failed;
    s.view.pods[2].phase = PodPhase::pending;
    s.view.pods[4].phase = PodPhase::succeeded;
    const auto groups = group_pods(s.view.pods, s.reading.pods, true, kReadingTime, {});
    CHECK(groups.ignored == std::vector<std::size_t>{0, 1});
    CHECK(groups.unready == std::vector<std::size_t>{2});
    CHECK(groups.missing == std::vector<std::size_t>{3});
    CHECK(groups.ready_count == 1);
}

TEST_CASE("HpaReplicaCalculator: fails when a request is missing, with its container's name") {
    Setting s = setting({100, 100});
    s.view.pods[1].containers.push_back({.name = "proxy", .cpu_milli = {}, .memory_milli = {}});
    const auto p = propose(cpu_at(50), s);
    CHECK_FALSE(p.valid);
    CHECK(p.error == "metric cpu: missing request for cpu in container proxy of pod pod");
    HpaMetric one = cpu_at(50);
    one.request = {MetricKind::container_resource, "cpu", "main"};
    CHECK(propose(one, s).valid);
}

TEST_CASE("HpaReplicaCalculator: fails without pods, without samples and without a reading") {
    CHECK_FALSE(propose(cpu_at(50), setting({})).valid);
    CHECK_FALSE(propose(cpu_at(50), setting({std::nullopt})).valid);
    Setting s = setting({100});
    s.reading.available = false;
    s.reading.error = "scrape timed out";
    CHECK(propose(cpu_at(50), s).error == "unable to get metric cpu: scrape timed out");
}

TEST_CASE("HpaReplicaCalculator: a container metric looks at the named container alone") {
    Setting s = setting({std::nullopt});
    s.view.pods[0].containers = {{.name = "a", .cpu_milli = 100, .memory_milli = {}},
                                 {.name = "b", .cpu_milli = 1000, .memory_milli = {}}};
    s.reading.containers = {{used(100), used(200)}};
    HpaMetric one = cpu_at(40);
    one.request = {MetricKind::container_resource, "cpu", "b"};
    CHECK(propose(one, s).utilization_percent == 20);
    CHECK(propose(cpu_at(40), s).utilization_percent == 27);  // both: 300 of 1100
    s.view.pods[0].containers[1].common_name = "c";
    CHECK(propose(one, s).utilization_percent == 20);
    one.request.container = "c";
    CHECK(propose(one, s).utilization_percent == 20);
    s.reading.containers = {{used(100), std::nullopt}};
    CHECK_FALSE(propose(one, s).valid);
}

TEST_CASE("HpaReplicaCalculator: a pods metric is the whole mean, unmeasured pods at the target") {
    const auto queue = metric(MetricKind::pods, HpaTargetKind::average_value, 10'000);
    CHECK(propose(queue, setting({20'000, 20'000})).replicas == 4);
    CHECK(propose(queue, setting({10'500, 11'300})).replicas == 2);
    CHECK(propose(queue, setting({2'000, 2'000, std::nullopt})).replicas == 2);    // 14/3 of 10
    CHECK(propose(queue, setting({10'000, 10'000, std::nullopt})).replicas == 3);  // exactly at it
    CHECK(propose(queue, setting({20'000, 20'000})).measured == "queue 20 (target 10 a pod)");
}

TEST_CASE("HpaReplicaCalculator: an object's value scales the ready pods") {
    const auto depth = metric(MetricKind::object, HpaTargetKind::value, 10'000);
    Setting s = setting({std::nullopt, std::nullopt, std::nullopt});
    s.reading.values_milli = {25'000};
    CHECK(propose(depth, s).replicas == 8);
    s.view.pods[0].ready = false;
    CHECK(propose(depth, s).replicas == 5);
    s.view.spec_replicas = 0;
    CHECK(propose(depth, s).replicas == 3);
}

TEST_CASE("HpaReplicaCalculator: an external value is the sum of its series, a pod's part of it") {
    const auto depth = metric(MetricKind::external, HpaTargetKind::average_value, 10'000);
    Setting s = setting({std::nullopt, std::nullopt});
    s.reading.values_milli = {25'000, 6'000};
    const auto p = propose(depth, s);
    CHECK(p.replicas == 4);
    CHECK(p.usage_milli == 15'500);
    s.reading.values_milli = {21'000};
    CHECK(propose(depth, s).replicas == 2);
    s.view.status_replicas = 0;
    CHECK(propose(depth, s).replicas == 3);
    s.reading.values_milli = {0};
    CHECK(propose(depth, s).replicas == 0);
}

}  // namespace
}  // namespace headroom::policies
