#include "analysis/report/timeline.hpp"

#include "tests/catch.hpp"
#include "tests/unit/analysis/stored_run.hpp"

namespace headroom::analysis {
namespace {

using Kind = TimelineEntry::Kind;
using Outcome = control::Decision::Outcome;

std::vector<std::string> kinds_at(const std::vector<TimelineEntry>& entries, double seconds) {
    std::vector<std::string> out;
    for (const TimelineEntry& entry : entries) {
        if (entry.time == at_s(seconds)) out.emplace_back(to_string(entry.kind));
    }
    return out;
}

const TimelineEntry& only_entry(const std::vector<TimelineEntry>& entries, double seconds,
                                Kind kind) {
    const TimelineEntry* found = nullptr;
    for (const TimelineEntry& entry : entries) {
        if (entry.time != at_s(seconds) || entry.kind != kind) continue;
        REQUIRE(found == nullptr);
        found = &entry;
    }
    REQUIRE(found != nullptr);
    return *found;
}

control::Decision blocked_wish(double seconds, std::int64_t wanted, const std::string& reason) {
    return web_wish(seconds, wanted, reason, Outcome::blocked);
}

}  // namespace

TEST_CASE("Timeline: pods of one instant are one entry, causes come before what follows") {
    const RunTimeline all = build_timeline(stored_run());
    REQUIRE(all.workloads.size() == 2);
    const std::vector<TimelineEntry>& chat = all.workloads[0];
    CHECK(kinds_at(chat, 960) ==
          std::vector<std::string>{"desired", "pods_unplaced", "pods_bound"});
    CHECK(kinds_at(chat, 1800) == std::vector<std::string>{"desired", "pods_deleted", "ready"});
    const TimelineEntry& bound = only_entry(chat, 960, Kind::pods_bound);
    CHECK(bound.pods == std::vector<std::string>{"chat-4", "chat-5", "chat-6"});
    CHECK(bound.places[2] == "bound to gpu-6, devices 0");
    const TimelineEntry& deleted = only_entry(chat, 1800, Kind::pods_deleted);
    CHECK(deleted.pods == std::vector<std::string>{"chat-4", "chat-7"});
    CHECK(deleted.before == 8);
    CHECK(deleted.after == 6);
    CHECK(only_entry(chat, 960, Kind::pods_unplaced).reason == "0/8 nodes are available");
    CHECK(only_entry(chat, 960, Kind::desired).inputs ==
          "requests_in_flight 247.5 (target 40 a pod)");
    const TimelineEntry& ready = only_entry(chat, 1040, Kind::ready);
    CHECK(ready.before == 4);
    CHECK(ready.after == 7);
    CHECK(all.workloads[1].empty());
}

TEST_CASE("Timeline: what is about no workload is about the cluster") {
    StoredRun run = stored_run();
    run.decisions.push_back(
        about_pod({at_s(1900), "fault", "chat-0", Outcome::changed, -1, 0, 0, "killed"}));
    run.decisions.push_back(
        {at_s(1900), "fault", "web", Outcome::blocked, -1, 0, -1, "there is no such pod"});
    run.decisions.push_back(
        {at_s(1900), "fault", "web", Outcome::blocked, -1, 0, -1, "there is no such pod"});
    const RunTimeline all = build_timeline(run);
    REQUIRE(all.cluster.size() == 1);
    CHECK(all.cluster[0].subject == "gpu-7");
    CHECK(only_entry(all.workloads[0], 1900, Kind::fault).reason == "killed");
    CHECK(kinds_at(all.workloads[1], 1900) == std::vector<std::string>{"fault", "fault"});
}

TEST_CASE("Timeline: a pod whose name is that of a workload belongs to its own") {
    StoredRun run;
    run.services = {"a", "a-1"};
    run.workloads = {{"a", "a", {}, {}}, {"a-1", "a-1", {}, {}}};
    const DecisionTargets targets(run.workloads);
    using About = control::Decision::About;
    const auto target = [&](About about, const char* subject) {
        control::Decision decision;
        decision.subject = subject;
        decision.about = about;
        const auto found = targets.of(decision);
        if (found.workload == DecisionTargets::kCluster) return std::string("cluster");
        return run.workloads[found.workload].name + (found.is_pod ? " pod" : "");
    };
    CHECK(target(About::pod, "a-1") == "a pod");
    CHECK(target(About::pod, "a-7") == "a pod");
    CHECK(target(About::pod, "a-1-0") == "a-1 pod");
    CHECK(target(About::workload, "a-1") == "a-1");
    for (const char* node : {"a-1", "a-7", "a"}) CHECK(target(About::node, node) == "cluster");
    for (const char* subject : {"node", "b-1", "a-", "a-x1", "-1", ""}) {
        CHECK(target(About::pod, subject) == "cluster");
    }
    CHECK(target(About::workload, "b") == "cluster");
}

TEST_CASE("Timeline: ticks without an effect, and wishes like the one before, are left out") {
    StoredRun run = stored_run();
    run.decisions = {web_wish(10, 3, "3 wanted", Outcome::unchanged),
                     blocked_wish(20, 5, "5 wanted, 3 allowed: limit; 12.5 a pod"),
                     blocked_wish(30, 6, "6 wanted, 3 allowed: limit; 14 a pod"),
                     blocked_wish(40, 6, "6 wanted, 3 held: window; 14 a pod"),
                     blocked_wish(50, 2, "2 wanted, 3 held: window; 9 a pod"),
                     web_wish(60, 3, "3 wanted", Outcome::unchanged),
                     blocked_wish(70, 2, "2 wanted, 3 held: window; 9 a pod")};
    // Of another number it is another wish.
    run.decisions.push_back(blocked_wish(80, 2, "2 wanted, 4 held: window; 9 a pod"));
    run.decisions.back().before = run.decisions.back().after = 4;
    std::vector<double> told;
    const RunTimeline all = build_timeline(run);
    for (const TimelineEntry& entry : all.workloads[1]) {
        CHECK(entry.kind == Kind::blocked);
        told.push_back(entry.time.to_seconds());
    }
    CHECK(told == std::vector<double>{20, 40, 50, 70, 80});
}

TEST_CASE("Timeline: a change that nobody accounts for is told without an actor") {
    StoredRun run = stored_run();
    run.workloads[1].desired = steps({{0, 3}, {300, 5}});
    const RunTimeline all = build_timeline(run);
    const TimelineEntry& entry = only_entry(all.workloads[1], 300, Kind::desired);
    CHECK(entry.actor.empty());
    CHECK(entry.before == 3);
    CHECK(entry.after == 5);
}

}  // namespace headroom::analysis
