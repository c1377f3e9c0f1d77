#include "policies/scaling/replica_demand.hpp"

#include <algorithm>
#include <limits>

#include "sim/core/random.hpp"
#include "tests/aborts.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::ScalingOutcome;
using control::ScalingView;
using tests::at;

ReplicaDemand demand(std::int64_t min, std::int64_t max, std::int64_t delay_s) {
    ParameterSpecs specs;
    ReplicaDemand::append_specs(specs, Duration::seconds(delay_s));
    Parameters parameters = Parameters::defaults(specs);
    parameters.set("min_replicas", {min});
    parameters.set("max_replicas", {max});
    return ReplicaDemand(parameters);
}

TEST_CASE("ReplicaDemand: more at once, fewer when the delay has passed since they were needed") {
    ReplicaDemand d = demand(1, 10, 60);
    CHECK(d.settle(view_of_replicas(0, 2), {.wanted = 6, .why = "load"}).desired == 6);
    auto held = d.settle(view_of_replicas(15, 6), {.wanted = 3, .why = "load"});
    CHECK(held.desired == 6);
    CHECK(held.wanted == 3);
    CHECK(held.outcome == ScalingOutcome::limited);
    CHECK(held.reason == "3 wanted: load, 6 held: scale_down_delay 60 s");
    CHECK(d.settle(view_of_replicas(60, 6), {.wanted = 2, .why = "load"}).desired == 6);
    // At 75 s the six of time 0 are 75 s old, the three of 15 s exactly 60 s.
    const auto down = d.settle(view_of_replicas(75, 6), {.wanted = 2, .why = "load"});
    CHECK(down.desired == 3);
    // The delay never raises the number again, when somebody lowered it.
    CHECK(d.settle(view_of_replicas(76, 1), {.wanted = 2, .why = "load"}).desired == 2);
}

TEST_CASE("ReplicaDemand: what was found at the first tick counts as needed") {
    ReplicaDemand d = demand(1, 10, 60);
    CHECK(d.settle(view_of_replicas(0, 5), {.wanted = 1, .why = "load"}).desired == 5);
    CHECK(d.settle(view_of_replicas(60, 5), {.wanted = 1, .why = "load"}).desired == 5);
    CHECK(d.settle(view_of_replicas(61, 5), {.wanted = 1, .why = "load"}).desired == 1);
    // Without a delay there is nothing to wait for.
    ReplicaDemand prompt = demand(1, 10, 0);
    const auto decision = prompt.settle(view_of_replicas(0, 5), {.wanted = 1, .why = "load"});
    CHECK(decision.desired == 1);
    CHECK(decision.outcome == ScalingOutcome::scaled);
    CHECK(decision.reason == "1 wanted: load");
}

TEST_CASE("ReplicaDemand: stays within its bounds and says which of them held") {
    ReplicaDemand d = demand(2, 4, 0);
    const auto high = d.settle(view_of_replicas(0, 3), {.wanted = 9, .why = "load"});
    CHECK(high.desired == 4);
    CHECK(high.reason == "9 wanted: load, 4 allowed: max_replicas");
    CHECK(high.outcome == ScalingOutcome::limited);
    const auto low = d.settle(view_of_replicas(15, 4), {.wanted = 0, .why = "load"});
    CHECK(low.desired == 2);
    CHECK(low.reason == "0 wanted: load, 2 allowed: min_replicas");
    CHECK(d.settle(view_of_replicas(30, 2), {.wanted = 2, .why = "load"}).outcome ==
          ScalingOutcome::unchanged);
}

TEST_CASE("ReplicaDemand: a wish may keep more than it wants") {
    ReplicaDemand d = demand(1, 10, 0);
    const auto kept =
        d.settle(view_of_replicas(0, 5),
                 {.wanted = 3, .keeps = 4, .why = "KV 0.5", .keeps_why = "3 leave no margin"});
    CHECK(kept.desired == 4);
    CHECK(kept.reason == "3 wanted: KV 0.5, 4 held: 3 leave no margin");
    // It keeps, it does not ask for more.
    CHECK(d.settle(view_of_replicas(15, 3), {.wanted = 3, .keeps = 4, .why = "KV 0.5"}).desired ==
          3);
}

TEST_CASE("ReplicaDemand: without metrics the present number stays, inside the bounds") {
    ReplicaDemand d = demand(2, 4, 60);
    const auto kept = d.keep(view_of_replicas(0, 3), "no sample");
    CHECK(kept.desired == 3);
    CHECK(kept.outcome == ScalingOutcome::no_metrics);
    CHECK(kept.reason == "no sample");
    const auto moved = d.keep(view_of_replicas(15, 1), "no sample");
    CHECK(moved.desired == 2);
    CHECK(moved.outcome == ScalingOutcome::scaled);
    CHECK(moved.reason == "1 replicas are below min_replicas 2");
    // The number of the blind time counts as needed.
    CHECK(d.settle(view_of_replicas(30, 3), {.wanted = 2, .why = "load"}).desired == 3);
}

TEST_CASE("ReplicaDemand: a request that waits at zero replicas is worth one") {
    ReplicaDemand d = demand(0, 4, 0);
    ScalingView waiting = view_of_replicas(0, 0);
    waiting.requests_wait = true;
    const auto woken = d.settle(waiting, {.wanted = 0, .why = "load"});
    CHECK(woken.desired == 1);
    CHECK(woken.reason == "1 wanted: a request waits without an instance");
    const auto blind = d.keep(waiting, "no sample");
    CHECK(blind.desired == 1);
    CHECK(blind.outcome == ScalingOutcome::scaled);
    CHECK(d.keep(view_of_replicas(15, 0), "no sample").desired == 0);
}

TEST_CASE("ReplicaDemand: a minimum above the maximum is a fault and changes nothing") {
    ReplicaDemand d = demand(5, 3, 0);
    std::vector<control::ScalingFault> faults;
    d.append_faults(faults);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].pointer == "/min_replicas");
    CHECK(faults[0].expectation == "expected at most max_replicas (3), found 5");
    const auto decision = d.settle(view_of_replicas(0, 7), {.wanted = 4, .why = "load"});
    CHECK(decision.desired == 7);
    CHECK(decision.outcome == ScalingOutcome::invalid);
}

TEST_CASE("ReplicaDemand: replicas to carry a load are counted in integers") {
    CHECK(replicas_to_carry(0, 5) == 0);
    CHECK(replicas_to_carry(-3, 5) == 0);
    CHECK(replicas_to_carry(1, 5) == 1);
    CHECK(replicas_to_carry(5, 5) == 1);
    CHECK(replicas_to_carry(6, 5) == 2);
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    CHECK(replicas_to_carry(Int128{kMost} * kMost, 1) == 1'000'000'000);
}

TEST_CASE("ReplicaDemand: a capacity that no loader lets through is a programmer's error") {
    ParameterSpecs specs;
    append_load_specs(specs);
    Parameters parameters = Parameters::defaults(specs);
    CHECK(tests::aborts([&] { static_cast<void>(capacity_of(parameters)); }));
    parameters.set("capacity_per_replica", {std::int64_t{0}});
    CHECK(tests::aborts([&] { static_cast<void>(capacity_of(parameters)); }));
    parameters.set("capacity_per_replica", {std::int64_t{1}});
    CHECK(capacity_of(parameters) == 1);
}

}  // namespace
}  // namespace headroom::policies
