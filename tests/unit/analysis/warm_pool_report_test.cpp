// What a stored run's decisions tell of its warm pool.
#include <nlohmann/json.hpp>

#include "analysis/report/explanation.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/stored_run.hpp"

namespace headroom::analysis {
namespace {

using Kind = TimelineEntry::Kind;
using Outcome = control::Decision::Outcome;

control::Decision pooled(double seconds, const char* pod, std::int64_t before, std::int64_t after,
                         const char* reason) {
    return about_pod(
        {at_s(seconds), "warm pool chat", pod, Outcome::changed, before, 2, after, reason});
}

/// One replica and two standby pods, of which one loads; at 100 s two are wanted more, and there is
/// no node for another standby pod.
StoredRun pooled_run() {
    StoredRun run;
    run.scenario = "pooled";
    run.end = at_s(600);
    run.services = {"chat"};
    run.workloads = {
        {"chat", "chat", steps({{0, 1}, {102, 2}, {130, 3}}), steps({{0, 1}, {100, 3}})}};
    run.decisions = {
        pooled(0, "chat-1", 0, 1, "stands by"),
        pooled(0, "chat-2", 1, 2, "stands by"),
        bound(0, "chat-0", 0),
        bound(0, "chat-1", 1),
        about_pod({at_s(0), "scheduler", "chat-2", Outcome::blocked, -1, -1, -1,
                   "0/4 nodes are available"}),
        pooled(30, "chat-1", 2, 2, "loaded"),
        bound(60, "chat-2", 2),
        {at_s(100), "hpa chat", "chat", Outcome::changed, 1, 3, 3, "3 wanted"},
        about_pod({at_s(100), "workload chat", "chat-1", Outcome::changed, 1, 3, 2,
                   "promoted from the warm pool, loaded"}),
        about_pod({at_s(100), "workload chat", "chat-2", Outcome::changed, 2, 3, 3,
                   "promoted from the warm pool, not loaded yet: weights_load"}),
        pooled(100, "chat-3", 0, 1, "stands by"),
        pooled(100, "chat-4", 1, 2, "stands by"),
        bound(100, "chat-3", 3),
        about_pod({at_s(100), "scheduler", "chat-4", Outcome::blocked, -1, -1, -1,
                   "0/4 nodes are available"}),
        pooled(140, "chat-3", 2, 2, "loaded"),
        about_pod({at_s(150), "kubelet", "chat-3", Outcome::changed, 0, 1, 1, "container crashed"}),
        pooled(200, "chat-4", 2, 1, "lost with its node")};
    return run;
}

std::vector<std::string> pool_at(double seconds) {
    const Explanation told = explain(pooled_run(), {.at = at_s(seconds)});
    std::vector<std::string> out;
    for (const StandbyPod& pod : told.services[0].workloads[0].standby) {
        out.push_back(pod.name + " " + std::string(to_string(pod.state)));
    }
    return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("Explain: standby pods are told by how far they are, and are not starting replicas") {
    CHECK(pool_at(0) == Names{"chat-1 loading", "chat-2 pending"});
    CHECK(pool_at(60) == Names{"chat-1 loaded", "chat-2 loading"});
    CHECK(pool_at(100) == Names{"chat-3 loading", "chat-4 pending"});
    CHECK(pool_at(140) == Names{"chat-3 loaded", "chat-4 pending"});
    CHECK(pool_at(150) == Names{"chat-3 loading", "chat-4 pending"});
    CHECK(pool_at(200) == Names{"chat-3 loading"});

    const Explanation told = explain(pooled_run(), {.at = at_s(101)});
    const WorkloadState& chat = told.services[0].workloads[0];
    CHECK(chat.unplaced.empty());
    REQUIRE(chat.starts.size() == 2);
    CHECK(chat.starts[0].subject == "chat-1");
    CHECK(chat.starts[1].subject == "chat-2");
    const std::string text = render_explanation(told, {});
    CHECK(text.find("Warm pool   1 still loading (chat-3), 1 without a node (chat-4)") !=
          std::string::npos);
    CHECK(text.find("1 pod promoted from the warm pool: chat-1 (loaded)") != std::string::npos);
    CHECK(text.find("2 pods come to the warm pool: chat-3, chat-4 (stands by)") !=
          std::string::npos);
    CHECK(explanation_json(told)["services"]["chat"]["workloads"]["chat"]["standby"].dump() ==
          R"([{"pod":"chat-3","state":"loading"},{"pod":"chat-4","state":"pending"}])");
}

TEST_CASE("Explain: a pod promoted without a node is one that finds no node") {
    StoredRun run = pooled_run();
    run.decisions.resize(6);
    run.decisions.push_back(about_pod({at_s(50), "workload chat", "chat-2", Outcome::changed, 1, 2,
                                       2, "promoted from the warm pool, not loaded yet: pending"}));
    const Explanation told = explain(run, {.at = at_s(50)});
    const WorkloadState& chat = told.services[0].workloads[0];
    REQUIRE(chat.unplaced.size() == 1);
    CHECK(chat.unplaced[0].subject == "chat-2");
    CHECK(chat.standby.size() == 1);
}

TEST_CASE("Timeline: a warm pool's pods come, load, are promoted and go") {
    const RunTimeline all = build_timeline(pooled_run());
    std::vector<std::string> kinds;
    for (const TimelineEntry& entry : all.workloads[0]) {
        if (entry.time == at_s(100)) kinds.emplace_back(to_string(entry.kind));
    }
    CHECK(kinds == Names{"desired", "pods_promoted", "pods_promoted", "pods_standby",
                         "pods_unplaced", "pods_bound"});
    const TimelineEntry& lost = all.workloads[0].back();
    CHECK(lost.kind == Kind::pods_deleted);
    CHECK(lost.pods == Names{"chat-4"});
    CHECK(all.cluster.empty());
}

}  // namespace headroom::analysis
