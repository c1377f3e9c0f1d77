// headroom explain, as an SRE uses it after a run: what it says of a moment, and what it says when
// it cannot.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Runs a scenario into `folder`, whatever it expects.
void simulate(const std::string& scenario, const std::string& folder,
              const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"run", scenario, "--out", folder, "-q"};
    words.insert(words.end(), more.begin(), more.end());
    const RunResult r = run(words);
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
}

json explained(const std::string& folder, const std::string& at) {
    const RunResult r = run({"explain", folder, "--at", at, "-o", "json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(r.err == "");
    return json::parse(r.out);
}

}  // namespace

TEST_CASE("explain: tells the state of the quickstart in its surge, and why") {
    const TemporaryDirectory scratch;
    simulate(library("quickstart"), scratch / "out", {"--requests", "--decisions"});
    const RunResult text = run({"explain", scratch / "out", "--at", "16m"});
    INFO(text.err);
    REQUIRE(text.exit_code == 0);
    CHECK(text.err == "");
    for (const char* part :
         {"quickstart at 16m of 1h", "chat wants 8 replicas: 2 ready, 6 starting", "Why 8",
          "hpa chat raised it from 4 at 16m (now)", "8 allowed: max_replicas", "requests_in_flight",
          "Starting", "in flight", "15 s ago", "in 15 s", "ready 4 -> 8"}) {
        CAPTURE(part);
        CHECK(contains(text.out, part));
    }
    CHECK_FALSE(contains(text.out, "\033"));

    // The same numbers as in the run's other files.
    const json chat = explained(scratch / "out", "16m")["services"]["chat"];
    const json& workload = chat["workloads"]["chat"];
    CHECK(workload["desired"] == 8);
    CHECK(workload["ready"] == 2);
    CHECK(workload["starts"].size() == 6);
    const std::string decisions = read_text(scratch / "out/decisions.jsonl");
    std::size_t same = 0;
    for (std::size_t begin = 0; begin < decisions.size();) {
        const std::size_t end = decisions.find('\n', begin);
        if (json::parse(decisions.substr(begin, end - begin)) == workload["cause"]) ++same;
        begin = end + 1;
    }
    CHECK(same == 1);
    const std::string requests = read_text(scratch / "out/requests.csv");
    std::int64_t in_flight = 0;
    std::size_t line = requests.find('\n') + 1;
    while (line < requests.size()) {
        // id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,...
        std::vector<std::string> fields;
        std::size_t begin = line;
        while (fields.size() < 6) {
            const std::size_t comma = requests.find(',', begin);
            fields.push_back(requests.substr(begin, comma - begin));
            begin = comma + 1;
        }
        const bool ended = !fields[5].empty() && std::stod(fields[5]) <= 960;
        if (std::stod(fields[2]) <= 960 && !ended) ++in_flight;
        line = requests.find('\n', line) + 1;
    }
    CHECK(in_flight > 100);
    CHECK(chat["requests"]["in_flight"] == in_flight);
}

TEST_CASE("explain: every tick kept tells how long a wish has been held back") {
    const TemporaryDirectory scratch;
    simulate(library("quickstart"), scratch / "few");
    simulate(library("quickstart"), scratch / "all", {"--decisions", "all"});
    const auto blocked = [&](const std::string& folder) {
        return explained(folder, "10m")["services"]["chat"]["workloads"]["chat"]["blocked"];
    };
    REQUIRE(blocked(scratch / "few").size() == 1);
    CHECK(blocked(scratch / "few")[0]["ticks_kept"] == false);
    CHECK(blocked(scratch / "few")[0]["time_s"] == 0.0);
    REQUIRE(blocked(scratch / "all").size() == 1);
    CHECK(blocked(scratch / "all")[0]["ticks_kept"] == true);
    CHECK(blocked(scratch / "all")[0]["time_s"] == 600.0);
    CHECK(blocked(scratch / "all")[0]["since_s"] > 0.0);
    CHECK(contains(run({"explain", scratch / "few", "--at", "10m"}).out,
                   "headroom run --decisions all keeps them"));
}

TEST_CASE("explain: of several services one can be chosen, and the span of events") {
    const TemporaryDirectory scratch;
    simulate(library("three-cells"), scratch / "out");
    const RunResult all = run({"explain", scratch / "out", "--at", "5m"});
    REQUIRE(all.exit_code == 0);
    for (const char* part : {"batch wants", "chat wants 4 replicas: 3 ready, 1 starting",
                             "grid wants 3 replicas and has them", "fault on chat-1: killed"}) {
        CAPTURE(part);
        CHECK(contains(all.out, part));
    }
    const RunResult one =
        run({"explain", scratch / "out", "--at", "5m", "--service", "grid", "--around", "30s"});
    REQUIRE(one.exit_code == 0);
    CHECK(contains(one.out, "nothing in the last 30 s"));
    CHECK(contains(one.out, "in 2m  fault on grid-0: deleted, drains"));
    CHECK_FALSE(contains(one.out, "chat"));
}

TEST_CASE("explain: tells lost nodes, and pods that no node has room for") {
    const TemporaryDirectory scratch;
    write_text(scratch / "waits.json", cluster_scenario("5", 3));
    simulate(
        scratch / "waits.json", scratch / "out",
        {"--set", R"(/faults={"lose": {"at": "5m", "kind": "lose_node", "target": "small-0"}})"});
    const RunResult r = run({"explain", scratch / "out", "--at", "6m"});
    REQUIRE(r.exit_code == 0);
    for (const char* part : {"web wants 3 replicas: 1 ready, 2 starting, 2 of them without a node",
                             "No node", "2 pods wait for a node: ", "nodes are available",
                             "1m ago  fault on small-0: lost with"}) {
        CAPTURE(part);
        CHECK(contains(r.out, part));
    }
}

TEST_CASE("explain: what it cannot do it says with exit 2 and nothing on standard output") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    simulate(scratch / "small.json", scratch / "small");
    write_text(scratch / "letters/letter.txt", "dear");
    write_text(scratch / "damaged/results.h5", "dear");
    const std::string good = scratch / "small";
    struct Case {
        std::vector<std::string> words;
        const char* part;
    };
    for (const Case& c :
         {Case{{}, "expected the folder of a run"}, Case{{good}, "expected --at TIME"},
          Case{{good, "--at", "12"}, "--at: expected a duration such as"},
          Case{{good, "--at", "2m"}, "expected a time within the run, which lasted 1m, found 2m"},
          Case{{good, "--at", "1000000d"}, "--at: "},
          Case{{good, "--at", "1s", "--service", "wep"}, "did you mean \"web\"?"},
          Case{{good, "--at", "1s", "--around", "soon"}, "--around: expected a duration"},
          Case{{good, "--at", "1s", "-o", "yaml"}, "--output: expected text or json"},
          Case{{scratch / "smal", "--at", "1s"}, "did you mean \""},
          Case{{scratch / "small.json", "--at", "1s"}, "is not a folder"},
          Case{{scratch / "letters", "--at", "1s"}, "holds no results.h5; expected a folder"},
          Case{{scratch / "damaged", "--at", "1s"}, "damaged/results.h5"}}) {
        std::vector<std::string> words = {"explain"};
        words.insert(words.end(), c.words.begin(), c.words.end());
        const RunResult r = run(words);
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(r.out == "");
        CHECK(contains(r.err, c.part));
        CHECK(count_lines(r.err) == 1);
    }
    CHECK(run({"explain", good, "--at", "1m"}).exit_code == 0);  // the end is part of the run
}

TEST_CASE("explain: flapping figures can be asked for, and stand in the summary and the report") {
    const TemporaryDirectory scratch;
    write_text(scratch / "steady.json", R"({
  "extends": ")" + library("quickstart") + R"(",
  "expect": {"services.chat.scale_events.reversals_per_h": "> 0",
             "scale_events.capacity_lag_s.max": "< 2m",
             "scale_events.capacity_lag_s.mean": "> 1m",
             "scale_events.pods_created": ">= 8"}
})");
    const RunResult r = run({"run", scratch / "steady.json", "--out", scratch / "out"});
    INFO(r.err);
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "scaling "));
    CHECK(contains(r.out, "/h), lag mean "));
    const json service = json::parse(read_text(scratch / "out/summary.json"))["services"]["chat"];
    const json& events = service["scale_events"];
    CHECK(events["reversals_per_h"] == events["reversals"].get<double>());  // in one hour
    CHECK(events["pods_deleted"] == service["pods"]["deleted"]);
    CHECK(events["capacity_lag_s"]["max"] >= events["capacity_lag_s"]["mean"]);
}

}  // namespace headroom::acceptance
