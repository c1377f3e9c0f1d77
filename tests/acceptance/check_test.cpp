// headroom check: the shipped rule tests, what they catch, and what CI gets to see.
#include <filesystem>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

RunOptions outside_ci() {
    RunOptions options;
    options.environment = {{"GITHUB_ACTIONS", std::nullopt}, {"GITHUB_STEP_SUMMARY", std::nullopt}};
    return options;
}

/// The library's scenario and the tests of its rule, in a folder of their own.
void copy_rule(const TemporaryDirectory& scratch, const std::string& name) {
    write_text(scratch / (name + ".json"), read_text(library(name)));
    write_text(scratch / ("rule-tests/" + name + ".json"),
               read_text(library("rule-tests/" + name)));
}

void replace(const std::string& file, const std::string& before, const std::string& after) {
    std::string text = read_text(file);
    const std::size_t at = text.find(before);
    REQUIRE(at != std::string::npos);
    write_text(file, text.replace(at, before.size(), after));
}

std::string named(const std::string& name, const std::string& more = "") {
    std::string text = small_scenario(more);
    return text.replace(text.find("\"small\""), 7, "\"" + name + "\"");
}

}  // namespace

TEST_CASE("check: the rule tests of the library hold") {
    const fs::path folder = fs::path(library("quickstart")).parent_path() / "rule-tests";
    const RunResult r = run({"check", folder.string()}, outside_ci());
    INFO(r.out << r.err);
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "pass   stabilization"));
    CHECK(r.err == "");
}

TEST_CASE("check: a halved stabilization window is caught, in words that name it") {
    const TemporaryDirectory scratch;
    copy_rule(scratch, "stabilization");
    CHECK(run({"check", scratch / "rule-tests"}, outside_ci()).exit_code == 0);
    replace(scratch / "stabilization.json", "\"stabilization_window\": \"5m\"",
            "\"stabilization_window\": \"2m30s\"");
    // The folder of the report is made.
    const std::string junit = scratch / "made/for/junit.xml";
    const RunResult r =
        run({"check", scratch / "rule-tests", "-o", "json", "--junit", junit}, outside_ci());
    INFO(r.out);
    CHECK(r.exit_code == 1);
    for (const std::string& text : {r.out, read_text(junit)}) {
        CHECK(contains(text, "a lull of four minutes keeps every pod"));
        CHECK(contains(text,
                       "desired_replicas during 0s..9m == 8: found 2 at 4m15s; at 4m15s hpa "
                       "went from 8 to 2"));
        CHECK(contains(text, "8 held: scale-down stabilization 150 s"));
    }
}

TEST_CASE("check: a report or a baseline that cannot be written is told with its place") {
    const TemporaryDirectory scratch;
    write_text(scratch / "a-file", "");
    write_text(scratch / "c/good.json", named("good", R"("expect": {"replicas.max": "== 1"})"));
    for (const std::string& path : {scratch / "c", scratch / "a-file/junit.xml"}) {
        const RunResult r = run({"check", scratch / "c", "--junit", path}, outside_ci());
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(contains(r.err, "--junit: expected a file in a folder that is there or can be made"));
        CHECK(r.out == "");
    }
    const std::string baselines = scratch / "a-file/b";
    const RunResult r =
        run({"check", scratch / "c", "--baseline", baselines, "--update-baseline"}, outside_ci());
    INFO(r.err);
    CHECK(r.exit_code == 3);
    CHECK(contains(r.err, "cannot make the folder " + baselines));
}

TEST_CASE("check: bad input is told for its check, the others run, and the exit code is 2") {
    const TemporaryDirectory scratch;
    write_text(scratch / "c/broken.json", "{\n  \"services\": \n");
    write_text(scratch / "c/failing.json",
               named("failing", R"("expect": {"replicas.max": "== 9"})"));
    write_text(scratch / "c/good.json", named("good", R"("expect": {"replicas.max": "== 1"})"));
    write_text(scratch / "c/twice.json", named("good", R"("expect": {"replicas.max": "== 1"})"));
    write_text(scratch / "c/unknown.json",
               named("unknown", R"("expect": {"replica.max": "== 1"})"));
    RunOptions options = outside_ci();
    options.working_directory = scratch.path();
    options.environment = {{"GITHUB_ACTIONS", "true"}, {"GITHUB_STEP_SUMMARY", "summary.md"}};
    write_text(scratch / "summary.md", "earlier\n");
    const RunResult r = run({"check", "c", "nowhere", "--jobs", "2"}, options);
    INFO(r.out << r.err);
    CHECK(r.exit_code == 2);
    for (const char* part :
         {"ERROR  c/broken.json", "c/broken.json:3:1: expected a value", "FAIL   failing",
          "c/failing.json:9: replicas.max == 9: found 1", "pass   good",
          "c/twice.json:1: expected a name of its own, found \"good\", as in c/good.json",
          "(did you mean \"replicas.max\"?)", "nowhere: expected a file or a folder",
          "6 checks: 1 passed, 1 failed, 4 errors"}) {
        CAPTURE(part);
        CHECK(contains(r.out, part));
    }
    CHECK(contains(r.err, "::error file=c/failing.json,line=9,title=failing::replicas.max == 9"));
    CHECK(contains(r.err, "::error file=c/broken.json,line=3,"));
    const std::string summary = read_text(scratch / "summary.md");
    CHECK(summary.find("earlier\n### headroom check: 6 checks: 1 passed") == 0);
}

