// Bad usage and bad input: exit 2, nothing on standard output, no result folder, and a message that
// says where, what was expected and what was probably meant.
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <cstdint>
#include <filesystem>
#include <sstream>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;

std::string gzip(const std::string& text) {
    std::ostringstream out;
    {
        boost::iostreams::filtering_ostream filter;
        filter.push(boost::iostreams::gzip_compressor());
        filter.push(out);
        filter << text;
    }
    return out.str();
}

/// More than a reader takes in at once, so that the damage comes up while the clock runs.
std::string long_trace() {
    std::string text = "arrival_s,prompt_tokens,output_tokens\n";
    for (std::int64_t i = 0; i < 400'000; ++i) {
        text += std::to_string(i / 10) + "." + std::to_string(i % 10) + "," +
                std::to_string(1 + i * 7919 % 500) + "," + std::to_string(1 + i * 104729 % 50) +
                "\n";
    }
    return text;
}

/// Runs a scenario that replays `trace` and expects exit 2, without output or results.
std::string refused_trace(const std::string& name, const std::string& trace) {
    const TemporaryDirectory scratch;
    write_text(scratch / name, trace);
    write_text(scratch / "replay.json", replay_scenario(name));
    const RunResult r = run({"run", scratch / "replay.json", "--out", scratch / "out"});
    INFO(name << "\n" << r.err);
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    CHECK_FALSE(fs::exists(scratch / "out"));
    CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 2);
    return r.err;
}

/// The same for a scenario's text.
std::string refused_scenario(const std::string& text, const std::vector<std::string>& more = {}) {
    const TemporaryDirectory scratch;
    write_text(scratch / "bad.json", text);
    std::vector<std::string> words = {"run", scratch / "bad.json", "--out", scratch / "out"};
    words.insert(words.end(), more.begin(), more.end());
    const RunResult r = run(words);
    INFO(r.err);
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    CHECK_FALSE(fs::exists(scratch / "out"));
    return r.err;
}

const std::string kHeader = "arrival_s,prompt_tokens,output_tokens\n";

}  // namespace

TEST_CASE("errors: a truncated .gz ends the run without results") {
    const std::string whole = gzip(long_trace());
    const std::string err = refused_trace("cut.csv.gz", whole.substr(0, whole.size() * 3 / 4));
    CHECK(contains(err, "cut.csv.gz"));
    CHECK(contains(err, "no results were written"));
}

TEST_CASE("errors: bad rows of a trace are told with file and line") {
    CHECK(contains(refused_trace("nan.csv", kHeader + "0,10,5\nnan,10,5\n"), "nan.csv:3: "));
    CHECK(
        contains(refused_trace("negative.csv", kHeader + "0,10,5\n1,-10,5\n"), "negative.csv:3: "));
    CHECK(
        contains(refused_trace("unsorted.csv", kHeader + "5,10,5\n1,10,5\n"), "unsorted.csv:3: "));
    CHECK(contains(refused_trace("short.csv", kHeader + "0,10,5\n1,10\n"), "short.csv:3: "));
}

TEST_CASE("errors: an empty trace is told before anything runs") {
    CHECK(contains(refused_trace("empty.csv", ""), "empty.csv"));
    CHECK(contains(refused_trace("header.csv", kHeader), "header.csv"));
}

TEST_CASE("errors: all mistakes of a scenario are told at once, with line and pointer") {
    const std::string err = refused_scenario(R"({
  "name": "ten mistakes",
  "duration": "1 hour",
  "measure_form": "1m",
  "seed": -1,
  "services": {
    "web": {
      "simple": {"servers": 0, "service_time": {"distribution": "exponental", "mean": "100ms"}},
      "routing": {"policy": "least-requests"},
      "replicas": "two"
    }
  },
  "sources": {
    "users": {"service": "wep", "arrivals": {"process": "poison", "rate": 5}}
  },
  "expect": {"latency.ttft.p99": "< 2", "requests.failed": "about 0"}
}
)");
    for (const char* part :
         {"bad.json:3: /duration: ", "bad.json:4: ", "\"measure_from\"",
          "bad.json:5: /seed: ", "/services/web/simple/servers: ", "\"exponential\"",
          "\"least-request\"", "bad.json:10: /services/web/replicas: ", "\"web\"", "\"poisson\"",
          "\"latency.ttft_s.p99\"", "\"about 0\"", "mistakes"}) {
        CAPTURE(part);
        CHECK(contains(err, part));
    }
    CHECK(count_lines(err) >= 11);
}

