#include "scenarios/rule_test.hpp"

#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/scenarios/scenario_files.hpp"
#include "tests/scale.hpp"

namespace headroom::scenarios {

namespace {

using tests::Draws;
using tests::InputFile;

/// A rule of its own, for the tests of the library are of scenarios.
constexpr const char* kRuleInFile = R"({
  "name": "own",
  "autoscaling": {"policy": "keda", "min_replicas": 0, "max_replicas": 5, "triggers": [
    {"type": "metric", "name": "gateway_queue", "threshold": 10},
    {"type": "cron", "start": "0 8 * * mon-fri", "end": "0 18 * * *", "timezone": "+02:00",
     "desired_replicas": 2}]},
  "start": "2026-01-05T00:00:00Z",
  "pod": {"requests": {"cpu": "500m", "memory": "1Gi"}, "start_time": "30s"},
  "tests": {"a queue brings pods": {
    "replicas": 1, "interval": "15s",
    "series": {"gateway_queue": "0x4 40x8"},
    "expect": {"replicas at 0s": ">= 0", "reason at 1m": "x"}}}
})";

bool check_rule_test(const std::string& path, const LoadOptions& options) {
    const RuleTestResult loaded = load_rule_test(path, options);
    if (!loaded.test) {
        REQUIRE(tests::fault_of(loaded.diagnostics, true) == "");
        return false;
    }
    REQUIRE(loaded.diagnostics.empty());
    REQUIRE_FALSE(loaded.test->cases.empty());
    REQUIRE(loaded.test->pending_time <= loaded.test->start_time);
    for (const RuleCase& one : loaded.test->cases) {
        REQUIRE(one.replicas >= 0);
        REQUIRE(one.interval > Duration::zero());
        REQUIRE(one.end <= Time::horizon_limit());
        REQUIRE_FALSE(one.expectations.empty());
        REQUIRE(one.where.line >= 1);
        for (const RuleSeries& series : one.series) REQUIRE_FALSE(series.samples.empty());
        for (const RuleExpectation& expectation : one.expectations) {
            REQUIRE(expectation.where.line >= 1);
            REQUIRE((expectation.condition.has_value() || !expectation.reason_words.empty()));
        }
    }
    const RuleTestResult again = load_rule_test(path, options);
    REQUIRE(again.test.has_value());
    REQUIRE(again.test->cases.size() == loaded.test->cases.size());
    return true;
}

}  // namespace

TEST_CASE("RuleTest fuzz: a file is refused with line and reason, or loads whole") {
    tests::Corpus corpus = library_rule_tests();
    corpus.emplace_back(kRuleInFile);
    const LoadOptions options{.catalogue = shared_catalogue()};
    const InputFile file("rule-test.json");
    for (const std::string& text : corpus) {
        const RuleTestResult loaded = load_rule_test(file.write(text), options);
        for (const Diagnostic& diagnostic : loaded.diagnostics) UNSCOPED_INFO(diagnostic.text());
        CHECK(loaded.test.has_value());
    }
    const auto check = [&](const std::string& text) {
        return check_rule_test(file.write(text), options);
    };
    CHECK(tests::fuzz(
              "rule-test/structure", tests::scaled(500),
              [&](Draws& draws) { return tests::mutate_json(corpus, draws); }, check)
              .both());
    CHECK(tests::fuzz(
              "rule-test/bytes", tests::scaled(250),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check)
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("RuleTest fuzz: a cron schedule of a rule in the file goes by the start in the file") {
    const InputFile file("rule-test.json");
    const RuleTestResult loaded = load_rule_test(file.write(kRuleInFile));
    REQUIRE(loaded.test.has_value());
    CHECK(loaded.test->start_unix_s == 1'767'571'200);
}

TEST_CASE("RuleTest fuzz: series of a few characters do not ask for endless memory") {
    std::string series;
    for (int pod = 0; pod < 100; ++pod) {
        series += (pod > 0 ? "," : "") +
                  ("\"requests_in_flight of pod " + std::to_string(pod) + "\": \"_x1000000\"");
    }
    const InputFile file("rule-test.json");
    const RuleTestResult loaded = load_rule_test(file.write(
        R"({"autoscaling": {"policy": "hpa", "min_replicas": 1, "max_replicas": 5, "metrics": [
             {"type": "Pods", "name": "requests_in_flight",
              "target": {"type": "AverageValue", "value": 30}}]},
            "interval": "1ms",
            "tests": {"many": {"replicas": 2, "expect": {"replicas at 0s": "== 2"},
            "series": {)" +
        series + "}}}}"));
    REQUIRE(loaded.diagnostics.size() == 1);
    CHECK(loaded.diagnostics[0].message ==
          "expected at most 10,000,000 values in all series of the file together, found more");
}

TEST_CASE("RuleTest fuzz: memory beyond 2^63 thousandths of a byte is the most there is") {
    std::string text = kRuleInFile;
    text.replace(text.find("1Gi"), 3, "7E");
    const InputFile file("rule-test.json");
    const RuleTestResult loaded = load_rule_test(file.write(text));
    REQUIRE(loaded.test.has_value());
    CHECK(loaded.test->memory_milli == 9'223'372'036'854'775'000);
}

}  // namespace headroom::scenarios