TEST_CASE("check: numbers are compared with a baseline, and one of another version is refused") {
    const TemporaryDirectory scratch;
    write_text(scratch / "c/a.json", named("a"));
    const std::vector<std::string> words = {"check", scratch / "c", "--baseline", scratch / "b"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), words.begin(), words.end());
        return run(more, outside_ci());
    };
    CHECK(contains(with({}).err, "--update-baseline makes it"));
    CHECK(with({"--update-baseline"}).exit_code == 0);
    CHECK(with({}).exit_code == 0);
    const RunResult slower = with({"--set", "/services/web/simple/servers=2"});
    INFO(slower.out);
    CHECK(slower.exit_code == 1);
    CHECK(contains(slower.out, "latency.e2e_s.mean "));
    CHECK(contains(slower.out, "%, worse;"));
    CHECK(with({"--set", "/services/web/simple/servers=2", "--tolerance", "any"}).exit_code == 0);
    CHECK(with({"--tolerance", "latncy=5%"}).exit_code == 2);
    replace(scratch / "b/a.json", "\"version\": \"", "\"version\": \"9.");
    const RunResult other = with({});
    CHECK(other.exit_code == 2);
    CHECK(contains(other.out, "record it again"));
}

TEST_CASE("check: two hundred small scenarios take seconds") {
    const TemporaryDirectory scratch;
    for (int i = 0; i < 200; ++i) {
        const std::string name = "s" + std::to_string(i);
        write_text(scratch / (name + ".json"),
                   named(name, R"("expect": {"requests.failed": "== 0"})"));
    }
    const RunResult r = run({"check", scratch.path().string(), "--jobs", "2"}, outside_ci());
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "200 checks: 200 passed\n"));
    CHECK(r.wall < milliseconds(20'000));
}

#ifndef __SANITIZE_ADDRESS__  // which reserves more than any limit here
TEST_CASE("check: a scenario that needs more memory than there is ends its own check only") {
    const TemporaryDirectory scratch;
    write_text(scratch / "checks/huge.json",
               R"({"name": "huge", "duration": "1m",
                   "services": {"web": {"simple": {"servers": 1}}},
                   "sources": {"users": {"service": "web", "closed_loop": {"users": 10000000}}}})");
    write_text(scratch / "checks/small.json",
               named("small", R"("expect": {"requests.failed": "== 0"})"));
    const std::string limited = "ulimit -v 600000; exec " HEADROOM_BINARY " ";
    const std::string folder = scratch / "checks";
    const RunResult r =
        run_program("sh", {"-c", limited + "check --jobs 1 '" + folder + "'"}, outside_ci());
    INFO(r.out << r.err);
    CHECK(r.exit_code == 2);
    CHECK(contains(r.out, "huge.json: out of memory\n"));
    CHECK(contains(r.out, "pass   small"));

    const RunResult alone = run_program(
        "sh", {"-c", limited + "run '" + folder + "/huge.json' --out '" + (scratch / "out") + "'"});
    CHECK(alone.exit_code == 3);
    CHECK(contains(alone.err, "out of memory"));
    CHECK_FALSE(fs::exists(scratch / "out"));
}
#endif

TEST_CASE("check: Ctrl-C ends it with exit 3, and nothing is written") {
    const TemporaryDirectory scratch;
    write_text(scratch / "long.json",
               R"({"extends": ")" + library("mm1") +
                   R"(", "duration": "90d", "sources": {"clients": {"arrivals": {"rate": 80}}},
                      "services": {"server": {"simple": {"servers": 10}}}})");
    RunOptions options = outside_ci();
    options.signal_after = milliseconds(500);
    const RunResult r = run({"check", scratch / "long.json", "--junit", scratch / "junit.xml",
                             "--baseline", scratch / "b", "--update-baseline"},
                            options);
    INFO(r.out << r.err);
    CHECK(r.exit_code == 3);
    CHECK(r.out == "");
    CHECK(contains(r.err, "interrupted"));
    CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("check: the schema of rule tests is printed") {
    const RunResult r = run({"schema", "rule-test"});
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "\"Headroom rule test\""));
}

}  // namespace headroom::acceptance
