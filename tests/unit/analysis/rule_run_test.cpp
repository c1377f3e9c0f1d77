#include "analysis/experiments/rule_run.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

using scenarios::RuleTest;

/// Tests of an HPA with a target of 40 requests in flight a pod, 1 to 12 pods, whose only test is
/// `test`; `more` goes into the file.
RuleTest hpa_test(const std::string& test, const std::string& more = "") {
    const scenarios::TemporaryFolder folder;
    folder.write("t.json",
                 R"({"autoscaling": {"policy": "hpa", "max_replicas": 12, "metrics": [
                        {"type": "Pods", "name": "requests_in_flight",
                         "target": {"type": "AverageValue", "value": 40}}],
                      "behavior": {"scale_down": {"stabilization_window": "2m"}}},)" +
                     more + R"("tests": {"one": {)" + test + "}}}");
    scenarios::RuleTestResult loaded = scenarios::load_rule_test(folder.path("t.json"));
    for (const auto& d : loaded.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(loaded.test.has_value());
    return std::move(*loaded.test);
}

RuleRun run_first(const RuleTest& test) {
    return run_rule(test, test.cases.front());
}

std::string points_of(const metrics::TimeSeries& series) {
    std::string out;
    for (const auto& point : series.points()) {
        out += std::to_string(point.time.ps() / Duration::kPerSecond) +
               "s:" + std::to_string(point.value) + " ";
    }
    return out;
}

/// The messages of those that do not hold.
std::string failures(const RuleTest& test) {
    std::string out;
    for (const RuleVerdict& verdict : judge(test, test.cases.front(), run_first(test))) {
        if (!verdict.held) out += verdict.message + "\n";
    }
    return out;
}

std::string in_flight(const std::string& values) {
    return R"("series": {"requests_in_flight": ")" + values + R"("}, )";
}

constexpr const char* kExpectsAny = R"("expect": {"replicas.max": ">= 0"})";

}  // namespace

TEST_CASE("RuleRun: a load in total is dealt to the pods that are ready") {
    const RuleTest test =
        hpa_test(R"("series": {"requests_in_flight in total": "40x3 160x8"}, "replicas": 1, )" +
                 std::string(kExpectsAny));
    const RuleRun result = run_first(test);
    CHECK(points_of(result.desired) == "0s:1 60s:4 ");
    CHECK(points_of(result.ready) == "0s:1 60s:4 ");
    CHECK(result.ups == 1);
    CHECK(result.downs == 0);
    // Shared by four, 160 are on target: nothing more happens.
    CHECK(result.ticks.size() == 13);
    CHECK(result.ticks.back().inputs == "requests_in_flight 40 (target 40 a pod)");
}

TEST_CASE("RuleRun: a new pod is pending, then not ready, then ready and scraped") {
    const RuleTest test =
        hpa_test(R"("series": {"requests_in_flight in total": "80x12"}, "replicas": 1, )" +
                     std::string(kExpectsAny),
                 R"("pod": {"pending_time": "10s", "start_time": "40s"}, )");
    const RuleRun result = run_first(test);
    CHECK(points_of(result.desired) == "0s:2 ");
    CHECK(points_of(result.ready) == "0s:1 40s:2 ");
    // Scraped for the first time 45 s after the start; until then the one pod has it all.
    CHECK(result.ticks.at(2).inputs == "requests_in_flight 80 (target 40 a pod)");
    CHECK(result.ticks.at(3).inputs == "requests_in_flight 40 (target 40 a pod)");
}

TEST_CASE("RuleRun: the stabilization window holds pods, and a reversal counts") {
    const RuleTest test =
        hpa_test(in_flight("40x3 10x12 80x4") + R"("replicas": 4, )" + kExpectsAny);
    const RuleRun result = run_first(test);
    // Four were wanted for the last time at 45 s; two minutes later they go.
    CHECK(points_of(result.desired) == "0s:4 165s:1 255s:2 270s:4 285s:8 300s:12 ");
    CHECK(result.downs == 1);
    CHECK(result.ups == 4);
    CHECK(result.reversals == 1);
}

