#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

constexpr std::int64_t kThursdayEvening = 1'700'157'600;  // 2023-11-16T18:00:00Z

struct Entry {
    std::string at;
    std::int64_t replicas;
};

std::unique_ptr<ScalingPolicy> make_schedule(const std::vector<Entry>& entries,
                                             const std::string& offset = "+00:00",
                                             std::int64_t max = 10, std::int64_t initial = 1) {
    ParameterValue::List times;
    for (const Entry& e : entries) {
        Parameters fields;
        fields.set("at", {e.at});
        fields.set("replicas", {e.replicas});
        times.push_back(object(std::move(fields)));
    }
    return make_scaler("schedule",
                       {{"schedule", list(std::move(times))},
                        {"timezone_offset", {offset}},
                        {"max_replicas", {max}},
                        {"replicas", {initial}}},
                       {});
}

ScalingView view_in_run_from(std::int64_t s, std::int64_t replicas,
                             std::optional<std::int64_t> start) {
    ScalingView v = view_of_replicas(s, replicas);
    v.start_unix_s = start;
    return v;
}

const std::vector<Entry> kOffice = {{"0 8 * * mon-fri", 6}, {"30 18 * * *", 2}};

TEST_CASE("ReplicaSchedule: the entry that came last holds, also one from before the run") {
    const auto policy = make_schedule(kOffice);
    // 18:00: this morning's entry. 18:30: the evening's. Friday 08:00 is 14 h after the start.
    const auto first = policy->decide(view_in_run_from(0, 1, kThursdayEvening));
    CHECK(first.desired == 6);
    CHECK(first.outcome == ScalingOutcome::scaled);
    CHECK(first.reason == "6 replicas since Thu 2023-11-16 08:00:00 (\"0 8 * * mon-fri\")");
    CHECK(first.inputs == "it is Thu 2023-11-16 18:00:00");
    CHECK(policy->decide(view_in_run_from(1799, 6, kThursdayEvening)).desired == 6);
    CHECK(policy->decide(view_in_run_from(1800, 6, kThursdayEvening)).desired == 2);
    CHECK(policy->decide(view_in_run_from(14 * 3600 - 1, 2, kThursdayEvening)).desired == 2);
    CHECK(policy->decide(view_in_run_from(14 * 3600, 2, kThursdayEvening)).desired == 6);
    // Saturday 08:00 brings no change, Monday does: 86 h after the start.
    CHECK(policy->decide(view_in_run_from(38 * 3600, 2, kThursdayEvening)).desired == 2);
    CHECK(policy->decide(view_in_run_from(86 * 3600, 2, kThursdayEvening)).desired == 6);
    CHECK(policy->decide(view_in_run_from(86 * 3600, 6, kThursdayEvening)).outcome ==
          ScalingOutcome::unchanged);
}

TEST_CASE("ReplicaSchedule: of two entries at one time the later in the list holds") {
    CHECK(make_schedule({{"0 8 * * *", 3}, {"0 8,20 * * *", 5}})
              ->decide(view_in_run_from(0, 1, kThursdayEvening))
              .desired == 5);
    CHECK(make_schedule({{"0 8,20 * * *", 5}, {"0 8 * * *", 3}})
              ->decide(view_in_run_from(0, 1, kThursdayEvening))
              .desired == 3);
}

TEST_CASE("ReplicaSchedule: entries are in the zone of the offset") {
    // 18:00 UTC is 19:00 at +01:00, past 18:30; and 13:00 at -05:00.
    for (const char* east : {"+01:00", "+0100", "+1", "+01"}) {
        CHECK(make_schedule(kOffice, east)
                  ->decide(view_in_run_from(0, 1, kThursdayEvening))
                  .desired == 2);
    }
    CHECK(make_schedule(kOffice, "-05:00")
              ->decide(view_in_run_from(0, 1, kThursdayEvening))
              .desired == 6);
    CHECK(
        make_schedule(kOffice, "-05:00")->decide(view_in_run_from(0, 1, kThursdayEvening)).inputs ==
        "it is Thu 2023-11-16 13:00:00");
    CHECK(make_schedule(kOffice, "+00:30")
              ->decide(view_in_run_from(0, 1, kThursdayEvening))
              .desired == 2);
    CHECK(make_schedule(kOffice, "+00:29")
              ->decide(view_in_run_from(0, 1, kThursdayEvening))
              .desired == 6);
}

TEST_CASE("ReplicaSchedule: needs a calendar, and says so without one") {
    const auto policy = make_schedule(kOffice);
    CHECK(policy->needs_calendar() == std::vector<std::string>{"/schedule"});
    const auto decision = policy->decide(view_in_run_from(0, 5, std::nullopt));
    CHECK(decision.outcome == ScalingOutcome::invalid);
    CHECK(decision.desired == 5);
    CHECK(decision.reason == "a cron schedule needs the scenario's \"start\"");
}

TEST_CASE("ReplicaSchedule: what cannot work is a fault, each with its place") {
    CHECK(make_schedule(kOffice)->faults().empty());
    const auto empty = make_schedule({})->faults();
    REQUIRE(empty.size() == 1);
    CHECK(empty[0].pointer == "/schedule");
    CHECK(make_schedule({})->decide(view_in_run_from(0, 4, kThursdayEvening)).desired == 1);
    const auto faults =
        make_schedule({{"0 25 * * *", 2}, {"0 0 30 2 *", 3}, {"@daily", 11}}, "CET", 10, 12)
            ->faults();
    REQUIRE(faults.size() == 5);
    CHECK(faults[0].pointer == "/schedule/0/at");
    CHECK(faults[0].expectation == "hour: expected a value in 0..23, found \"25\"");
    CHECK(faults[1].pointer == "/schedule/1/at");
    CHECK(faults[1].expectation == "expected a day that comes, found \"0 0 30 2 *\"");
    CHECK(faults[2].pointer == "/schedule/2/replicas");
    CHECK(faults[2].expectation == "expected at most max_replicas (10), found 11");
    CHECK(faults[3].pointer == "/replicas");
    CHECK(faults[4].pointer == "/timezone_offset");
    for (const char* bad : {"+", "1", "+15:00", "+01:60", "+1:0", "+010", "UTC", "+01:00 "}) {
        INFO(bad);
        CHECK(make_schedule(kOffice, bad)->faults().size() == 1);
    }
}

}  // namespace
}  // namespace headroom::policies
