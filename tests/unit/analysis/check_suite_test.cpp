#include "analysis/experiments/check_suite.hpp"

#include <filesystem>
#include <memory>

#include "tests/catch.hpp"
#include "tests/unit/scenarios/shipped_catalogue.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

using scenarios::TemporaryFolder;

std::shared_ptr<const scenarios::Catalogue> shared_catalogue() {
    static const auto shared = std::make_shared<const scenarios::Catalogue>(scenarios::shipped());
    return shared;
}

std::string web_scenario(const std::string& name, const std::string& more = "") {
    return "{\n  \"name\": \"" + name + R"(", "duration": "1m",
  "services": {"web": {"simple": {"servers": 4}, "replicas": 2}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 20}}})" +
           (more.empty() ? "" : ",\n  " + more) + "\n}\n";
}

std::string expecting(const std::string& name, const std::string& expect) {
    return web_scenario(name, "\"expect\": {" + expect + "}");
}

SuiteResult run_checks(const TemporaryFolder& folder, SuiteOptions options = {}) {
    options.catalogue = shared_catalogue();
    return run_suite(find_check_files({folder.path("")}, options.baseline), options);
}

const Check& check_of(const SuiteResult& result, const TemporaryFolder& folder,
                      const std::string& file) {
    for (const Check& check : result.checks) {
        if (check.path == folder.path(file)) return check;
    }
    FAIL("there is no check " + file);
    return result.checks.front();
}

/// All messages of a check, without the folder's path.
std::string messages_of(const Check& check, const TemporaryFolder& folder) {
    std::string out;
    for (const CheckCase& one : check.cases) {
        for (const auto& message : one.messages) out += message.text() + "\n";
    }
    const std::string prefix = folder.path("");
    for (auto at = out.find(prefix); at != std::string::npos; at = out.find(prefix)) {
        out.erase(at, prefix.size());
    }
    return out;
}

}  // namespace

TEST_CASE("CheckSuite: each expectation is a case, and a failure names its line") {
    const TemporaryFolder folder;
    folder.write("a.json", expecting("a",
                                     "\"requests.failed\": \"== 0\",\n"
                                     "    \"replicas at 30s\": \"== 3\""));
    const SuiteResult result = run_checks(folder);
    CHECK(result.worst() == CheckStatus::failed);
    const Check& check = check_of(result, folder, "a.json");
    CHECK(check.name == "a");
    REQUIRE(check.cases.size() == 2);
    CHECK(check.count(CheckStatus::failed) == 1);
    CHECK(messages_of(check, folder) == "a.json:6: replicas at 30s == 3: found 2\n");
}

TEST_CASE("CheckSuite: an error ends its own check only") {
    const TemporaryFolder folder;
    folder.write("broken.json", "{\"services\": ");
    folder.write("good.json", expecting("good", "\"requests.failed\": \"== 0\""));
    folder.write("good-again.json", expecting("good", "\"requests.failed\": \"== 0\""));
    folder.write("unknown.json", expecting("unknown", "\"requests.fialed\": \"== 0\""));
    folder.write("trace.json", R"({"name": "trace", "drain": true,
        "services": {"web": {"simple": {"servers": 1}}},
        "sources": {"replay": {"service": "web", "trace": {"file": "t.csv"}}}})");
    folder.write("t.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n5,10,5\n1,10,5\n");
    const SuiteResult result = run_checks(folder);
    CHECK(result.count(CheckStatus::error) == 4);
    CHECK(result.count(CheckStatus::passed) == 1);
    CHECK(result.worst() == CheckStatus::error);
    const auto holds = [&](const char* file, const char* part) {
        const std::string text = messages_of(check_of(result, folder, file), folder);
        UNSCOPED_INFO(text);
        return text.find(part) != std::string::npos;
    };
    CHECK(holds("broken.json", "broken.json:1:14: expected a value"));
    // Of two with one name the first by path is run.
    CHECK(holds("good.json",
                "good.json:1: expected a name of its own, found \"good\", as in "
                "good-again.json"));
    CHECK(holds("unknown.json", "(did you mean \"requests.failed\"?)"));
    CHECK(holds("trace.json", "t.csv:4: "));
}

TEST_CASE("CheckSuite: a scenario that checks nothing fails, unless that is allowed") {
    const TemporaryFolder folder;
    folder.write("a.json", web_scenario("a"));
    const SuiteResult strict = run_checks(folder);
    CHECK(strict.worst() == CheckStatus::failed);
    CHECK(messages_of(strict.checks.at(0), folder).find("nothing is checked") != std::string::npos);
    CHECK(run_checks(folder, {.allow_empty = true}).worst() == CheckStatus::passed);
}

