#include "policies/scaling/kpa/kpa_decider.hpp"

#include "policies/scaling/kpa/kpa_activity.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::policies {
namespace {

using tests::at;

constexpr Duration kTick = Duration::seconds(2);

/// A target of 10 a pod, 12 at most, and no burst capacity.
KpaDeciderSpec ten_a_pod() {
    KpaDeciderSpec spec;
    spec.target_value = 10;
    spec.total_value = 12;
    spec.target_burst_capacity = 0;
    return spec;
}

KpaScale fresh_kpa_scale(const KpaDeciderSpec& spec, std::int64_t ready, KpaLoad load) {
    KpaDeciderState state;
    return kpa_scale(spec, state, at(0), ready, load, kTick);
}

TEST_CASE("KpaDecider: the stable window's load by the target, rounded up") {
    CHECK(fresh_kpa_scale(ten_a_pod(), 3, {40.0, 40.0}).desired_pods == 4);
    CHECK(fresh_kpa_scale(ten_a_pod(), 3, {40.1, 40.0}).desired_pods == 5);
    // The panic window does not count outside a panic: 5 / 3 is below 2.
    CHECK(fresh_kpa_scale(ten_a_pod(), 3, {30.0, 50.0}).desired_pods == 3);
    CHECK(fresh_kpa_scale(ten_a_pod(), 0, {0.0, 0.0}).desired_pods == 0);
}

TEST_CASE("KpaDecider: a panic begins at the threshold, not above it") {
    KpaDeciderState state;
    const KpaScale scaled = kpa_scale(ten_a_pod(), state, at(7), 3, {30.0, 60.0}, kTick);
    CHECK(state.panic_since == at(7));
    CHECK(scaled.desired_pods == 6);
    CHECK(state.max_panic_pods == 6);
    // The threshold looks at what is wanted before the rates: 4 / 2.
    KpaDeciderSpec slow = ten_a_pod();
    slow.max_scale_up_rate = 1.1;
    KpaDeciderState limited;
    CHECK(kpa_scale(slow, limited, at(7), 2, {0.0, 40.0}, kTick).desired_pods == 3);
    CHECK(limited.panic_since.has_value());
}

TEST_CASE("KpaDecider: in a panic the larger window decides, and the largest number so far") {
    KpaDeciderState state{.panic_since = at(0), .max_panic_pods = 8, .delay = {}};
    CHECK(kpa_scale(ten_a_pod(), state, at(10), 8, {70.0, 10.0}, kTick).desired_pods == 8);
    CHECK(kpa_scale(ten_a_pod(), state, at(12), 8, {95.0, 10.0}, kTick).desired_pods == 10);
    CHECK(state.panic_since == at(0));
    const KpaScale after = kpa_scale(ten_a_pod(), state, at(61), 8, {50.0, 10.0}, kTick);
    CHECK(after.desired_pods == 5);
    CHECK(after.limit == KpaLimit::none);
    CHECK_FALSE(state.panic_since.has_value());
    CHECK(state.max_panic_pods == 0);
}

TEST_CASE("KpaDecider: rates hold from the ready pods, the lower one only when reachable") {
    KpaDeciderSpec spec = ten_a_pod();
    spec.max_scale_up_rate = 1.5;
    const KpaScale up = fresh_kpa_scale(spec, 3, {500.0, 0.0});
    CHECK(up.desired_pods == 5);  // ceil(4.5)
    CHECK(up.wanted == 50);
    CHECK(up.limit == KpaLimit::max_scale_up_rate);
    const KpaScale down = fresh_kpa_scale(spec, 7, {1.0, 1.0});
    CHECK(down.desired_pods == 3);  // floor(3.5)
    CHECK(down.limit == KpaLimit::max_scale_down_rate);
    spec.reachable = false;
    CHECK(fresh_kpa_scale(spec, 7, {1.0, 1.0}).desired_pods == 1);
    CHECK(fresh_kpa_scale(spec, 7, {0.0, 0.0}).desired_pods == 0);
}

TEST_CASE("KpaDecider: the activation scale lifts what is not zero, past the upper rate too") {
    KpaDeciderSpec spec = ten_a_pod();
    spec.activation_scale = 4;
    spec.max_scale_up_rate = 2;
    CHECK(fresh_kpa_scale(spec, 1, {1.0, 1.0}).desired_pods == 4);
    CHECK(fresh_kpa_scale(spec, 1, {0.0, 0.0}).desired_pods == 0);
    CHECK(fresh_kpa_scale(spec, 8, {60.0, 1.0}).desired_pods == 6);
}

TEST_CASE("KpaDecider: the scale-down delay holds the largest number, while reachable") {
    KpaDeciderSpec spec = ten_a_pod();
    KpaDeciderState state;
    state.delay = make_delay_window(Duration::seconds(10), kTick);
    CHECK(kpa_scale(spec, state, at(0), 4, {40.0, 40.0}, kTick).desired_pods == 4);
    const KpaScale held = kpa_scale(spec, state, at(8), 4, {20.0, 20.0}, kTick);
    CHECK(held.desired_pods == 4);
    CHECK(held.limit == KpaLimit::scale_down_delay);
    KpaDeciderSpec gone = spec;
    gone.reachable = false;
    CHECK(kpa_scale(gone, state, at(8), 4, {20.0, 20.0}, kTick).desired_pods == 2);
    CHECK(kpa_scale(spec, state, at(10), 4, {20.0, 20.0}, kTick).desired_pods == 2);
    CHECK_FALSE(make_delay_window(Duration::zero(), kTick).has_value());
}

TEST_CASE("KpaDecider: the excess burst capacity is rounded down") {
    KpaDeciderSpec spec = ten_a_pod();
    CHECK(fresh_kpa_scale(spec, 2, {5.0, 5.0}).excess_burst_capacity == 0);
    spec.target_burst_capacity = 15;
    CHECK(fresh_kpa_scale(spec, 2, {0.0, 8.2}).excess_burst_capacity == 0);   // 24 - 15 - 8.2 = 0.8
    CHECK(fresh_kpa_scale(spec, 2, {0.0, 9.5}).excess_burst_capacity == -1);  // -0.5
    CHECK(fresh_kpa_scale(spec, 0, {0.0, 0.0}).excess_burst_capacity == -15);
    spec.target_burst_capacity = -1;
    CHECK(fresh_kpa_scale(spec, 2, {5.0, 5.0}).excess_burst_capacity == -1);
}

TEST_CASE("KpaDecider: a target of zero neither divides nor overflows") {
    KpaDeciderSpec spec = ten_a_pod();
    spec.target_value = 0;
    spec.max_scale_up_rate = 1e300;
    CHECK(fresh_kpa_scale(spec, 1, {0.0, 0.0}).desired_pods == 0);
    CHECK(fresh_kpa_scale(spec, 1, {1.0, 1.0}).desired_pods == 2'147'483'647);
}

KpaActivityConfig ten_replicas() {
    KpaActivityConfig config;
    config.max_replicas = 10;
    return config;
}

KpaWant want_zero(const KpaActivityConfig& config, const KpaActivity& activity, Time now) {
    return kpa_want(config, activity, 0, 1, now);
}

TEST_CASE("KpaActivity: bounds come first, the lower one only when reachable") {
    KpaActivityConfig config = ten_replicas();
    config.min_replicas = 2;
    const KpaActivity active{KpaPhase::active, at(0), true, {}};
    CHECK(kpa_want(config, active, 5, 1, at(1)).replicas == 5);
    CHECK(kpa_want(config, active, 20, 1, at(1)).replicas == 10);
    CHECK(kpa_want(config, active, 0, 1, at(1)).replicas == 2);
    config.reachable = false;
    CHECK(kpa_want(config, active, 1, 1, at(1)).replicas == 1);
}

TEST_CASE("KpaActivity: an active revision keeps a pod for a stable window") {
    const KpaActivity active{KpaPhase::active, at(100), true, {}};
    const KpaWant young = want_zero(ten_replicas(), active, at(159));
    CHECK(young.replicas == 1);
    CHECK(young.apply);
    const KpaWant old = want_zero(ten_replicas(), active, at(160));
    CHECK(old.replicas == 0);
    CHECK_FALSE(old.apply);
    CHECK(old.hold == KpaHold::deactivating);
}

TEST_CASE("KpaActivity: the last pod goes at the end of the periods, not after it") {
    KpaActivityConfig config = ten_replicas();
    // In the path only since 120 s: the grace of 30 s counts from the phase or from there.
    const KpaActivity inactive{KpaPhase::inactive, at(100), true, at(120)};
    CHECK(want_zero(config, inactive, at(129)).hold == KpaHold::grace);
    CHECK(want_zero(config, inactive, at(130)).apply);
    const KpaActivity early{KpaPhase::inactive, at(100), true, at(80)};
    CHECK(want_zero(config, early, at(109)).hold == KpaHold::grace);
    CHECK(want_zero(config, early, at(110)).apply);
    config.scale_to_zero_pod_retention_period = Duration::seconds(45);
    CHECK(want_zero(config, early, at(144)).hold == KpaHold::retention);
    CHECK(want_zero(config, early, at(145)).apply);
}

TEST_CASE("KpaActivity: an activation is given up strictly after its deadline") {
    const KpaActivity activating{KpaPhase::activating, at(0), true, {}};
    CHECK(want_zero(ten_replicas(), activating, at(630)).hold == KpaHold::unknown);
    CHECK(want_zero(ten_replicas(), activating, at(631)).apply);
}

TEST_CASE("KpaActivity: before a decision only the bounds act, on what is there") {
    KpaActivityConfig config = ten_replicas();
    const KpaActivity activating{KpaPhase::activating, at(0), false, {}};
    CHECK_FALSE(kpa_want(config, activating, -1, 5, at(0)).apply);
    CHECK(kpa_want(config, activating, -1, 12, at(0)).replicas == 10);
    config.min_replicas = 3;
    CHECK(kpa_want(config, activating, -1, 2, at(0)).replicas == 3);
    CHECK_FALSE(kpa_want(config, activating, -1, 5, at(0)).apply);
    const KpaActivity active{KpaPhase::active, at(0), true, {}};
    CHECK_FALSE(kpa_want(config, active, -1, 12, at(0)).apply);
}

TEST_CASE("KpaActivity: phases follow what is wanted and ready") {
    KpaActivityConfig config = ten_replicas();
    config.initial_scale = 2;
    KpaActivity activity{KpaPhase::activating, at(0), false, {}};
    const KpaWant unknown{.replicas = -1, .apply = false, .hold = KpaHold::unknown};
    const auto observe = [&](const KpaWant& want, std::int64_t ready, std::int64_t burst,
                             Time now) {
        kpa_observe(config, activity, want, ready, burst, now);
        return activity.phase;
    };
    CHECK(observe(unknown, 1, 0, at(1)) == KpaPhase::activating);
    CHECK(observe({.replicas = 2}, 2, 0, at(2)) == KpaPhase::active);
    CHECK(activity.since == at(2));
    CHECK(activity.initialized);
    CHECK(observe(unknown, 1, 0, at(3)) == KpaPhase::active);  // one is enough now
    CHECK_FALSE(activity.in_path_since.has_value());
    CHECK(observe({.replicas = 1}, 1, -1, at(4)) == KpaPhase::active);
    CHECK(activity.in_path_since == at(4));
    CHECK(observe({.replicas = 0}, 1, -1, at(5)) == KpaPhase::inactive);
    CHECK(activity.in_path_since == at(4));
    CHECK(observe(unknown, 1, 0, at(6)) == KpaPhase::inactive);
    CHECK(activity.in_path_since == at(4));
    CHECK(observe({.replicas = 1}, 0, 0, at(7)) == KpaPhase::activating);
    CHECK(observe({.replicas = 1}, 1, 0, at(8)) == KpaPhase::active);
    CHECK_FALSE(activity.in_path_since.has_value());
}

}  // namespace
}  // namespace headroom::policies
