#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

std::unique_ptr<ScalingPolicy> make_capacity_ratio(const Changes& changes) {
    return make_scaler(
        "capacity-ratio",
        {{"max_replicas", {std::int64_t{1000}}}, {"scale_down_delay", {Duration::zero()}}},
        changes);
}

ParameterValue milli(std::int64_t value) {
    return {value};
}

ScalingView view_reading(std::int64_t s, std::int64_t replicas,
                         std::vector<std::int64_t> load_milli) {
    ScalingView v = view_of_replicas(s, replicas);
    control::MetricReading reading;
    reading.available = !load_milli.empty();
    reading.values_milli = std::move(load_milli);
    v.metrics = {std::move(reading)};
    return v;
}

std::int64_t wanted(const Changes& changes, std::int64_t load_milli) {
    return make_capacity_ratio(changes)->decide(view_reading(0, 1, {load_milli})).wanted;
}

TEST_CASE("CapacityRatio: 1000/s at 500/s each want 3 by factor 1.2 and 4 with 1.2 to spare") {
    const Changes common = {{"capacity_per_replica", milli(500'000)},
                            {"safety", milli(1200)},
                            {"safety_factor", milli(1200)}};
    Changes factor = common;
    factor.emplace_back("form", text("factor"));
    const auto by_factor = make_capacity_ratio(factor)->decide(view_reading(0, 1, {1'000'000}));
    CHECK(by_factor.desired == 3);  // ceil(1000 * 1.2 / 500 = 2.4)
    CHECK(by_factor.reason == "3 wanted: 1000 x 1.2 / 500");
    CHECK(by_factor.inputs == "arrivals_per_second 1000; 500 a replica");
    Changes additive = common;
    additive.emplace_back("form", text("additive"));
    const auto by_sum = make_capacity_ratio(additive)->decide(view_reading(0, 1, {1'000'000}));
    CHECK(by_sum.desired == 4);  // ceil(1000 / 500 + 1.2 = 3.2)
    CHECK(by_sum.reason == "4 wanted: 1000 / 500 + 1.2");
    CHECK(by_sum.outcome == ScalingOutcome::scaled);
}

TEST_CASE("CapacityRatio: no rounding adds a replica") {
    const Changes bare = {{"capacity_per_replica", milli(100)}, {"safety", milli(0)}};
    CHECK(wanted(bare, 300) == 3);  // 0.3 / 0.1 is 2.9999999999999996 in doubles, 3 here
    CHECK(wanted(bare, 301) == 4);
    CHECK(wanted(bare, 0) == 0);
    // 0.7 + 0.1 + 0.2: (0.7 / 1) + 0.3 = 1 exactly.
    CHECK(wanted({{"capacity_per_replica", milli(1000)}, {"safety", milli(300)}}, 700) == 1);
    // 1.1 * 1.1 = 1.21 of a capacity of 1.21 is one replica; in doubles 1.2100000000000002 two.
    const Changes factor = {{"form", text("factor")},
                            {"capacity_per_replica", milli(1210)},
                            {"safety_factor", milli(1100)}};
    CHECK(wanted(factor, 1100) == 1);
    CHECK(wanted(factor, 1101) == 2);
    // Amounts near the end of 64 bits: 9e18 / 9e15 = 1000 and one to spare.
    CHECK(wanted({{"capacity_per_replica", milli(9'000'000'000'000'000)}, {"safety", milli(1000)}},
                 9'000'000'000'000'000'000) == 1001);
}

TEST_CASE("CapacityRatio: the load is the sum of the series, at least zero") {
    const auto policy =
        make_capacity_ratio({{"capacity_per_replica", milli(1000)}, {"safety", milli(0)}});
    CHECK(policy->decide(view_reading(0, 1, {1500, 2500})).wanted == 4);
    CHECK(policy->decide(view_reading(15, 1, {-4000})).wanted == 0);
    const auto blind = policy->decide(view_reading(30, 3, {}));
    CHECK(blind.desired == 3);
    CHECK(blind.outcome == ScalingOutcome::no_metrics);
    CHECK(blind.reason == "arrivals_per_second: no value");
}

TEST_CASE("CapacityRatio: asks for its metric as a whole and follows it up and down") {
    const auto policy = make_capacity_ratio({{"metric", text("service_in_flight")},
                                             {"capacity_per_replica", milli(10'000)},
                                             {"safety", milli(0)},
                                             {"max_replicas", {std::int64_t{5}}},
                                             {"scale_down_delay", {Duration::seconds(30)}}});
    REQUIRE(policy->metrics().size() == 1);
    CHECK(policy->metrics()[0].kind == control::MetricKind::external);
    CHECK(policy->metrics()[0].name == "service_in_flight");
    CHECK(policy->metrics()[0].pointer == "/metric");
    CHECK(policy->period() == Duration::seconds(15));
    // load, replicas after: ceil(load / 10), at most 5, the most of the last 30 s.
    const std::vector<std::pair<std::int64_t, std::int64_t>> steps = {
        {12, 2}, {48, 5}, {90, 5}, {12, 5}, {12, 5}, {12, 2}, {0, 2}, {0, 2}, {0, 1}};
    std::int64_t replicas = 1;
    std::int64_t now = 0;
    for (const auto& [load, expected] : steps) {
        replicas = policy->decide(view_reading(now, replicas, {load * 1000})).desired;
        INFO("at " << now);
        CHECK(replicas == expected);
        now += 15;
    }
}

TEST_CASE("CapacityRatio: bounds that cross are a fault") {
    CHECK(make_capacity_ratio({{"capacity_per_replica", milli(1)}})->faults().empty());
    const auto faults = make_capacity_ratio({{"min_replicas", {std::int64_t{9}}},
                                             {"max_replicas", {std::int64_t{3}}},
                                             {"capacity_per_replica", milli(1)}})
                            ->faults();
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].pointer == "/min_replicas");
}

}  // namespace
}  // namespace headroom::policies
