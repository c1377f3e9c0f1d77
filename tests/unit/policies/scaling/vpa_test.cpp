#include "policies/scaling/vpa/vpa.hpp"

#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"
#include "tests/unit/policies/scaling/vpa_units.hpp"

namespace headroom::policies {
namespace {

using control::MetricReading;
using control::PodPhase;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;

constexpr std::int64_t kGibi = 1 << 30;

Parameters vpa_defaults() {
    return Parameters::defaults(Vpa::parameter_specs());
}

/// A container policy of defaults.
Parameters policy() {
    for (const ParameterSpec& spec : Vpa::parameter_specs()) {
        if (spec.name == "container_policies") return Parameters::defaults(spec.fields[0].fields);
    }
    return {};
}

ParameterValue cpu(std::int64_t milli) {
    Parameters amounts;
    amounts.set("cpu", {milli});
    return object(std::move(amounts));
}

Parameters with(Parameters container_policy) {
    Parameters p = vpa_defaults();
    p.set("container_policies", list({object(std::move(container_policy))}));
    return p;
}

std::unique_ptr<ScalingPolicy> make_vpa(Parameters p) {
    return make_scaler("vpa", std::move(p));
}

/// A workload whose pods use what they use, seen once a minute.
struct Workload {
    ScalingView view;
    std::int64_t used_milli = 1000;
    std::int64_t used_bytes = kGibi;

    explicit Workload(std::int64_t replicas) { view.spec_replicas = replicas; }