TEST_CASE("CheckSuite: --set reaches scenarios and the rules of rule tests") {
    const TemporaryFolder folder;
    folder.write("a.json", web_scenario("a", R"("expect": {"replicas at 30s": "== 2"})"));
    folder.write("rules/a.json", R"({"scenario": "../b.json", "tests": {"one": {
        "series": {"cpu": "1x8"}, "expect": {"desired_replicas at 1m": "== 6"}}}})");
    folder.write("b.json", R"({"duration": "1m", "services": {"web": {"simple": {}, "pod":
        {"requests": {"cpu": "500m"}}, "autoscaling": {"policy": "hpa", "max_replicas": 6}}},
        "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}},
        "expect": {"requests.failed": "== 0"}})");
    const SuiteResult before = run_checks(folder);
    for (const Check& check : before.checks) INFO(messages_of(check, folder));
    CHECK(before.count(CheckStatus::passed) == 3);
    const SuiteResult after = run_checks(
        folder, {.sets = {"/services/web/autoscaling={\"policy\": \"hpa\", \"max_replicas\": 5}"}});
    CHECK(check_of(after, folder, "rules/a.json").status() == CheckStatus::failed);
    CHECK(messages_of(check_of(after, folder, "rules/a.json"), folder).find("found 5") !=
          std::string::npos);
}

TEST_CASE("CheckSuite: a baseline is recorded, compared and kept with its tolerances") {
    const TemporaryFolder folder;
    folder.write("a.json", web_scenario("a"));
    const std::string baselines = folder.path("baselines");
    const std::string stored = baselines + "/a.json";
    std::filesystem::create_directories(baselines);
    const SuiteOptions compare{.baseline = baselines};

    const SuiteResult missing = run_checks(folder, compare);
    CHECK(missing.worst() == CheckStatus::failed);
    CHECK(messages_of(missing.checks.at(0), folder).find("found none: record it") !=
          std::string::npos);

    CHECK(run_checks(folder, {.baseline = baselines, .update_baseline = true}).worst() ==
          CheckStatus::passed);
    const std::string first = scenarios::text_of(stored);
    CHECK(run_checks(folder, compare).worst() == CheckStatus::passed);
    CHECK(scenarios::text_of(stored) == first);

    SuiteOptions slower = compare;
    slower.sets = {"/services/web/replicas=1"};
    const SuiteResult worse = run_checks(folder, slower);
    CHECK(worse.worst() == CheckStatus::failed);
    const std::string text = messages_of(worse.checks.at(0), folder);
    INFO(text);
    CHECK(text.find("the scenario is not the one that was recorded") != std::string::npos);
    CHECK(text.find("latency.e2e_s.mean 0.1") != std::string::npos);
    CHECK(text.find("worse; allowed 1 %)") != std::string::npos);
    CHECK(text.find("replicas.mean 2 -> 1 (-50 %; allowed 1 %)") != std::string::npos);
    CHECK(text.find("services.web.") == std::string::npos);  // said at the top already
    REQUIRE_FALSE(slower.tolerances.add("any").has_value());
    CHECK(run_checks(folder, slower).worst() == CheckStatus::passed);

    std::string with_tolerance = first;
    with_tolerance.insert(first.find("\"metrics\""), "\"tolerances\": {\"latency\": \"50%\"}, ");
    folder.write("baselines/a.json", with_tolerance);
    CHECK(run_checks(folder, {.baseline = baselines, .update_baseline = true}).worst() ==
          CheckStatus::passed);
    CHECK(scenarios::text_of(stored).find("\"latency\": \"50%\"") != std::string::npos);

    std::string other_version = first;
    other_version.replace(other_version.find("\"version\": \"") + 12, 1, "9");
    folder.write("baselines/a.json", other_version);
    const SuiteResult refused = run_checks(folder, compare);
    CHECK(refused.worst() == CheckStatus::error);
    CHECK(messages_of(refused.checks.at(0), folder).find("--update-baseline") != std::string::npos);
}

TEST_CASE("CheckSuite: the result is the same for any number of jobs") {
    const TemporaryFolder folder;
    for (int i = 0; i < 12; ++i) {
        const std::string name = "s" + std::to_string(i);
        folder.write(name + ".json", expecting(name, i % 3 == 0 ? "\"replicas.max\": \"== 1\""
                                                                : "\"replicas.max\": \"== 2\""));
    }
    const auto all = [&](int jobs) {
        std::string text;
        std::size_t calls = 0;
        SuiteOptions options;
        options.jobs = jobs;
        options.progress = [&](std::size_t done, std::size_t of) {
            CHECK(done == ++calls);
            CHECK(of == 12);
        };
        for (const Check& check : run_checks(folder, options).checks) {
            text += check.name + messages_of(check, folder) + "\n";
        }
        CHECK(calls == 12);
        return text;
    };
    const std::string alone = all(1);
    CHECK(alone.find("replicas.max == 1: found 2") != std::string::npos);
    CHECK(all(2) == alone);
    CHECK(all(4) == alone);
}

TEST_CASE("CheckSuite: a raised stop interrupts it and stores nothing") {
    const TemporaryFolder folder;
    folder.write("a.json", web_scenario("a"));
    folder.write("b.json", web_scenario("b"));
    std::atomic<bool> stop{false};
    SuiteOptions options;
    options.baseline = folder.path("stored");
    options.update_baseline = true;
    options.stop = &stop;
    options.progress = [&stop](std::size_t, std::size_t) { stop = true; };  // after the first
    CHECK(run_checks(folder, options).interrupted);
    CHECK_FALSE(std::filesystem::exists(folder.path("stored")));
    stop = false;
    options.progress = {};
    CHECK_FALSE(run_checks(folder, options).interrupted);
    CHECK(std::filesystem::exists(folder.path("stored/b.json")));
}

}  // namespace headroom::analysis
