#include "policies/scaling/kpa/kpa.hpp"

#include <functional>
#include <optional>

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::policies {
namespace {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;
using tests::at;

/// Target 10 a pod, no burst capacity; the rest as Knative has it.
Parameters small_target() {
    Parameters p = Parameters::defaults(Kpa::parameter_specs());
    p.set("max_replicas", {std::int64_t{50}});
    p.set("target", {10.0});
    p.set("target_utilization_percentage", {100.0});
    p.set("target_burst_capacity", {0.0});
    return p;
}

/// The registered policy in a world with a load that is constant within each second, sampled every
/// second and ticked every two, whose pods are ready `start_time` ticks after they were asked for.
class KpaLoop {
  public:
    explicit KpaLoop(const Parameters& parameters, std::int64_t replicas)
        : policy_(make_policy<ScalingPolicy>({"kpa", parameters}, {})),
          kpa_(dynamic_cast<Kpa*>(policy_.get())),
          replicas_(replicas),
          ready_(replicas) {
        REQUIRE(kpa_ != nullptr);
    }

    /// Until `end` (whole seconds); `load(s)` holds from s to s + 1.
    void run(std::int64_t end, const std::function<double(std::int64_t)>& load) {
        for (; now_ < end; ++now_) {
            if (now_ > 0) {
                total_milli_ += static_cast<std::int64_t>(load(now_ - 1) * 1000.0);
                policy_->observe(view(at(now_)));
            }
            if (now_ % 2 == 0) tick(at(now_));
        }
    }

    ScalingDecision tick(Time when, bool waits = false) {
        ScalingView v = view(when);
        v.requests_wait = waits;
        last_ = policy_->decide(v);
        replicas_ = last_.desired;
        if (!frozen_) ready_ = replicas_;
        if (last_.buffer_at_gateway) buffering_ = *last_.buffer_at_gateway;
        return last_;
    }

    /// Pods that are asked for do not get ready, until thawed.
    void freeze(bool frozen) {
        frozen_ = frozen;
        if (!frozen) ready_ = replicas_;
    }
    [[nodiscard]] bool panics() const { return kpa_->memory().decider.panic_since.has_value(); }
    [[nodiscard]] std::int64_t replicas() const { return replicas_; }
    [[nodiscard]] bool buffering() const { return buffering_; }
    [[nodiscard]] const ScalingDecision& last() const { return last_; }
    [[nodiscard]] const Kpa& kpa() const { return *kpa_; }

  private:
    [[nodiscard]] ScalingView view(Time when) const {
        ScalingView v;
        v.now = when;
        v.spec_replicas = v.status_replicas = replicas_;
        for (std::int64_t i = 0; i < std::max(replicas_, ready_); ++i) {
            control::ScalingPod pod;
            pod.ready = i < ready_;
            v.pods.push_back(std::move(pod));
        }
        control::MetricReading reading;
        reading.available = true;
        reading.values_milli = {total_milli_};
        v.metrics.push_back(std::move(reading));
        return v;
    }

    std::unique_ptr<ScalingPolicy> policy_;
    Kpa* kpa_;
    std::int64_t replicas_;
    std::int64_t ready_;
    bool frozen_ = false;
    std::int64_t now_ = 0;
    std::int64_t total_milli_ = 0;
    bool buffering_ = false;
    ScalingDecision last_;
};

TEST_CASE("Kpa: samples the service's load every second and decides every two") {
    const auto kpa = make_policy<ScalingPolicy>({"kpa", small_target()}, {});
    CHECK(kpa->period() == Duration::seconds(2));
    CHECK(kpa->observes_every() == Duration::seconds(1));
    REQUIRE(kpa->metrics().size() == 1);
    CHECK(kpa->metrics()[0].name == "service_in_flight_seconds");
    CHECK(kpa->metrics()[0].live);
    CHECK(kpa->faults().empty());
}

TEST_CASE(
    "Kpa: the target is a share of container_concurrency, of 100 or of 200 requests a second") {
    const auto target = [](const std::function<void(Parameters&)>& change) {
        Parameters p = Parameters::defaults(Kpa::parameter_specs());
        p.set("max_replicas", {std::int64_t{5}});
        change(p);
        return Kpa(p, {}).spec().target_value;
    };
    CHECK(target([](Parameters&) {}) == Approx(70));
    CHECK(target([](Parameters& p) { p.set("metric", {std::string("rps")}); }) == Approx(140));
    CHECK(target([](Parameters& p) { p.set("container_concurrency", {std::int64_t{8}}); }) ==
          Approx(5.6));
    CHECK(target([](Parameters& p) {
              p.set("container_concurrency", {std::int64_t{8}});
              p.set("target", {20.0});  // not more than a pod takes
          }) == Approx(5.6));
    CHECK(target([](Parameters& p) { p.set("target", {20.0}); }) == Approx(14));
}

TEST_CASE("Kpa: a step of the load begins a panic at the tick that the arithmetic says") {
    KpaLoop loop(small_target(), 1);
    // 5 in flight until 60 s, then 100: the samples at 61 s and later say 100.
    const auto load = [](std::int64_t s) { return s < 60 ? 5.0 : 100.0; };
    loop.run(61, load);
    CHECK_FALSE(loop.panics());
    CHECK(loop.replicas() == 1);
    loop.freeze(true);

    // At 62 s the panic window is 57 to 62: (4 * 5 + 2 * 100) / 6 = 36.7, 4 pods, 4 times the one
    // that is ready. The stable one is (58 * 5 + 2 * 100) / 60 = 8.2, 1 pod.
    loop.run(63, load);
    CHECK(loop.panics());
    CHECK(loop.replicas() == 4);
    CHECK(loop.last().inputs ==
          "concurrency 8.16667 over 60 s, 36.6667 over 6 s; target 10 a pod, 1 ready");
    CHECK(loop.last().reason == "4 wanted, panic");
    loop.run(65, load);  // (2 * 5 + 4 * 100) / 6 = 68.3
    CHECK(loop.replicas() == 7);
    loop.run(69, load);  // 100
    CHECK(loop.replicas() == 10);

    // From 68 s on 10 are ready: 10 / 10 is below 2. 68 + 60 is strictly before 130, not 128.
    loop.freeze(false);
    loop.run(129, load);
    CHECK(loop.panics());
    loop.run(131, load);
    CHECK_FALSE(loop.panics());
    CHECK(loop.replicas() == 10);
}

TEST_CASE("Kpa: in a panic the number does not fall") {
    KpaLoop loop(small_target(), 1);
    const auto load = [](std::int64_t s) { return s >= 60 && s < 70 ? 100.0 : 5.0; };
    loop.run(71, load);
    CHECK(loop.replicas() == 10);
    loop.run(101, load);
    CHECK(loop.panics());
    CHECK(loop.replicas() == 10);
    CHECK(loop.last().reason.find("10 held: panic") != std::string::npos);
    loop.run(200, load);
    CHECK(loop.replicas() == 1);
}

TEST_CASE("Kpa: more than one pod that is ready at the start is a panic, which keeps them") {
    KpaLoop loop(small_target(), 6);
    const auto idle = [](std::int64_t) { return 1.0; };
    loop.run(3, idle);
    CHECK(loop.panics());
    CHECK(loop.replicas() == 6);
    loop.run(61, idle);  // 0 + 60 is not strictly before 60
    CHECK(loop.replicas() == 6);
    loop.run(63, idle);  // 1 wanted, 3 allowed: half of 6
    CHECK_FALSE(loop.panics());
    CHECK(loop.replicas() == 3);
    CHECK(loop.last().reason == "1 wanted, 3 allowed: max_scale_down_rate 2");
}

/// 100 in flight until 200 s, nothing after.
double load_until_200(std::int64_t s) {
    return s < 200 ? 100.0 : 0.0;
}

TEST_CASE("Kpa: the last pod goes a stable window and the grace period after the last load") {
    KpaLoop loop(small_target(), 10);
    loop.run(201, load_until_200);
    CHECK(loop.replicas() == 10);
    CHECK_FALSE(loop.buffering());
    // At 258 s two seconds of load are left in the window: 200 / 60 = 3.3.
    loop.run(259, load_until_200);
    CHECK(loop.replicas() == 1);
    CHECK_FALSE(loop.buffering());
    // At 260 s there are none: inactive, and the activator is in the path.
    loop.run(261, load_until_200);
    CHECK(loop.replicas() == 1);
    CHECK(loop.buffering());
    CHECK(loop.last().reason == "0 wanted; last pod kept: inactive from now on");
    loop.run(289, load_until_200);
    CHECK(loop.replicas() == 1);
    CHECK(loop.last().outcome == ScalingOutcome::limited);
    CHECK(
        loop.last().reason ==
        "0 wanted; last pod kept: activator in the path for 28 s, scale_to_zero_grace_period 30 s");
    loop.run(291, load_until_200);
    CHECK(loop.replicas() == 0);
    CHECK(loop.last().outcome == ScalingOutcome::scaled);
    loop.run(601, load_until_200);
    CHECK(loop.replicas() == 0);
    CHECK(loop.last().outcome == ScalingOutcome::unchanged);
}

TEST_CASE("Kpa: with the activator in the path all the time there is no grace to wait for") {
    Parameters p = small_target();
    p.set("target_burst_capacity", {-1.0});
    KpaLoop loop(p, 10);
    loop.run(201, load_until_200);
    CHECK(loop.buffering());
    loop.run(261, load_until_200);
    CHECK(loop.replicas() == 1);
    loop.run(263, load_until_200);
    CHECK(loop.replicas() == 0);
}

TEST_CASE("Kpa: the retention period keeps the last pod, enable_scale_to_zero false for ever") {
    Parameters p = small_target();
    p.set("scale_to_zero_pod_retention_period", {Duration::seconds(60)});
    KpaLoop retained(p, 10);
    retained.run(319, load_until_200);
    CHECK(retained.replicas() == 1);
    retained.run(321, load_until_200);  // 260 + 60
    CHECK(retained.replicas() == 0);

    p.set("enable_scale_to_zero", {false});
    KpaLoop kept(p, 10);
    kept.run(2000, load_until_200);
    CHECK(kept.replicas() == 1);
    p.set("min_replicas", {std::int64_t{3}});
    KpaLoop bounded(p, 10);
    bounded.run(2000, load_until_200);
    CHECK(bounded.replicas() == 3);
    CHECK(bounded.last().reason.find("3 allowed: min_replicas") != std::string::npos);
}

TEST_CASE("Kpa: a request that waits wakes a service with no pods at once") {
    KpaLoop loop(small_target(), 10);
    loop.run(401, load_until_200);
    REQUIRE(loop.replicas() == 0);
    const ScalingDecision woken = loop.tick(at(400.7), true);
    CHECK(woken.desired == 1);
    CHECK(woken.outcome == ScalingOutcome::scaled);
    CHECK(woken.reason == "1 wanted");
    CHECK(loop.kpa().memory().activity.phase == KpaPhase::activating);
    CHECK(loop.buffering());
}

TEST_CASE("Kpa: the request that woke it is not counted twice") {
    KpaLoop loop(small_target(), 0);
    const auto half_a_second = [](std::int64_t s) { return s == 100 ? 0.5 : 0.0; };
    loop.run(101, half_a_second);
    loop.freeze(true);
    loop.tick(at(100.5), true);
    // Second 100 has the 1 that the activator told at once, 101 has max(0.5 - 1, 0), 102 its last
    // 0; nobody reports after that, and the window does not count those seconds.
    loop.run(103, half_a_second);
    CHECK(loop.last().inputs.rfind("concurrency 0.333333 over 60 s, 0.333333 over 6 s", 0) == 0);
    loop.run(109, half_a_second);
    CHECK(loop.last().inputs.rfind("concurrency 0.333333 over 60 s, 0 over 6 s", 0) == 0);
    // A second request that waits finds pods on their way: no tick for it.
    CHECK(loop.tick(at(109.5), true).reason == "between two ticks");
}

TEST_CASE("Kpa: a waiting request between two ticks does not tick what has pods") {
    KpaLoop loop(small_target(), 2);
    loop.freeze(true);
    loop.run(41, [](std::int64_t) { return 5.0; });
    const ScalingDecision decision = loop.tick(at(40.5), true);
    CHECK(decision.desired == 2);
    CHECK(decision.reason == "between two ticks");
}

TEST_CASE("Kpa: a workload that starts with no pods counts as scaled to zero") {
    KpaLoop loop(small_target(), 0);
    loop.run(61, [](std::int64_t) { return 0.0; });
    CHECK(loop.replicas() == 0);
    CHECK(loop.buffering());
    Parameters p = small_target();
    p.set("initial_scale", {std::int64_t{4}});
    KpaLoop initial(p, 0);
    initial.run(1, [](std::int64_t) { return 0.0; });
    CHECK(initial.replicas() == 4);
    CHECK(initial.last().reason.find("4 allowed: initial_scale") != std::string::npos);
}

TEST_CASE("Kpa: the gateway buffers while the ready pods have no room for a burst") {
    Parameters p = small_target();
    p.set("target_burst_capacity", {15.0});
    KpaLoop loop(p, 2);
    // 2 * 10 - 15 - 5 = 0: not negative.
    loop.run(11, [](std::int64_t) { return 5.0; });
    CHECK_FALSE(loop.buffering());
    CHECK(loop.kpa().memory().excess_burst_capacity == 0);
    loop.run(31, [](std::int64_t) { return 6.0; });
    CHECK(loop.buffering());
    CHECK(loop.kpa().memory().excess_burst_capacity == -1);
}

TEST_CASE("Kpa: rates, activation scale and bounds hold, and the reason names them") {
    Parameters p = small_target();
    p.set("max_scale_up_rate", {1.5});
    KpaLoop slow(p, 1);
    slow.run(61, [](std::int64_t) { return 100.0; });
    CHECK(slow.replicas() == 10);  // 2, 3, 5, 8, 10
    KpaLoop first(p, 1);
    first.run(3, [](std::int64_t) { return 100.0; });
    CHECK(first.replicas() == 2);
    CHECK(first.last().reason == "10 wanted, 2 allowed: max_scale_up_rate 1.5, panic");
    CHECK(first.last().outcome == ScalingOutcome::limited);

    Parameters activation = small_target();
    activation.set("activation_scale", {std::int64_t{3}});
    KpaLoop lifted(activation, 1);
    lifted.run(3, [](std::int64_t) { return 1.0; });
    CHECK(lifted.replicas() == 3);
    CHECK(lifted.last().reason == "1 wanted, 3: activation_scale");

    Parameters bounded = small_target();
    bounded.set("max_replicas", {std::int64_t{4}});
    KpaLoop top(bounded, 1);
    top.run(3, [](std::int64_t) { return 100.0; });
    CHECK(top.replicas() == 4);
    CHECK(top.last().reason == "10 wanted, panic; 4 allowed: max_replicas");
}

TEST_CASE("Kpa: scale-down waits for scale_down_delay") {
    Parameters p = small_target();
    p.set("scale_down_delay", {Duration::seconds(100)});
    KpaLoop loop(p, 1);
    const auto load = [](std::int64_t s) { return s < 10 ? 30.0 : 5.0; };
    loop.run(11, load);
    CHECK(loop.replicas() == 3);
    // A panic from 2 s on, over at 64 s; the tick at 62 s is the last one that asked for 3. The
    // delay is 50 ticks.
    loop.run(63, load);
    CHECK(loop.panics());
    loop.run(65, load);
    CHECK_FALSE(loop.panics());
    loop.run(161, load);
    CHECK(loop.replicas() == 3);
    CHECK(loop.last().reason == "1 wanted, 3 held: scale_down_delay");
    loop.run(163, load);
    CHECK(loop.replicas() == 1);
}

TEST_CASE("Kpa: rps counts arrivals") {
    Parameters p = Parameters::defaults(Kpa::parameter_specs());
    p.set("max_replicas", {std::int64_t{50}});
    p.set("metric", {std::string("rps")});
    p.set("target", {10.0});
    KpaLoop loop(p, 1);
    CHECK(loop.kpa().metrics()[0].name == "arrivals");
    loop.run(3, [](std::int64_t) { return 30.0; });
    CHECK(loop.replicas() == 5);  // 30 / (10 * 0.7) = 4.3
    CHECK(loop.last().inputs.rfind("requests/s 30 over 60 s", 0) == 0);
}

TEST_CASE("Kpa: without samples it decides nothing, and says so") {
    const auto kpa = make_policy<ScalingPolicy>({"kpa", small_target()}, {});
    ScalingView view;
    view.spec_replicas = view.status_replicas = 3;
    view.pods.resize(3);
    ScalingDecision decision = kpa->decide(view);
    CHECK(decision.desired == 3);
    CHECK(decision.outcome == ScalingOutcome::no_metrics);
    CHECK(decision.reason == "no load was seen in the stable window; pods stay as they are");
    view.pods.clear();
    view.now = at(2);
    decision = kpa->decide(view);
    CHECK(decision.desired == 3);
    CHECK(decision.reason == "the ready pods cannot be counted");
}

TEST_CASE("Kpa: what cannot work is a fault with its place, and an invalid decision") {
    Parameters p = small_target();
    p.set("min_replicas", {std::int64_t{60}});
    p.set("target_burst_capacity", {-2.0});
    p.set("stable_window", {Duration::milliseconds(60'500)});
    const auto kpa = make_policy<ScalingPolicy>({"kpa", p}, {});
    const auto faults = kpa->faults();
    REQUIRE(faults.size() == 3);
    CHECK(faults[0].pointer == "/min_replicas");
    CHECK(faults[0].expectation == "expected at most max_replicas (50), found 60");
    CHECK(faults[1].pointer == "/target_burst_capacity");
    CHECK(faults[2].pointer == "/stable_window");
    ScalingView view;
    view.spec_replicas = 2;
    const ScalingDecision decision = kpa->decide(view);
    CHECK(decision.desired == 2);
    CHECK(decision.outcome == ScalingOutcome::invalid);
}

TEST_CASE("Kpa: pods that never get ready are given up when nothing wants them") {
    KpaLoop loop(small_target(), 0);
    const auto one_request = [](std::int64_t s) { return s == 1 ? 1.0 : 0.0; };
    loop.run(2, one_request);
    loop.freeze(true);
    loop.tick(at(1.5), true);
    REQUIRE(loop.replicas() == 1);
    // From 62 s on no pod is wanted; activating since 1.5 s, for more than 600 + 30 s at 632 s.
    loop.run(631, one_request);
    CHECK(loop.kpa().memory().desired_scale == 0);
    CHECK(loop.replicas() == 1);
    loop.run(633, one_request);
    CHECK(loop.replicas() == 0);
}

}  // namespace
}  // namespace headroom::policies