TEST_CASE("RuleRun: a missing value leaves the one before, a stale one none") {
    const RuleTest missing = hpa_test(in_flight("80 _x20") + R"("replicas": 2, )" + kExpectsAny);
    // The two new pods are never scraped: they count as idle, and four are enough.
    CHECK(points_of(run_first(missing).desired) == "0s:4 ");
    CHECK(run_first(missing).ticks.back().inputs == "requests_in_flight 80 (target 40 a pod)");
    const RuleTest stale = hpa_test(in_flight("40 stale") + R"("replicas": 2,
        "expect": {"replicas during 0s..10m": "== 2", "reason at 5m": "metrics failed"})");
    CHECK(failures(stale) == "");
}

TEST_CASE("RuleRun: one pod's own series goes before that of each") {
    const RuleTest test = hpa_test(R"("series": {"requests_in_flight": "20",
        "requests_in_flight of pod 1": "100"}, "replicas": 2, )" +
                                   std::string(kExpectsAny));
    CHECK(run_first(test).ticks.front().inputs == "requests_in_flight 60 (target 40 a pod)");
}

TEST_CASE("RuleRun: an external metric of pods is their sum") {
    const scenarios::TemporaryFolder folder;
    folder.write("t.json", R"({"autoscaling": {"policy": "hpa", "max_replicas": 12, "metrics": [
        {"type": "External", "name": "requests_in_flight",
         "target": {"type": "AverageValue", "value": 40}}]},
        "tests": {"each": {"replicas": 3, "series": {"requests_in_flight": "80"},
                           "expect": {"desired_replicas at 0s": "== 6"}},
                  "total": {"replicas": 3, "series": {"requests_in_flight in total": "80"},
                           "expect": {"reason at 0s": "2 wanted"}}}})");
    const auto loaded = scenarios::load_rule_test(folder.path("t.json"));
    REQUIRE(loaded.test.has_value());
    for (const scenarios::RuleCase& one : loaded.test->cases) {
        for (const RuleVerdict& verdict : judge(*loaded.test, one, run_rule(*loaded.test, one))) {
            INFO(verdict.message);
            CHECK(verdict.held);
        }
    }
}

TEST_CASE("RuleRun: a queue before no pod wakes the rule between its ticks") {
    const scenarios::TemporaryFolder folder;
    folder.write("t.json", R"({"autoscaling": {"policy": "kpa", "min_replicas": 0,
          "max_replicas": 4, "phase": "1s"}, "interval": "10s", "replicas": 0,
        "tests": {"one": {"series": {"service_in_flight_seconds": "0x9", "gateway_queue": "0x4 1"},
                          "expect": {"desired_replicas at 49s": "== 0",
                                     "desired_replicas at 50s": "== 1"}}}})");
    const auto loaded = scenarios::load_rule_test(folder.path("t.json"));
    for (const auto& d : loaded.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(loaded.test.has_value());
    CHECK(failures(*loaded.test) == "");
}

TEST_CASE("RuleRun: what does not hold is told with what the rule said then and before") {
    const std::string text =
        failures(hpa_test(in_flight("40x3 10x12") + R"("replicas": 4, "expect": {
        "desired_replicas during 0s..3m": "== 4", "replicas at 10s": "== 5",
        "reason at 1m": "limited", "scale_events.down": "== 0"})"));
    INFO(text);
    const auto holds = [&](const char* part) { return text.find(part) != std::string::npos; };
    CHECK(holds(
        "desired_replicas during 0s..3m == 4: found 1 at 2m45s; at 2m45s hpa went from 4 to 1: "
        "\"1 wanted\" (requests_in_flight 10 (target 40 a pod)), 15s before it said \"1 "
        "wanted, 4 held: scale-down stabilization 120 s\""));
    CHECK(holds("replicas at 10s == 5: found 4; hpa changed nothing, at 0s it said \"4 wanted\""));
    CHECK(holds("reason at 1m: limited: at 1m hpa said \"1 wanted, 4 held"));
    CHECK(holds("scale_events.down == 0: found 1; desired replicas 4, 1 at 2m45s"));
}

TEST_CASE("RuleRun: a raised stop ends it") {
    const std::atomic<bool> stop{true};
    const RuleTest test = hpa_test(in_flight("40x100") + kExpectsAny);
    CHECK(run_rule(test, test.cases.front(), &stop).interrupted);
}

}  // namespace headroom::analysis
