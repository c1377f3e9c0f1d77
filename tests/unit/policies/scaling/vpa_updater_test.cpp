#include "policies/scaling/vpa/vpa_updater.hpp"

#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/vpa_units.hpp"

namespace headroom::policies {
namespace {

using control::PodPhase;
using control::ScalingPod;
using control::ScalingView;

constexpr Time kUpdateTime = Time::zero() + Duration::hours(20);

std::optional<std::int64_t> mebi_milli(std::int64_t mebi) {
    return mebi * kMebi * 1000;
}

/// Running for two hours with 1000 m and 1000 Mi.
ScalingPod young_pod(std::int64_t cpu_milli = 1000, std::int64_t mebi = 1000) {
    ScalingPod pod;
    pod.name = "web";
    pod.start_time = kUpdateTime - Duration::hours(2);
    pod.containers = {{"main", cpu_milli, mebi_milli(mebi)}};
    return pod;
}

ScalingPod old_pod(std::int64_t cpu_milli = 1000, std::int64_t mebi = 1000) {
    ScalingPod pod = young_pod(cpu_milli, mebi);
    pod.start_time = kUpdateTime - Duration::hours(12);
    return pod;
}

ScalingView view_of_pods(std::vector<ScalingPod> pods) {
    ScalingView view;
    view.now = kUpdateTime;
    view.spec_replicas = static_cast<std::int64_t>(pods.size());
    view.pods = std::move(pods);
    return view;
}

/// 1000 m within 500 m and 2000 m, 1000 Mi within 500 Mi and 2000 Mi.
std::vector<VpaNamedRecommendation> middling() {
    VpaRecommendation of;
    of.cpu = VpaBounds{500, 1000, 2000};
    of.memory = VpaBounds{500 * kMebi, 1000 * kMebi, 2000 * kMebi};
    return {{"main", of}};
}

std::vector<std::size_t> evicted(const ScalingView& view, const VpaUpdateOptions& options = {}) {
    std::vector<std::size_t> pods;
    for (const VpaUpdate& update : plan_vpa_updates(view, middling(), options).evict) {
        pods.push_back(update.pod);
    }
    return pods;
}

using Indices = std::vector<std::size_t>;

TEST_CASE("VpaPriority: the bounds themselves are within, and the least beyond is not") {
    for (const std::int64_t cpu : {500, 2000}) {
        CHECK_FALSE(vpa_pod_priority(young_pod(cpu), middling()).outside);
    }
    for (const std::int64_t cpu : {499, 2001}) {
        const VpaPodPriority priority = vpa_pod_priority(young_pod(cpu), middling());
        CHECK(priority.outside);
        CHECK(priority.resource == VpaResource::cpu);
    }
    ScalingPod pod = young_pod();
    pod.containers[0].memory_milli = 2000 * kMebi * 1000 + 1;
    const VpaPodPriority priority = vpa_pod_priority(pod, middling());
    CHECK(priority.outside);
    CHECK(priority.resource == VpaResource::memory);
}

TEST_CASE("VpaPriority: the difference is that of the pod's sums, added over the resources") {
    // |800 - 1000| / 800 = 0.25, |1250 - 1000| / 1250 = 0.2.
    const VpaPodPriority priority = vpa_pod_priority(young_pod(800, 1250), middling());
    CHECK(priority.resource_diff == Approx(0.45));
    CHECK(priority.grows);
    CHECK_FALSE(vpa_pod_priority(young_pod(1200, 1250), middling()).grows);
    // Two containers: (500 + 1500) of 1000 + 1000 is no difference at all.
    std::vector<VpaNamedRecommendation> both = middling();
    both.push_back({"sidecar", both[0].of});
    ScalingPod pod = young_pod(500);
    pod.containers.push_back({"sidecar", 1500, mebi_milli(1000)});
    CHECK(vpa_pod_priority(pod, both).resource_diff == 0.0);
    // A container that nothing is recommended for does not count.
    CHECK(vpa_pod_priority(pod, middling()).resource_diff == Approx(1.0));
}

TEST_CASE("VpaPriority: a request that was never made is outside, and wants to grow") {
    ScalingPod pod = young_pod();
    pod.containers[0].cpu_milli = std::nullopt;
    const VpaPodPriority priority = vpa_pod_priority(pod, middling());
    CHECK(priority.outside);
    CHECK(priority.grows);
    // Against at least one milli-core: |1 - 1000| / 1.
    CHECK(priority.resource_diff == Approx(999.0));
    // A resource out of control is not looked at.
    std::vector<VpaNamedRecommendation> memory_only = middling();
    memory_only[0].of.cpu = std::nullopt;
    CHECK_FALSE(vpa_pod_priority(pod, memory_only).outside);
    CHECK(vpa_pod_priority(pod, memory_only).resource_diff == 0.0);
}

TEST_CASE("VpaUpdater: a pod that was killed for memory soon after its start goes, if it changes") {
    const auto killed_after = [](ScalingPod pod, Duration life) {
        const Time started = kUpdateTime - Duration::hours(1);
        pod.oom_kill = control::OomKill{.at = started + life, .started = started};
        return pod;
    };
    const auto minutes = [](std::int64_t n) { return Duration::minutes(n); };
    const Duration almost = minutes(10) - Duration::picoseconds(1);
    CHECK(evicted(view_of_pods({killed_after(young_pod(1001), almost), young_pod()})) ==
          Indices{0});
    CHECK(evicted(view_of_pods({killed_after(young_pod(1001), minutes(10)), young_pod()})).empty());
    CHECK(evicted(view_of_pods({killed_after(young_pod(), almost), young_pod()})).empty());
    CHECK(evicted(view_of_pods({killed_after(young_pod(1001), minutes(4)), young_pod()}),
                  {.oom_threshold = minutes(3)})
              .empty());
    // One that started before the run has lived long.
    ScalingPod warm = young_pod(1001);
    warm.oom_kill = control::OomKill{.at = Time::zero(), .started = Time::picoseconds(-1)};
    CHECK(evicted(view_of_pods({warm, young_pod()})).empty());
    // A container without a recommendation does not count.
    ScalingPod other = killed_after(young_pod(1001), minutes(1));
    other.containers.push_back({"sidecar", 100, mebi_milli(100)});
    other.oom_kill->container = 1;
    CHECK(evicted(view_of_pods({other, young_pod()})).empty());
}

TEST_CASE("VpaUpdater: pending pods may all go, of running ones only some") {
    ScalingPod waits = young_pod(8000);
    waits.phase = PodPhase::pending;
    CHECK(evicted(view_of_pods({waits, waits})) == Indices{0, 1});
    waits.phase = PodPhase::running;
    CHECK(evicted(view_of_pods({waits, waits})) == Indices{0});
}

TEST_CASE("VpaUpdater: within bounds a pod goes after 12 h, when it is 10 % off") {
    CHECK(evicted(view_of_pods({young_pod(1500), young_pod()})).empty());
    CHECK(evicted(view_of_pods({old_pod(1500), young_pod()})) == Indices{0});
    ScalingPod almost = old_pod(1500);
    almost.start_time = *almost.start_time + Duration::picoseconds(1);
    CHECK(evicted(view_of_pods({almost, young_pod()})).empty());
    // |1112 - 1000| / 1112 = 0.1007; |1111 - 1000| / 1111 = 0.0999.
    CHECK(evicted(view_of_pods({old_pod(1112), young_pod()})) == Indices{0});
    CHECK(evicted(view_of_pods({old_pod(1111), young_pod()})).empty());
    // Started before the run did, or nobody knows when.
    ScalingPod before = old_pod(1500);
    before.start_time = Time::picoseconds(-1);
    CHECK(evicted(view_of_pods({before, young_pod()})) == Indices{0});
    before.start_time = std::nullopt;
    CHECK(evicted(view_of_pods({before, young_pod()})).empty());
}

TEST_CASE("VpaUpdater: outside of its bounds a pod goes at once") {
    CHECK(evicted(view_of_pods({young_pod(), young_pod(2001)})) == Indices{1});
}

TEST_CASE("VpaUpdater: those that grow go first, then the farthest off, then the oldest") {
    VpaUpdateOptions all;
    all.eviction_tolerance = 1.0;
    CHECK(evicted(view_of_pods({young_pod(3000), young_pod(400), young_pod(4000), young_pod(300),
                                young_pod(4000)}),
                  all) == Indices{3, 1, 2, 4, 0});
}

TEST_CASE("VpaUpdater: half the pods may be away at one time") {
    const ScalingPod off = young_pod(3000);
    // Of 5, floor(2.5) = 2: before each eviction more than 3 run.
    CHECK(evicted(view_of_pods({off, off, off, off, off})) == Indices{0, 1});
    CHECK(evicted(view_of_pods({off, off})) == Indices{0});
    // One of them away already: spec 5, live 4.
    ScalingView four = view_of_pods({off, off, off, off});
    four.spec_replicas = 5;
    CHECK(evicted(four) == Indices{0});
    four.spec_replicas = 6;
    CHECK(evicted(four) == Indices{0});
    four.spec_replicas = 8;
    CHECK(evicted(four).empty());
    // More pods than asked for, during a rollout.
    four.spec_replicas = 2;
    CHECK(evicted(four) == Indices{0, 1, 2});
}

TEST_CASE("VpaUpdater: where the tolerance is less than one pod, one goes if all run") {
    const ScalingPod off = young_pod(3000);
    VpaUpdateOptions strict;
    strict.eviction_tolerance = 0.1;
    CHECK(evicted(view_of_pods({off, off, off}), strict) == Indices{0});
    ScalingView one_away = view_of_pods({off, off});
    one_away.spec_replicas = 3;
    CHECK(evicted(one_away, strict).empty());
    strict.min_replicas = 1;
    CHECK(evicted(view_of_pods({off}), strict) == Indices{0});
}

TEST_CASE("VpaUpdater: fewer live pods than min_replicas stay, whatever they request") {
    const VpaUpdatePlan plan = plan_vpa_updates(view_of_pods({young_pod(3000)}), middling(), {});
    CHECK(plan.evict.empty());
    CHECK(plan.too_few);
    CHECK(plan.wanting == 1);
    VpaUpdateOptions one;
    one.min_replicas = 1;
    CHECK(evicted(view_of_pods({young_pod(3000)}), one) == Indices{0});
    ScalingView none = view_of_pods({young_pod(3000), young_pod(3000)});
    none.spec_replicas = 0;
    CHECK(evicted(none).empty());
}

TEST_CASE("VpaUpdater: a pending pod may always go, and counts as not running") {
    ScalingPod pending = young_pod(3000);
    pending.phase = PodPhase::pending;
    // Of 2 one runs, which is not more than 2 - 1: it stays.
    CHECK(evicted(view_of_pods({young_pod(3000), pending})) == Indices{1});
    // Not bound to a node: upstream does not list it, so one pod is live.
    pending.start_time = std::nullopt;
    const VpaUpdatePlan plan =
        plan_vpa_updates(view_of_pods({young_pod(3000), pending}), middling(), {});
    CHECK(plan.evict.empty());
    CHECK(plan.live == 1);
}

TEST_CASE("VpaUpdater: deleted and ended pods are not seen") {
    ScalingPod deleted = young_pod(3000);
    deleted.deleted = true;
    ScalingPod failed = young_pod(3000);
    failed.phase = PodPhase::failed;
    const VpaUpdatePlan plan = plan_vpa_updates(
        view_of_pods({deleted, failed, young_pod(3000), young_pod(3000)}), middling(), {});
    CHECK(plan.live == 2);
    CHECK(plan.wanting == 2);
    // Asked for are 4, of which 2 run: not more than 4 - 2.
    CHECK(plan.evict.empty());
}

}  // namespace
}  // namespace headroom::policies
