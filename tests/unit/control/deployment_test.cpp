#include "sim/control/deployment.hpp"

#include "tests/catch.hpp"

namespace headroom::control {

namespace {

DeploymentSpec rolling(std::int64_t replicas, IntOrPercent surge, IntOrPercent unavailable) {
    return {replicas, {RolloutType::rolling_update, surge, unavailable}};
}

ReplicaSetState sized(std::int64_t created, std::int64_t replicas, std::int64_t available,
                      std::int64_t desired, std::int64_t most) {
    return {created, replicas, available, desired, most};
}

}  // namespace

TEST_CASE("Deployment: percentages are whole numbers before the sign") {
    CHECK(parse_percent("25%") == IntOrPercent{25, true});
    CHECK(parse_percent("+7%") == IntOrPercent{7, true});
    CHECK(parse_percent("-7%") == IntOrPercent{-7, true});
    for (const char* bad : {"", "%", "25", "2.5%", "25%%", " 25%", "+-7%", "x%"}) {
        INFO(bad);
        CHECK_FALSE(parse_percent(bad).has_value());
    }
}

TEST_CASE("Deployment: surge is rounded up, unavailable down, and one of them is above 0") {
    // 25 % of 10 is 2.5.
    const DeploymentSpec ten = rolling(10, {25, true}, {25, true});
    CHECK(max_surge(ten) == 3);
    CHECK(max_unavailable(ten) == 2);
    CHECK(min_available(ten) == 8);
    // 25 % of 3 is 0.75.
    const DeploymentSpec three = rolling(3, {25, true}, {25, true});
    CHECK(max_surge(three) == 1);
    CHECK(max_unavailable(three) == 0);
    const DeploymentSpec stuck = rolling(3, {0, false}, {25, true});
    CHECK(max_surge(stuck) == 0);
    CHECK(max_unavailable(stuck) == 1);
    // No more than there are can be missing.
    CHECK(max_unavailable(rolling(3, {0, false}, {9, false})) == 3);
    CHECK(max_unavailable(rolling(0, {0, false}, {9, false})) == 0);
    const DeploymentSpec recreate{10, {RolloutType::recreate, {25, true}, {25, true}}};
    CHECK(max_surge(recreate) == 0);
    CHECK(max_unavailable(recreate) == 0);
    CHECK(min_available(recreate) == 0);
}

TEST_CASE("Deployment: a rolling update moves as far as surge and availability allow") {
    // 10 pods, 3 more and 2 fewer at most: 8 must be available, 13 may exist.
    const DeploymentSpec deployment = rolling(10, {25, true}, {25, true});
    ReplicaSetState old_set = sized(1, 10, 10, 10, 13);
    ReplicaSetState new_set = sized(2, 0, 0, 10, 13);
    REQUIRE(roll(deployment, new_set, {&old_set}));
    CHECK(new_set.replicas == 3);  // 13 - 10
    REQUIRE(roll(deployment, new_set, {&old_set}));
    CHECK(old_set.replicas == 8);  // 10 - 8 are not needed; 13 - 8 - 3 new ones that do not count
    old_set.available = 8;
    REQUIRE(roll(deployment, new_set, {&old_set}));
    CHECK(new_set.replicas == 5);  // 13 - 8
    CHECK_FALSE(roll(deployment, new_set, {&old_set}));
    // Two of the new ones are available: two of the old ones go, and two new ones come.
    new_set.available = 2;
    REQUIRE(roll(deployment, new_set, {&old_set}));
    CHECK(old_set.replicas == 6);
    old_set.available = 6;
    REQUIRE(roll(deployment, new_set, {&old_set}));
    CHECK(new_set.replicas == 7);
    CHECK_FALSE(roll(deployment, new_set, {&old_set}));
}

TEST_CASE("Deployment: unavailable pods of old sets go first, the oldest set's before others") {
    const DeploymentSpec deployment = rolling(10, {0, false}, {4, false});
    // 11 exist, 6 must be available, one new pod is not: 4 may go. Two of the oldest set are
    // broken, one of the next; then one of the 7 available ones, of the oldest set again.
    ReplicaSetState next = sized(2, 4, 3, 10, 10);
    ReplicaSetState oldest = sized(1, 6, 4, 10, 10);
    const ReplicaSetState new_set = sized(3, 1, 0, 10, 10);
    REQUIRE(reconcile_old_replica_sets(deployment, new_set, {&next, &oldest}));
    CHECK(oldest.replicas == 3);
    CHECK(next.replicas == 3);
    // A set with more available pods than it shall have is still shrinking: nothing goes meanwhile.
    ReplicaSetState shrinking = sized(1, 2, 5, 10, 10);
    CHECK(clean_up_unhealthy_replicas(deployment, {&shrinking}, 3) == std::nullopt);
    // Unless there is nothing left to take when its turn comes.
    ReplicaSetState broken = sized(0, 4, 1, 10, 10);
    CHECK(clean_up_unhealthy_replicas(deployment, {&shrinking, &broken}, 3) == 3);
    CHECK_FALSE(
        reconcile_old_replica_sets(rolling(2, {0, false}, {2, false}), new_set, {&shrinking}));
}

TEST_CASE("Deployment: a new number in the midst of a rollout is shared in proportion") {
    // 8 and 5 of at most 13; 20 with 5 more at most: 8 * 25 / 13 = 15.4, 5 * 25 / 13 = 9.6.
    const DeploymentSpec twenty = rolling(20, {25, true}, {25, true});
    ReplicaSetState old_set = sized(1, 8, 8, 10, 13);
    ReplicaSetState new_set = sized(2, 5, 0, 10, 13);
    CHECK(is_scaling_event(twenty, {&old_set, &new_set}));
    CHECK(scale(twenty, &new_set, {&old_set}, 13));
    CHECK(old_set.replicas == 15);
    CHECK(new_set.replicas == 10);
    CHECK_FALSE(is_scaling_event(twenty, {&old_set, &new_set}));
    CHECK(new_set.max_annotation == 25);
    CHECK_FALSE(scale(twenty, &new_set, {&old_set}, 25));
    // Down to 2, with 1 more at most: 15 * 3 / 25 = 1.8, 10 * 3 / 25 = 1.2; both sum to 3.
    const DeploymentSpec two = rolling(2, {25, true}, {25, true});
    CHECK(scale(two, &new_set, {&old_set}, 25));
    CHECK(old_set.replicas == 2);
    CHECK(new_set.replicas == 1);
    // None at all.
    CHECK(scale(rolling(0, {25, true}, {25, true}), &new_set, {&old_set}, 3));
    CHECK(old_set.replicas + new_set.replicas == 0);
}

TEST_CASE("Deployment: of equal sets the newer one grows first, the older one shrinks first") {
    const auto sizes = [](std::int64_t replicas) {
        ReplicaSetState a = sized(1, 2, 2, 4, 4);
        ReplicaSetState b = sized(2, 2, 2, 4, 4);
        scale(rolling(replicas, {0, false}, {1, false}), &b, {&a}, 4);
        return std::pair(a.replicas, b.replicas);
    };
    CHECK(sizes(5) == std::pair<std::int64_t, std::int64_t>{2, 3});  // 2.5 each
    // 1.5 each, rounded to 2, so nothing goes by share and the first takes all.
    CHECK(sizes(3) == std::pair<std::int64_t, std::int64_t>{1, 2});
}

TEST_CASE("Deployment: the only set with pods takes every new number, the newest where none has") {
    const DeploymentSpec six = rolling(6, {0, false}, {1, false});
    ReplicaSetState old_set = sized(1, 0, 0, 4, 4);
    ReplicaSetState newer = sized(2, 0, 0, 4, 4);
    CHECK(scale(six, nullptr, {&newer, &old_set}, 0));
    CHECK(newer.replicas == 6);
    CHECK(old_set.replicas == 0);
    const DeploymentSpec one = rolling(1, {0, false}, {1, false});
    CHECK(scale(one, nullptr, {&newer, &old_set}, 6));
    CHECK(newer.replicas == 1);
    CHECK_FALSE(scale(one, nullptr, {}, 0));
    // A set that was never sized takes its share of the pods that exist: 3 of 4 and 1 of 4.
    ReplicaSetState big{1, 3, 3};
    ReplicaSetState small{2, 1, 0};
    CHECK_FALSE(is_scaling_event(rolling(8, {0, false}, {1, false}), {&big, &small}));
    CHECK(scale(rolling(8, {0, false}, {1, false}), &small, {&big}, 4));
    CHECK(big.replicas == 6);
    CHECK(small.replicas == 2);
}

TEST_CASE("Deployment: progress is more new, fewer old, more ready or more available pods") {
    const DeploymentStatus before{13, 5, 8, 8};
    CHECK_FALSE(deployment_progressed(before, before));
    CHECK(deployment_progressed(before, {13, 6, 8, 8}));
    CHECK(deployment_progressed(before, {12, 5, 8, 8}));
    CHECK(deployment_progressed(before, {13, 5, 9, 8}));
    CHECK(deployment_progressed(before, {13, 5, 8, 9}));
    CHECK_FALSE(deployment_progressed(before, {12, 4, 7, 7}));
    CHECK(deployment_complete({10, 10, 10, 10}, 10));
    CHECK_FALSE(deployment_complete({11, 10, 11, 10}, 10));
    CHECK_FALSE(deployment_complete({10, 10, 10, 9}, 10));
}

}  // namespace headroom::control
