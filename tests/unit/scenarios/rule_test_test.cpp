#include "scenarios/rule_test.hpp"

#include <nlohmann/json.hpp>

#include "scenarios/schema.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::scenarios {
namespace {

constexpr const char* kRuledScenario = R"({
  "duration": "1h", "seed": 7, "start": "2026-01-05T08:00:00Z",
  "services": {
    "web": {
      "simple": {"servers": 2}, "replicas": 3,
      "pod": {"requests": {"cpu": "500m", "memory": "1Gi"}},
      "autoscaling": {"policy": "hpa", "max_replicas": 8, "phase": "5s"}
    },
    "plain": {"simple": {"servers": 1}}
  },
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}}
})";

/// A rule of its own; `more` goes beside it, `test` into its only test.
std::string own_rule(const std::string& test, const std::string& more = "") {
    return R"({"autoscaling": {"policy": "hpa", "min_replicas": 2, "max_replicas": 8, "metrics": [
        {"type": "Pods", "name": "requests_in_flight",
         "target": {"type": "AverageValue", "value": 40}}]},
)" + more + R"("tests": {"one": {)" +
           test + "}}}";
}

RuleTestResult load_rule(const std::string& text, const LoadOptions& options = {}) {
    const TemporaryFolder folder;
    folder.write("app/s.json", kRuledScenario);
    folder.write("app/rules/t.json", text);
    return load_rule_test(folder.path("app/rules/t.json"), options);
}

RuleTest good_rule(const std::string& text, const LoadOptions& options = {}) {
    RuleTestResult result = load_rule(text, options);
    for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(result.test.has_value());
    return std::move(*result.test);
}

/// The messages of a bad file, a line each.
std::string rule_mistakes(const std::string& text) {
    const RuleTestResult result = load_rule(text);
    CHECK_FALSE(result.test.has_value());
    std::string all;
    for (const Diagnostic& d : result.diagnostics) all += d.pointer + ": " + d.message + "\n";
    return all;
}

constexpr const char* kSeries = R"("series": {"requests_in_flight": "40x4"}, )";

}  // namespace

TEST_CASE("RuleTest: the rule, its pods and its first replicas are those of the scenario") {
    const RuleTest test = good_rule(R"({"scenario": "../s.json", "tests": {"one": {
        "series": {"cpu": "100m"}, "expect": {"replicas at 10s": "== 3"}}}})");
    CHECK(test.name == "t");
    CHECK(test.workload == "web");
    CHECK(test.autoscaler.policy.name == "hpa");
    CHECK(test.autoscaler.phase == Duration::seconds(5));
    CHECK(test.seed == 7);
    CHECK(test.start_unix_s == 1767600000);
    CHECK(test.cpu_milli == 500);
    CHECK(test.memory_milli == 1000 * (std::int64_t{1} << 30));
    REQUIRE(test.cases.size() == 1);
    CHECK(test.cases[0].replicas == 3);
    CHECK(test.cases[0].interval == Duration::seconds(15));
}

TEST_CASE("RuleTest: --set changes the scenario whose rule is tested") {
    const RuleTest test =
        good_rule(R"({"scenario": "../s.json", "service": "web", "tests": {"one": {
        "series": {"cpu": "100m"}, "expect": {"replicas at 10s": "== 3"}}}})",
                  {.sets = {"/services/web/autoscaling/max_replicas=5"}});
    CHECK(test.autoscaler.policy.parameters.integer("max_replicas") == 5);
}

TEST_CASE("RuleTest: a test overrides what the file says, and lasts to its last value or moment") {
    const RuleTest test =
        good_rule(own_rule(R"("replicas": 5, "interval": "30s",
                         "series": {"requests_in_flight in total": "40x4"},
                         "expect": {"reason at 1m": "wanted", "scale_events.up": "== 0"})",
                           R"("replicas": 4, "interval": "10s", "pod": {"start_time": "30s"},)"));
    const RuleCase& one = test.cases.at(0);
    CHECK(one.replicas == 5);
    CHECK(one.interval == Duration::seconds(30));
    CHECK(one.end == Time::zero() + Duration::seconds(120));
    REQUIRE(one.series.size() == 1);
    CHECK(one.series[0].of == RuleSeries::Of::total);
    REQUIRE(one.expectations.size() == 2);
    CHECK_FALSE(one.expectations[0].condition.has_value());
    CHECK(one.expectations[0].reason_words == "wanted");
    CHECK(one.expectations[1].condition->metric == "scale_events.up");
    const RuleTest later = good_rule(
        own_rule(std::string(kSeries) + R"("expect": {"replicas during 0s..9m": "== 2"})"));
    CHECK(later.cases.at(0).end == Time::zero() + Duration::minutes(9));
    CHECK(later.cases.at(0).replicas == 2);  // min_replicas
}

