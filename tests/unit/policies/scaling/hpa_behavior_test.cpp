#include "policies/scaling/hpa/hpa_behavior.hpp"

#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

constexpr Time kDecisionTime = Time::zero() + Duration::hours(1);
using Type = HpaScalingPolicy::Type;

Time ago(std::int64_t s) {
    return kDecisionTime - Duration::seconds(s);
}

HpaScalingRules behavior_rules(std::vector<HpaScalingPolicy> policies,
                               HpaSelectPolicy select = HpaSelectPolicy::max) {
    return {.stabilization_window = Duration::zero(),
            .select_policy = select,
            .policies = std::move(policies)};
}

HpaScalingPolicy pods(std::int64_t value, std::int64_t s) {
    return {.type = Type::pods, .value = value, .period = Duration::seconds(s)};
}
HpaScalingPolicy percent(std::int64_t value, std::int64_t s) {
    return {.type = Type::percent, .value = value, .period = Duration::seconds(s)};
}

TEST_CASE("HpaBehavior: an event exactly a period old is no longer counted") {
    CHECK(change_in_period({{3, ago(60)}, {5, ago(59)}}, Duration::seconds(60), kDecisionTime) ==
          5);
}

TEST_CASE("HpaBehavior: a period starts before the changes of both directions") {
    const HpaScaleEvents events{{{4, ago(10)}}, {{1, ago(20)}}};
    CHECK(scale_up_limit(10, events, behavior_rules({pods(5, 60)}), kDecisionTime).replicas == 12);
    CHECK(scale_down_limit(10, events, behavior_rules({pods(5, 60)}), kDecisionTime).replicas == 2);
}

TEST_CASE("HpaBehavior: a percentage rounds up on the way up and toward fewer on the way down") {
    CHECK(scale_up_limit(1, {}, behavior_rules({percent(10, 60)}), kDecisionTime).replicas == 2);
    CHECK(scale_down_limit(9, {}, behavior_rules({percent(10, 60)}), kDecisionTime).replicas == 8);
}

TEST_CASE("HpaBehavior: Max takes the widest policy, Min the tightest, Disabled none") {
    const std::vector<HpaScalingPolicy> both = {pods(2, 60), percent(50, 60)};
    CHECK(scale_up_limit(10, {}, behavior_rules(both), kDecisionTime).replicas == 15);
    CHECK(scale_up_limit(10, {}, behavior_rules(both, HpaSelectPolicy::min), kDecisionTime)
              .replicas == 12);
    CHECK(scale_down_limit(10, {}, behavior_rules(both), kDecisionTime).replicas == 5);
    CHECK(scale_down_limit(10, {}, behavior_rules(both, HpaSelectPolicy::min), kDecisionTime)
              .replicas == 8);
    CHECK(scale_up_limit(10, {}, behavior_rules(both, HpaSelectPolicy::disabled), kDecisionTime)
              .replicas == 10);
    CHECK(scale_down_limit(10, {}, behavior_rules(both, HpaSelectPolicy::disabled), kDecisionTime)
              .replicas == 10);
}

TEST_CASE("HpaBehavior: says which policy or bound held the change") {
    const HpaBounds bounds{2, 20};
    const HpaBehavior behavior{behavior_rules({percent(100, 15)}), behavior_rules({pods(1, 60)})};
    const auto limited = limit_with_behavior(bounds, behavior, {}, 4, 14, kDecisionTime);
    CHECK(limited.replicas == 8);
    CHECK(limited.limit == "policy 100 %/15 s");
    CHECK(limit_with_behavior(bounds, behavior, {}, 15, 40, kDecisionTime).limit == "max_replicas");
    CHECK(limit_with_behavior(bounds, behavior, {}, 5, 2, kDecisionTime).limit ==
          "policy 1 pods/60 s");
    CHECK(limit_with_behavior(bounds, behavior, {}, 5, 6, kDecisionTime).limit.empty());
}

TEST_CASE("HpaBehavior: a limit already passed stops, it does not turn round") {
    const HpaScaleEvents events{{{10, ago(5)}}, {}};
    const HpaBehavior behavior{behavior_rules({pods(4, 15)}), behavior_rules({pods(1, 15)})};
    CHECK(limit_with_behavior({1, 99}, behavior, events, 12, 20, kDecisionTime).replicas == 12);
}

TEST_CASE("HpaBehavior: without rules, replicas at most double, four are always allowed") {
    CHECK(limit_without_behavior({1, 100}, 1, 50, 2.0, 4).replicas == 4);
    CHECK(limit_without_behavior({1, 100}, 5, 50, 2.0, 4).replicas == 10);
    CHECK(limit_without_behavior({1, 8}, 5, 50, 2.0, 4).limit == "max_replicas");
    CHECK(limit_without_behavior({3, 8}, 5, 0, 2.0, 4).replicas == 3);
    CHECK(limit_without_behavior({1, 100}, 5, 50, 2.0, 4).limit == "scale-up limit max(2 x 5, 4)");
}

TEST_CASE(
    "HpaBehavior: the largest recommendation of the window holds, an outdated one is replaced") {
    std::vector<HpaRecommendation> log = {{9, ago(301)}, {7, ago(300)}, {5, ago(10)}};
    CHECK(stabilize_downscale(log, 3, Duration::seconds(300), kDecisionTime) == 7);
    REQUIRE(log.size() == 3);
    CHECK(log[0].replicas == 3);
    CHECK(stabilize_downscale(log, 4, Duration::seconds(300), kDecisionTime) == 7);
    CHECK(log.size() == 4);
}

TEST_CASE("HpaBehavior: both windows apply, so a rise waits for its least recommendation") {
    std::vector<HpaRecommendation> log = {{4, ago(20)}, {9, ago(10)}};
    const HpaScalingRules at_once;
    const HpaScalingRules slow{.stabilization_window = Duration::seconds(60), .policies = {}};
    CHECK(stabilize_with_behavior(log, {slow, at_once}, 2, 8, kDecisionTime) == 4);
    log = {{4, ago(20)}, {9, ago(10)}};
    CHECK(stabilize_with_behavior(log, {slow, slow}, 12, 8, kDecisionTime) == 9);
    log = {{4, ago(20)}, {9, ago(10)}};
    CHECK(stabilize_with_behavior(log, {slow, slow}, 6, 8, kDecisionTime) == 6);
}

TEST_CASE("HpaBehavior: the event log reuses the last outdated entry") {
    HpaScaleEvents events{{{1, ago(90)}, {2, ago(70)}, {3, ago(10)}}, {}};
    const HpaBehavior behavior{behavior_rules({pods(1, 30), pods(1, 60)}),
                               behavior_rules({pods(1, 30)})};
    store_scale_event(events, behavior, 5, 9, kDecisionTime);
    REQUIRE(events.up.size() == 3);
    CHECK(events.up[1].change == 4);
    CHECK_FALSE(events.up[1].outdated);
    CHECK(events.up[0].outdated);
    store_scale_event(events, behavior, 9, 5, kDecisionTime);
    CHECK(events.down.size() == 1);
    CHECK(events.down[0].change == 4);
}

}  // namespace
}  // namespace headroom::policies
