// headroom validate, schema, policies and trace info.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {

TEST_CASE("validate: every scenario of the library is good, in one line each") {
    for (const auto& entry : std::filesystem::directory_iterator(
             std::filesystem::path(HEADROOM_SOURCE_DIR) / "scenarios/library")) {
        if (entry.path().extension() != ".json") continue;
        const RunResult r = run({"validate", entry.path().string()});
        INFO(entry.path() << "\n" << r.err);
        CHECK(r.exit_code == 0);
        CHECK(r.out.rfind("ok: ", 0) == 0);
        CHECK(count_lines(r.out) == 1);
    }
}

TEST_CASE("validate: the line says what the scenario is made of") {
    const TemporaryDirectory scratch;
    write_text(scratch / "t.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,20,5\n");
    write_text(scratch / "replay.json", replay_scenario("t.csv"));
    const RunResult r = run({"validate", scratch / "replay.json"});
    INFO(r.err);
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "ok: replay: 1 service in 1 cell, 1 source (2 requests in traces), "));
    CHECK(r.err == "");
}

TEST_CASE("validate: reads whole traces and tells all their mistakes") {
    const TemporaryDirectory scratch;
    std::string trace = "arrival_s,prompt_tokens,output_tokens\n";
    for (int i = 0; i < 1000; ++i) trace += std::to_string(i) + ",10,5\n";
    trace += "nan,10,5\n1001,-3,5\n500,10,5\n1002,10\n";
    write_text(scratch / "t.csv", trace);
    write_text(scratch / "replay.json", replay_scenario("t.csv"));
    const RunResult r = run({"validate", scratch / "replay.json"});
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    for (const char* line : {"t.csv:1002: ", "t.csv:1003: ", "t.csv:1004: ", "t.csv:1005: "}) {
        CAPTURE(line);
        CHECK(contains(r.err, line));
    }
}

TEST_CASE("schema: both schemas are JSON, and the program's own files keep to them") {
    for (const char* which : {"scenario", "summary"}) {
        const RunResult r = run({"schema", which});
        REQUIRE(r.exit_code == 0);
        const auto schema = nlohmann::json::parse(r.out);
        CHECK(schema["type"] == "object");
        CHECK(r.err == "");
    }
    CHECK(run({"schema", "sumary"}).exit_code == 2);
}

TEST_CASE("policies: lists all, a family, or one with its parameters") {
    const RunResult all = run({"policies"});
    CHECK(all.exit_code == 0);
    CHECK(contains(all.out, "least-request"));
    const RunResult family = run({"policies", "routing"});
    CHECK(contains(family.out, "two-choice"));
    CHECK_FALSE(contains(family.out, "vllm-v1"));
    const RunResult one = run({"policies", "vllm-v1"});
    CHECK(contains(one.out, "max_num_seqs"));
    const auto listed = nlohmann::json::parse(run({"policies", "vllm-v1", "-o", "json"}).out);
    CHECK(listed["batching"]["vllm-v1"]["parameters"]["properties"].contains("max_num_seqs"));
    const RunResult typo = run({"policies", "vlm-v1"});
    CHECK(typo.exit_code == 2);
    CHECK(contains(typo.err, "did you mean \"vllm-v1\"?"));
}

TEST_CASE("trace info: says what is in a trace") {
    const std::string sample = HEADROOM_SOURCE_DIR "/traces/samples/azure-like.csv";
    const RunResult table = run({"trace", "info", sample});
    CHECK(table.exit_code == 0);
    CHECK(contains(table.out, "579 requests, format csv"));
    const auto info = nlohmann::json::parse(run({"trace", "info", sample, "-o", "json"}).out);
    CHECK(info["requests"] == 579);
    CHECK(info["prompt_tokens"]["max"] > info["prompt_tokens"]["p50"]);

    const TemporaryDirectory scratch;
    write_text(scratch / "bad.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,x,5\n");
    const RunResult bad = run({"trace", "info", scratch / "bad.csv"});
    CHECK(bad.exit_code == 2);
    CHECK(contains(bad.out, "1 request,"));
    CHECK(contains(bad.err, "bad.csv:3: "));
}

TEST_CASE("help and version: on standard output, one line for the version") {
    const RunResult version = run({"--version"});
    CHECK(version.exit_code == 0);
    CHECK(version.out.rfind("headroom ", 0) == 0);
    CHECK(count_lines(version.out) == 1);
    const RunResult help = run({"--help"});
    CHECK(help.exit_code == 0);
    std::vector<std::string> names;
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("  ")) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    CHECK(names.size() >= 13);
    for (const std::string& name : names) {
        CAPTURE(name);
        if (name == "build" || name == "test") continue;  // the launcher's
        const RunResult more = run({name, "--help"});
        CHECK(more.exit_code == 0);
        CHECK(contains(more.out, "usage: headroom " + name));
        CHECK(more.err == "");
    }
}

}  // namespace headroom::acceptance