TEST_CASE("RuleTest: all mistakes of a file come at once, each where it stands") {
    const std::string all = rule_mistakes(own_rule(
        R"("series": {"requests_in_fligt": "1", "cpu": "1", "requests_in_flight": "40y"},
           "expect": {"replica at 5m": "== 8", "latency.ttft_s.p99": "< 2", "reason at 5": "x",
                      "replicas at 5m": "about 8", "reason at 1m": " "})",
        R"("pod": {"pending_time": "2m", "start_time": "1m"}, "interval": "0s", "start": "now",)"));
    for (const char* part :
         {"/tests/one/series/requests_in_fligt: expected a metric, found \"requests_in_fligt\" "
          "(did "
          "you mean \"requests_in_flight\"?)",
          "/tests/one/series/cpu: expected a metric that hpa looks at (requests_in_flight)",
          "/tests/one/series/requests_in_flight: expected values such as",
          "/tests/one/expect/replica at 5m: expected \"replicas at 5m\"", "\"replicas\"?)",
          "/tests/one/expect/latency.ttft_s.p99: expected",
          "/tests/one/expect/reason at 5: expected a duration",
          "/tests/one/expect/replicas at 5m: expected a condition",
          "/tests/one/expect/reason at 1m: expected words",
          "/pod/pending_time: expected at most start_time (1m), found 2m", "/interval: expected",
          "/start: expected a UTC time"}) {
        CHECK(has(all, part));
    }
}

TEST_CASE("RuleTest: exactly one rule, of a scenario that has one, is tested") {
    const std::string tests = R"("tests": {"one": {"expect": {"replicas at 1m": "== 1"}}}})";
    CHECK(has(rule_mistakes("{" + tests), "expected \"scenario\""));
    CHECK(has(
        rule_mistakes(R"({"scenario": "../s.json", "autoscaling": {"policy": "static"}, )" + tests),
        "found both"));
    CHECK(has(rule_mistakes(R"({"scenario": "../no.json", )" + tests), "there is no"));
    CHECK(has(rule_mistakes(R"({"scenario": "../s.json", "service": "wbe", )" + tests),
              "(did you mean \"web\"?)"));
    CHECK(has(rule_mistakes(R"({"scenario": "../s.json", "service": "plain", )" + tests),
              "/service"));
    const RuleTestResult broken =
        load_rule(R"({"scenario": "../s.json", )" + tests, {.sets = {"/services/web/replicas=-1"}});
    REQUIRE(broken.diagnostics.size() == 2);
    CHECK(has(broken.diagnostics[0].text() + broken.diagnostics[1].text(),
              "--set /services/web/replicas: expected a whole number"));
}

TEST_CASE("RuleTest: series that contradict each other or say nothing of the rule are refused") {
    const std::string expect = R"(, "expect": {"replicas at 1m": "== 2"})";
    CHECK(has(rule_mistakes(own_rule(R"("series": {"requests_in_flight": "1",
                                     "requests_in_flight in total": "2"})" +
                                     expect)),
              "either in total or of pods"));
    CHECK(has(rule_mistakes(own_rule(R"("series": {"gateway_queue in total": "1",
                                     "requests_in_flight": "1"})" +
                                     expect)),
              "it is of the service"));
    CHECK(has(rule_mistakes(own_rule(R"("series": {"requests_in_flight of pod x": "1"})" + expect)),
              "the number of a pod"));
    CHECK(has(rule_mistakes(own_rule(R"("series": {"requests_in_flight each": "1"})" + expect)),
              "\"metric in total\""));
    CHECK(has(rule_mistakes(own_rule(R"("series": {})" + expect)),
              "/tests/one/series: expected a series \"requests_in_flight\", which hpa looks at"));
    CHECK(has(rule_mistakes(own_rule(std::string(kSeries) + R"("expect": {})")),
              "expected a condition"));
    CHECK(has(rule_mistakes(own_rule(R"("series": {"requests_in_flight": "1x900000"},
                                     "interval": "1h")" +
                                     expect)),
              "at most 100 days"));
    CHECK(has(rule_mistakes(own_rule(R"("series": {"requests_in_flight": "1x99999"},
                                     "interval": "1us")" +
                                     std::string(R"(, "expect": {"replicas at 1m": "== 2"})"))),
              "10,000,000 steps"));
}

TEST_CASE("RuleTest: the schema accepts what the loader does") {
    const SchemaValidator validator(rule_test_schema());
    const auto violation = [&](const std::string& text) {
        return validator.violation(nlohmann::json::parse(text));
    };
    const std::string expect = R"("expect": {"replicas at 1m": "== 2"})";
    CHECK_FALSE(violation(own_rule(kSeries + expect)).has_value());
    CHECK(violation(own_rule(std::string(kSeries) + R"("expects": {})")).has_value());
    CHECK(violation(R"({"scenario": "s.json"})").has_value());
}

}  // namespace headroom::scenarios