TEST_CASE("errors: unknown policies, metrics, pointers and services name the nearest") {
    CHECK(contains(refused_scenario(small_scenario(),
                                    {"--set", "/services/web/routing={\"policy\":\"two-choise\"}"}),
                   "two-choice"));
    CHECK(contains(refused_scenario(small_scenario(R"("expect": {"requests.complete": "> 0"})")),
                   "requests.completed"));
    CHECK(contains(refused_scenario(small_scenario(), {"--set", "/services/web/replica=2"}),
                   "replicas"));
    CHECK(contains(refused_scenario(small_scenario(), {"--trace", "wep=none.csv"}), "web"));
}

TEST_CASE("errors: a target that its metric's source does not take is refused") {
    const std::string err = refused_scenario(
        small_scenario(),
        {"--set", R"(/services/web/autoscaling={"policy": "hpa", "max_replicas": 4, "metrics": [
             {"type": "Pods", "name": "requests_in_flight", "target": {"value": 4}}]})"});
    CHECK(contains(err, "/services/web/autoscaling"));
    CHECK(contains(err, "a Pods metric takes a target of type AverageValue"));
}

TEST_CASE("errors: files that are not there, not JSON or not a scenario") {
    const RunResult r = run({"run", "/nowhere/at/all.json"});
    CHECK(r.exit_code == 2);
    CHECK(contains(r.err, "/nowhere/at/all.json"));
    CHECK(contains(refused_scenario("{\"name\": \n"), "bad.json:"));
    CHECK(contains(refused_scenario("[]"), "bad.json"));
}

TEST_CASE("errors: an output folder that cannot be written is told before the run") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const RunResult r = run({"run", scratch / "small.json", "--out", scratch.unwritable("out")});
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    CHECK(contains(r.err, "--out: "));
}

TEST_CASE("errors: a pod that no node could ever hold is refused") {
    const std::string err = refused_scenario(cluster_scenario("9", 1));
    CHECK(contains(err, "/services/web/pod"));
    CHECK(contains(err, "cpu"));
}

TEST_CASE("errors: unknown commands and options exit 2 with the nearest name") {
    struct Case {
        std::vector<std::string> words;
        const char* part;
    };
    for (const Case& c :
         {Case{{}, "expected a command"}, Case{{"rum"}, "did you mean \"run\"?"},
          Case{{"--verson"}, "did you mean \"--version\"?"},
          Case{{"run"}, "expected a scenario file"},
          Case{{"run", "a.json", "b.json"}, "found \"b.json\""},
          Case{{"run", "a.json", "--treads", "2"}, "did you mean \"--threads\"?"},
          Case{{"run", "a.json", "--threads", "0"}, "--threads: expected"},
          Case{{"run", "a.json", "--seed", "x"}, "--seed: expected"},
          Case{{"run", "a.json", "-o", "yaml"}, "--output: expected"},
          Case{{"run", "a.json", "--out"}, "--out"}, Case{{"trace", "inf", "x"}, "expected info"},
          Case{{"validate"}, "expected a scenario file"}}) {
        const RunResult r = run(c.words);
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(r.out == "");
        CHECK(contains(r.err, c.part));
    }
}

TEST_CASE("Errors: what cannot work in an autoscaler is said before the clock runs") {
    struct Mistake {
        const char* set;
        const char* said;
    };
    const Mistake mistakes[] = {
        {"min_replicas=9", "/min_replicas: expected at most max_replicas (8), found 9"},
        {"metrics/0/name=requests_in_fligt", "expected a metric of pods"},
        {"metrics/0/target/value=0", "/target/value: expected a quantity > 0m"},
        {R"(behavior={"scale_up": {"policies": [{"type": "Pods", "value": 4, "period": "0s"}]}})",
         R"(/period: expected a duration from "1s" to "30m")"},
        {R"(policy=kpb)", "expected one of"},
    };
    const std::string base =
        std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/quickstart.json";
    for (const Mistake& mistake : mistakes) {
        const RunResult r = run(
            {"validate", base, "--set", std::string("/services/chat/autoscaling/") + mistake.set});
        INFO(mistake.set << "\n" << r.err);
        CHECK(r.exit_code == 2);
        CHECK(r.out == "");
        CHECK(r.err.find(mistake.said) != std::string::npos);
    }
    // A policy that sizes pods is not one that counts them.
    const RunResult vertical =
        run({"validate", base, "--set", R"(/services/chat/autoscaling={"policy": "vpa"})"});
    CHECK(vertical.exit_code == 2);
    CHECK(vertical.err.find("expected vertical_autoscaling") != std::string::npos);
}

}  // namespace headroom::acceptance