    void add(const std::string& name, std::int64_t cpu_milli, std::int64_t bytes, Time start) {
        ScalingPod pod;
        pod.name = name;
        pod.ready = true;
        pod.start_time = start;
        pod.containers = {{"main", cpu_milli, bytes * 1000}};
        view.pods.push_back(pod);
    }
    void remove(std::size_t pod) {
        view.pods.erase(view.pods.begin() + static_cast<std::ptrdiff_t>(pod));
    }
    ScalingView& at(std::int64_t minute) {
        view.now = Time::zero() + Duration::minutes(minute);
        MetricReading cpu_reading;
        cpu_reading.available = true;
        MetricReading memory_reading = cpu_reading;
        for (const ScalingPod& pod : view.pods) {
            const bool running = pod.phase == PodPhase::running;
            std::optional<PodSample> of_cpu, of_memory;
            if (running) of_cpu = PodSample{used_milli, view.now, Duration::minutes(1)};
            if (running) of_memory = PodSample{used_bytes * 1000, view.now, Duration::zero()};
            cpu_reading.pods.push_back(of_cpu);
            memory_reading.pods.push_back(of_memory);
        }
        view.metrics = {cpu_reading, memory_reading};
        return view;
    }
};

Workload two_large_pods() {
    Workload workload(2);
    workload.add("web-0", 8000, 1200 * kMebi, Time::zero());
    workload.add("web-1", 8000, 1200 * kMebi, Time::zero());
    return workload;
}

/// The first minute up to `last` in which a pod is evicted; -1: none is.
std::int64_t first_eviction(ScalingPolicy& vpa, Workload& workload, std::int64_t last) {
    for (std::int64_t minute = 0; minute <= last; ++minute) {
        if (!vpa.decide(workload.at(minute)).evict.empty()) return minute;
    }
    return -1;
}

TEST_CASE("Vpa: asks for cpu and memory once a minute and leaves the replicas alone") {
    const auto vpa = make_vpa(vpa_defaults());
    REQUIRE(vpa->metrics().size() == 2);
    for (const auto& metric : vpa->metrics()) CHECK(metric.kind == control::MetricKind::resource);
    CHECK(vpa->metrics()[0].name == "cpu");
    CHECK(vpa->metrics()[1].name == "memory");
    CHECK(vpa->period() == Duration::minutes(1));
    CHECK_FALSE(vpa->scales_replicas());
    CHECK(vpa->faults().empty());
    Workload workload(7);
    const ScalingDecision none = vpa->decide(workload.at(0));
    CHECK(none.desired == 7);
    CHECK(none.wanted == 7);
    CHECK(none.outcome == ScalingOutcome::no_metrics);
    CHECK(none.reason == "nothing to recommend yet: no cpu sample");
}

TEST_CASE("Vpa: two pods of eight cores that use one are replaced one after the other") {
    // One core lies in [0.95836, 1.01628): 1016 m, with 15 % (152.4) 1168 m. 1 Gi lies in [1016.3,
    // 1077.1) MB: 1077095457 bytes with 161564318 make 1238659775, 1181.2 Mi, of which the 1200 Mi
    // that are requested are 1.6 % off.
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload = two_large_pods();
    const ScalingDecision first = vpa->decide(workload.at(0));
    REQUIRE(first.requests.size() == 1);
    CHECK(first.requests[0].name == "main");
    CHECK(first.requests[0].cpu_milli == 1168);
    CHECK(first.requests[0].memory_milli == 1'238'659'775'000);
    CHECK(first.evict.empty());
    CHECK(first.outcome == ScalingOutcome::unchanged);
    CHECK(first.reason == "none of 2 live pods is to be replaced");
    CHECK(first.inputs ==
          "main: cpu 1168m (25m to any), memory 1181.2Mi (250Mi to any), 2 cpu samples in 0.0 h");

    // After k minutes there are k/1440 days and 2 (k + 1) samples: confidence k/1440. The upper
    // bound 1168 (1 + 1440/k) falls below 8000 when k > 1681920 / 6832 = 246.2.
    for (std::int64_t minute = 1; minute <= 246; ++minute) {
        const ScalingDecision decision = vpa->decide(workload.at(minute));
        CHECK(decision.evict.empty());
        CHECK(decision.requests.empty());  // as before
        CHECK(decision.desired == 2);
    }
    const ScalingDecision second = vpa->decide(workload.at(247));
    CHECK(evicted_by(second) == std::vector<std::size_t>{0});
    CHECK(second.reason ==
          "web-0 requests cpu 8000m, recommended 1154m to 7977m; 1 of 2 to replace go: 2 of 2 run, "
          "eviction_tolerance 0.5 lets 1 be away");
    CHECK("web-0 " + second.evict[0].reason ==
          "web-0 requests cpu 8000m, recommended 1154m to 7977m; 1 of 2 to replace go: 2 of 2 run, "
          "eviction_tolerance 0.5 lets 1 be away");

    // While its successor is not there, and while it does not run, the other one stays.
    workload.remove(0);
    const ScalingDecision alone = vpa->decide(workload.at(248));
    CHECK(alone.evict.empty());
    CHECK(alone.outcome == ScalingOutcome::limited);
    CHECK(alone.reason == "1 to replace, none may go: 1 live, min_replicas 2");
    workload.add("web-2", 1168, 1'238'659'775, workload.at(249).now);
    workload.view.pods[1].phase = PodPhase::pending;
    const ScalingDecision starting = vpa->decide(workload.at(249));
    CHECK(starting.evict.empty());
    CHECK(starting.reason ==
          "1 to replace, none may go: 1 of 2 run, eviction_tolerance 0.5 lets 1 be away");
    workload.view.pods[1].phase = PodPhase::running;
    const ScalingDecision third = vpa->decide(workload.at(250));
    CHECK(evicted_by(third) == std::vector<std::size_t>{0});
    CHECK(third.reason.find("web-1 requests cpu 8000m") == 0);
    workload.remove(0);
    workload.add("web-3", 1168, 1'238'659'775, workload.at(251).now);
    for (std::int64_t minute = 251; minute < 2000; ++minute) {
        if (!vpa->decide(workload.at(minute)).evict.empty()) FAIL("minute " << minute);
    }
}

TEST_CASE("Vpa: a pod within its bounds is replaced when it has lived for twelve hours") {
    // 1400 m of 1168 m: |1400 - 1168| / 1400 = 16.6 %, and memory 1.6 %. Its upper bound
    // 1168 (1 + 1440/k) stays above it for five days.
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload(2);
    workload.add("web-0", 1168, 1200 * kMebi, Time::zero());
    workload.add("web-1", 1400, 1200 * kMebi, Time::zero() + Duration::minutes(30));
    CHECK(first_eviction(*vpa, workload, 749) == -1);
    const ScalingDecision decision = vpa->decide(workload.at(750));
    CHECK(evicted_by(decision) == std::vector<std::size_t>{1});
    CHECK(decision.reason.find("web-1 is 18 % off its targets, cpu and memory added up; 1 of 1 to "
                               "replace go") == 0);
}

TEST_CASE("Vpa: more use moves the recommendation, and pods that are too small go") {
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload(2);
    workload.add("web-0", 1168, 1200 * kMebi, Time::zero());
    workload.add("web-1", 1168, 1200 * kMebi, Time::zero());
    CHECK(first_eviction(*vpa, workload, 600) == -1);
    // 1.9 cores lie in [1.88025, 1.98427): 1984 + 297 = 2281 m. The target follows when the new
    // samples weigh more than a tenth of all: of 601 + n minutes that is n = 67, and less as newer
    // ones weigh more. The lower bound, by the median, would follow when they weigh half.
    workload.used_milli = 1900;
    std::int64_t retargeted = -1;
    std::int64_t evicted = -1;
    for (std::int64_t minute = 601; evicted < 0 && minute < 1800; ++minute) {
        const ScalingDecision decision = vpa->decide(workload.at(minute));
        if (!decision.requests.empty()) {
            CHECK(retargeted == -1);
            retargeted = minute;
            CHECK(decision.requests[0].cpu_milli == 2281);
        }
        // At 12 h, 720, they differ by |1168 - 2281| / 1168: within bounds, yet far off.
        if (!decision.evict.empty()) evicted = minute;
    }
    CHECK(retargeted == 658);
    CHECK(evicted == 720);
}

TEST_CASE("Vpa: Off recommends, Initial changes new pods, Auto is Recreate") {
    for (const char* mode : {"Off", "Initial", "Recreate", "Auto"}) {
        INFO(mode);
        Parameters p = vpa_defaults();
        p.set("update_mode", text(mode));
        const auto vpa = make_vpa(p);
        Workload workload = two_large_pods();
        const bool off = std::string(mode) == "Off";
        CHECK(vpa->decide(workload.at(0)).requests.empty() == off);
        const bool evicts = std::string(mode) == "Recreate" || std::string(mode) == "Auto";
        CHECK(first_eviction(*vpa, workload, 400) == (evicts ? 247 : -1));
        const ScalingDecision decision = vpa->decide(workload.at(401));
        CHECK(decision.inputs.find("main: cpu 1168m") == 0);
        if (off) CHECK(decision.reason == "recommends only: update_mode Off");
    }
}

TEST_CASE("Vpa: pods that were there before the run are replaced on the first sample") {
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload = two_large_pods();
    for (ScalingPod& pod : workload.view.pods) pod.start_time = Time::picoseconds(-1);
    CHECK(evicted_by(vpa->decide(workload.at(0))) == std::vector<std::size_t>{0});
}

TEST_CASE("Vpa: the updater looks as often as it is told") {
    Parameters p = vpa_defaults();
    p.set("updater_interval", {Duration::minutes(100)});
    const auto vpa = make_vpa(p);
    Workload workload = two_large_pods();
    CHECK(first_eviction(*vpa, workload, 1000) == 300);
    CHECK(vpa->decide(workload.at(301)).reason == "recommends only: the updater is not due");
}

TEST_CASE("Vpa: a sample that was read before is not another one") {
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload = two_large_pods();
    ScalingView view = workload.at(0);
    for (std::int64_t minute = 0; minute < 10; ++minute) {
        view.now = Time::zero() + Duration::minutes(minute);
        CHECK(vpa->decide(view).inputs.find(", 2 cpu samples in 0.0 h") != std::string::npos);
    }
}

TEST_CASE("Vpa: a container policy caps, chooses resources and can leave a container alone") {
    Parameters capped = policy();
    capped.set("container_name", text("main"));
    capped.set("max_allowed", cpu(900));
    capped.set("controlled_resources", list({text("cpu")}));
    Workload workload = two_large_pods();
    const auto vpa = make_vpa(with(capped));
    const ScalingDecision decision = vpa->decide(workload.at(0));
    REQUIRE(decision.requests.size() == 1);
    CHECK(decision.requests[0].cpu_milli == 900);
    CHECK_FALSE(decision.requests[0].memory_milli.has_value());
    // The upper bound is capped too: 8000 m are outside of it at once.
    CHECK(evicted_by(decision) == std::vector<std::size_t>{0});

    Parameters off = policy();
    off.set("mode", text("Off"));
    const ScalingDecision nothing = make_vpa(with(off))->decide(workload.at(0));
    CHECK(nothing.requests.empty());
    CHECK(nothing.outcome == ScalingOutcome::no_metrics);

    // A policy by name goes before the one for the others.
    Parameters p = vpa_defaults();
    p.set("container_policies", list({object(off), object(capped)}));
    CHECK(make_vpa(p)->decide(workload.at(0)).requests.size() == 1);

    // So does one by the name in all versions; the container's own name goes before that.
    Workload version = two_large_pods();
    for (ScalingPod& pod : version.view.pods) pod.containers[0].common_name = "web";
    Parameters common = capped;
    common.set("container_name", text("web"));
    common.set("max_allowed", cpu(800));
    for (const auto& policies :
         {list({object(common), object(off)}), list({object(off), object(common)})}) {
        p.set("container_policies", policies);
        CHECK(make_vpa(p)->decide(version.at(0)).requests[0].cpu_milli == 800);
    }
    p.set("container_policies", list({object(common), object(capped)}));
    CHECK(make_vpa(p)->decide(version.at(0)).requests[0].cpu_milli == 900);

    Parameters limited = policy();
    limited.set("limits", cpu(700));
    CHECK(make_vpa(with(limited))->decide(workload.at(0)).requests[0].cpu_milli == 1168);
    limited.set("controlled_values", text("RequestsOnly"));
    CHECK(make_vpa(with(limited))->decide(workload.at(0)).requests[0].cpu_milli == 700);
}

TEST_CASE("Vpa: a kill for memory counts as more than what was requested, once") {
    // A gibi is requested and half of one used. The kill counts as 1.2 Gi, 1288490188 bytes, and
    // the end of its bucket, 5 % wide, is the new peak.
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload(1);
    workload.used_bytes = kGibi / 2;
    workload.add("web-0", 1168, kGibi, Time::zero());
    const std::int64_t before = *vpa->decide(workload.at(0)).requests[0].memory_milli;
    CHECK(before / 1000 < kGibi);
    workload.view.pods[0].oom_kill = control::OomKill{.at = Time::zero() + Duration::seconds(70),
                                                      .started = Time::zero(),
                                                      .memory_milli = kGibi * 1000};
    const ScalingDecision killed = vpa->decide(workload.at(2));
    REQUIRE(killed.requests.size() == 1);
    const double wanted = 1.2 * static_cast<double>(kGibi) * 1.15;
    const auto memory = static_cast<double>(*killed.requests[0].memory_milli) / 1000.0;
    CHECK(memory >= wanted);
    CHECK(memory <= wanted * 1.05);
    // Later samples are below; the same kill, seen again, is none.
    for (std::int64_t minute = 3; minute < 100; ++minute) {
        CHECK(vpa->decide(workload.at(minute)).requests.empty());
    }
}

TEST_CASE("Vpa: what a kill counts as is a parameter, at least a number of bytes more") {
    const auto memory_after = [](double ratio, std::int64_t bytes) {
        Parameters p = vpa_defaults();
        p.set("oom_bump_up_ratio", {ratio});
        p.set("oom_min_bump_up_bytes", {bytes});
        const auto vpa = make_vpa(std::move(p));
        Workload workload(1);
        workload.used_bytes = kMebi;
        workload.add("web-0", 1168, kGibi, Time::zero());
        workload.view.pods[0].oom_kill = control::OomKill{
            .at = Time::zero(), .started = Time::zero(), .memory_milli = kGibi * 1000};
        const ScalingDecision decision = vpa->decide(workload.at(0));
        return static_cast<double>(*decision.requests[0].memory_milli) / 1000.0 / 1.15 / kGibi;
    };
    CHECK(memory_after(1.2, 100 * kMebi) == Approx(1.2).epsilon(0.05));
    CHECK(memory_after(2.0, 100 * kMebi) == Approx(2.0).epsilon(0.05));
    CHECK(memory_after(1.2, 2 * kGibi) == Approx(3.0).epsilon(0.05));
}

TEST_CASE("Vpa: a memory limit keeps its proportion to the request, or caps it") {
    Workload workload = two_large_pods();
    const auto limit_of = [&](const ScalingDecision& decision) {
        REQUIRE(decision.requests.size() == 1);
        return decision.requests[0].memory_limit_milli;
    };
    CHECK_FALSE(limit_of(make_vpa(vpa_defaults())->decide(workload.at(0))).has_value());
    const std::int64_t target = 1'238'659'775;
    // The template's, whatever the pods have by now: 3 to 2, fractions cut off.
    workload.view.containers = {{"main", 8000, kGibi * 1000, kGibi * 1500}};
    const ScalingDecision scaled = make_vpa(vpa_defaults())->decide(workload.at(0));
    CHECK(scaled.requests[0].memory_milli == target * 1000);
    CHECK(limit_of(scaled) == 1'857'989'662'000);
    CHECK(scaled.inputs.find(" limit 1771.9Mi,") != std::string::npos);
    // Equal ones stay equal; a limit alone is its request.
    workload.view.containers = {{"main", 8000, kGibi * 1000, kGibi * 1000}};
    CHECK(limit_of(make_vpa(vpa_defaults())->decide(workload.at(0))) == target * 1000);
    workload.view.containers = {{"main", 8000, std::nullopt, kGibi * 1000}};
    CHECK(limit_of(make_vpa(vpa_defaults())->decide(workload.at(0))) == target * 1000);
    // Requests only: the limit stays, and the request stays below it.
    Parameters only = policy();
    only.set("controlled_values", text("RequestsOnly"));
    const ScalingDecision capped = make_vpa(with(only))->decide(workload.at(0));
    CHECK(capped.requests[0].memory_milli == kGibi * 1000);
    CHECK_FALSE(limit_of(capped).has_value());
    // Where memory is out of control, so is its limit.
    Parameters cpu_only = policy();
    cpu_only.set("controlled_resources", list({text("cpu")}));
    CHECK_FALSE(limit_of(make_vpa(with(cpu_only))->decide(workload.at(0))).has_value());
}

TEST_CASE("Vpa: containers of a pod are told apart and share the pod's least") {
    Workload workload(1);
    workload.add("web-0", 100, 100 * kMebi, Time::zero());
    workload.view.pods[0].containers.push_back({"sidecar", 100, 100 * kMebi * 1000});
    ScalingView view = workload.at(0);
    const auto vpa = make_vpa(vpa_defaults());
    // Without figures by container there is nothing to learn of either.
    CHECK(vpa->decide(view).outcome == ScalingOutcome::no_metrics);
    const auto sample = [&](std::int64_t milli) {
        return PodSample{milli, view.now, Duration::minutes(1)};
    };
    view.metrics[0].containers = {{sample(1000), sample(1)}};
    view.metrics[1].containers = {{sample(kGibi * 1000), sample(kMebi * 1000)}};
    const ScalingDecision decision = vpa->decide(view);
    REQUIRE(decision.requests.size() == 2);
    CHECK(decision.requests[0].name == "main");
    CHECK(decision.requests[0].cpu_milli == 1168);
    CHECK(decision.requests[1].name == "sidecar");
    CHECK(decision.requests[1].cpu_milli == 12);  // half of 25 m; of 1 m were 10 + 1
    CHECK(decision.requests[1].memory_milli == 125 * kMebi * 1000);
}

TEST_CASE("Vpa: eight days without a sample are forgotten") {
    const auto vpa = make_vpa(vpa_defaults());
    Workload workload = two_large_pods();
    vpa->decide(workload.at(0));
    vpa->decide(workload.at(1));
    std::vector<ScalingPod> pods = std::move(workload.view.pods);
    workload.view.pods.clear();
    const std::int64_t eight_days = 8 * 1440;
    // Looked for once an hour, after recommending: first on minute 0, then on minute 60, ...
    for (std::int64_t minute = 60; minute <= eight_days; minute += 60) {
        CHECK(vpa->decide(workload.at(minute)).outcome == ScalingOutcome::unchanged);
    }
    CHECK(vpa->decide(workload.at(eight_days + 60)).outcome == ScalingOutcome::unchanged);
    CHECK(vpa->decide(workload.at(eight_days + 61)).outcome == ScalingOutcome::no_metrics);
    workload.view.pods = std::move(pods);
    workload.used_milli = 2000;
    // 2 cores lie in [1.98427, 2.09348): 2093 + 313; the old samples are gone.
    CHECK(vpa->decide(workload.at(eight_days + 62)).requests[0].cpu_milli == 2406);
}

TEST_CASE("Vpa: what cannot work is said with its place, and decides nothing") {
    Parameters container = policy();
    container.set("container_name", text(""));
    container.set("mode", text("Off"));
    container.set("min_allowed", cpu(4000));
    container.set("max_allowed", cpu(2000));
    container.set("controlled_resources", list({}));
    container.set("controlled_values", text("RequestsAndLimits"));
    Parameters twice = policy();
    twice.set("controlled_resources", list({text("memory"), text("memory")}));
    Parameters p = vpa_defaults();
    p.set("container_policies", list({object(container), object(twice), object(policy())}));
    p.set("updater_interval", {Duration::seconds(30)});
    p.set("lower_bound_cpu_percentile", {0.95});
    p.set("upper_bound_memory_percentile", {0.5});
    const auto vpa = make_vpa(p);
    std::map<std::string, std::string> faults;
    for (const auto& fault : vpa->faults()) faults[fault.pointer] = fault.expectation;
    CHECK(faults.size() == 9);
    CHECK(faults["/container_policies/0/container_name"] ==
          "expected the name of a container, or \"*\" for the others, found \"\"");
    CHECK(faults["/container_policies/0/min_allowed/cpu"] ==
          "expected at most max_allowed (2000m), found 4000m");
    CHECK(faults["/container_policies/0/controlled_resources"] ==
          "expected cpu, memory or both, found none: mode Off leaves a container alone");
    CHECK(faults["/container_policies/0/controlled_values"] ==
          "expected none where mode is Off, found RequestsAndLimits");
    CHECK(faults["/container_policies/1/controlled_resources/1"] ==
          "expected each resource once, found memory again");
    CHECK(faults["/container_policies/2/container_name"] ==
          "expected each container once, found \"*\" as in /container_policies/1");
    CHECK(faults["/updater_interval"] ==
          "expected at least recommender_interval (60 s), found 30 s");
    CHECK(faults["/lower_bound_cpu_percentile"] ==
          "expected at most target_cpu_percentile (0.9), found 0.95");
    CHECK(faults["/upper_bound_memory_percentile"] ==
          "expected at least target_memory_percentile (0.9), found 0.5");
    Workload workload = two_large_pods();
    const ScalingDecision decision = vpa->decide(workload.at(0));
    CHECK(decision.outcome == ScalingOutcome::invalid);
    CHECK(decision.desired == 2);
    CHECK(decision.evict.empty());
    CHECK(decision.requests.empty());
    CHECK_FALSE(decision.reason.empty());
}

}  // namespace
}  // namespace headroom::policies
