// headroom run, as a user runs it: what it writes, what it prints, and that equal runs are equal.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const std::string& path) {
    return json::parse(read_text(path));
}

}  // namespace

TEST_CASE("run: the quickstart writes all its files and prints a report") {
    const TemporaryDirectory scratch;
    const RunResult r =
        run({"run", library("quickstart"), "--out", scratch / "out", "--requests", "--decisions"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    for (const char* file :
         {"summary.json", "run.json", "results.h5", "requests.csv", "decisions.jsonl"}) {
        CAPTURE(file);
        CHECK(fs::file_size(scratch / "out/" + file) > 0);
    }
    const json summary = read_json(scratch / "out/summary.json");
    const json& requests = summary["requests"];
    CHECK(requests["arrived"] == requests["completed"].get<int>() + requests["failed"].get<int>() +
                                     requests["rejected"].get<int>() +
                                     requests["timed_out"].get<int>() +
                                     requests["in_flight"].get<int>());
    CHECK(count_lines(read_text(scratch / "out/requests.csv")) ==
          requests["arrived"].get<std::size_t>() + 1);
    CHECK(summary["services"]["chat"]["profile"]["kind"] == "estimated");
    CHECK(read_json(scratch / "out/run.json")["requests"] == requests["arrived"]);
    CHECK(contains(r.out, "quickstart"));
    CHECK(contains(r.out, summary["digest"].get<std::string>()));
    CHECK(contains(r.out, "TTFT"));
    CHECK(contains(r.out, "hpa chat"));
    CHECK(contains(r.out, "pass  replicas at 10m == 2"));
}

TEST_CASE("run: requests.csv names the pods that decisions.jsonl names") {
    const TemporaryDirectory scratch;
    const RunResult r =
        run({"run", library("warm-pool"), "--out", scratch / "out", "--requests", "--decisions"});
    REQUIRE(r.exit_code == 0);
    std::map<std::string, double> bound_s;
    std::istringstream decisions(read_text(scratch / "out/decisions.jsonl"));
    for (std::string line; std::getline(decisions, line);) {
        const json decision = json::parse(line);
        if (decision["actor"] == "scheduler" && decision["outcome"] == "changed") {
            CHECK(decision["about"] == "pod");
            bound_s[decision["subject"]] = decision["time_s"];
        }
    }
    std::set<std::string> served;
    std::istringstream requests(read_text(scratch / "out/requests.csv"));
    std::string line;
    std::getline(requests, line);
    REQUIRE(line ==
            "id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,"
            "output_tokens,preemptions,pod,outcome");
    while (std::getline(requests, line)) {
        std::vector<std::string> row;
        std::istringstream fields(line);
        for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
        REQUIRE(row.size() == 11);
        if (row[10] != "completed") continue;
        INFO(line);
        REQUIRE(row[9].starts_with(row[1] + "-"));
        REQUIRE(bound_s.count(row[9]) == 1);
        // Those after the first are bound one by one: with an ordinal too many this would fail.
        REQUIRE(std::stod(row[3]) >= bound_s[row[9]]);
        served.insert(row[9]);
    }
    CHECK(served.size() > 5);
}

TEST_CASE("run: data goes to standard output, notes to standard error, and no colour to a file") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const std::string file = scratch / "small.json";
    const RunResult table = run({"run", file, "--out", scratch / "out"});
    REQUIRE(table.exit_code == 0);
    CHECK(contains(table.err, "results in "));
    CHECK(count_lines(table.err) == 1);
    CHECK_FALSE(contains(table.out + table.err, "\033"));
    CHECK_FALSE(contains(table.out + table.err, "\r"));

    const RunResult text = run({"run", file, "--out", scratch / "out", "-o", "json", "--quiet"});
    REQUIRE(text.exit_code == 0);
    CHECK(text.out == read_text(scratch / "out/summary.json"));
    CHECK(text.err == "");
}

TEST_CASE("run: results land in out/<name> where nothing else is said") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    RunOptions here;
    here.working_directory = scratch.path();
    REQUIRE(run({"run", "small.json", "--set", "/name=a b/c"}, here).exit_code == 0);
    CHECK(fs::exists(scratch / "out/a-b-c/summary.json"));
}

TEST_CASE("run: the summary is equal byte for byte over threads and steps") {
    const TemporaryDirectory scratch;
    for (const char* name : {"three-cells", "kv-pressure", "linear-replay"}) {
        const std::vector<std::vector<std::string>> ways = {
            {}, {"--threads", "2"}, {"--threads", "4"}, {"--exact-steps"}};
        std::string first;
        for (const auto& way : ways) {
            std::vector<std::string> words = {"run",           library(name), "--out",
                                              scratch / "out", "-q",          "--requests"};
            words.insert(words.end(), way.begin(), way.end());
            const RunResult r = run(words);
            INFO(name << " " << (way.empty() ? "" : way[0]) << "\n" << r.err);
            REQUIRE(r.exit_code == 0);
            const std::string all = read_text(scratch / "out/summary.json") +
                                    read_text(scratch / "out/results.h5") +
                                    read_text(scratch / "out/requests.csv");
            if (first.empty()) first = all;
            CHECK((all == first));  // too long to print
        }
    }
}

TEST_CASE("run: another seed is another run, and --set changes one value") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const auto digest = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words = {"run", scratch / "small.json", "--out", scratch / "out",
                                          "-q"};
        words.insert(words.end(), more.begin(), more.end());
        REQUIRE(run(words).exit_code == 0);
        return read_json(scratch / "out/summary.json")["digest"].get<std::string>();
    };
    const std::string first = digest({});
    CHECK(digest({}) == first);
    CHECK(digest({"--seed", "2"}) != first);
    CHECK(digest({"--seed", "2"}) == digest({"--set", "/seed=2"}));
    CHECK(digest({"--set", "/services/web/simple/servers=3"}) != first);
}

TEST_CASE("run: --trace replaces the source, and drains") {
    const TemporaryDirectory scratch;
    write_text(scratch / "three.csv",
               "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,20,5\n200,30,5\n");
    for (const std::string& trace : {scratch / "three.csv", "chat=" + (scratch / "three.csv")}) {
        const RunResult r = run({"run", library("closed-loop"), "--out", scratch / "out", "--trace",
                                 trace, "-o", "json", "--set", "/expect=null"});
        INFO(r.err);
        REQUIRE(r.exit_code == 0);
        const json summary = json::parse(r.out);
        CHECK(summary["requests"]["completed"] == 3);
        CHECK(summary["simulated_s"] > 200);
    }
}

TEST_CASE("run: exits 1 when an expectation fails, after writing and printing everything") {
    const TemporaryDirectory scratch;
    write_text(
        scratch / "small.json",
        small_scenario(R"("expect": {"requests.completed": "< 10", "replicas.max": "== 1"})"));
    const RunResult r = run({"run", scratch / "small.json", "--out", scratch / "out"});
    CHECK(r.exit_code == 1);
    CHECK(contains(r.out, "FAIL  requests.completed < 10: found "));
    CHECK(contains(r.out, "pass  replicas.max == 1: found 1"));
    CHECK(contains(r.err, "expectation failed: requests.completed < 10"));
    CHECK(read_json(scratch / "out/summary.json")["expect"].size() == 2);
}

TEST_CASE("run: says saturated where the backlog grows") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const RunResult r = run({"run", scratch / "small.json", "--out", scratch / "out", "--set",
                             "/sources/users/arrivals/rate=100", "--set", "/duration=10m"});
    REQUIRE(r.exit_code == 0);
    CHECK(contains(r.out, "end to end  saturated"));
    CHECK(contains(r.out, "web is saturated"));
    CHECK(read_json(scratch / "out/summary.json")["saturated"] == true);
}

TEST_CASE("run: a backlog that grows is seen however late measuring begins, and so is throughput") {
    for (const char* from : {"0s", "30m", "55m"}) {
        CAPTURE(from);
        const TemporaryDirectory scratch;
        const RunResult r =
            run({"run", library("mm1"), "--out", scratch / "out", "--set", "/expect=null", "--set",
                 "/sources/clients/arrivals/rate=20", "--set", "/duration=1h", "--set",
                 std::string("/measure_from=") + from});
        REQUIRE(r.exit_code == 0);
        const auto summary = read_json(scratch / "out/summary.json");
        CHECK(summary["saturated"] == true);
        // One server, 0.1 s a request: busy all the time.
        const double requests_per_s = summary["throughput"]["requests_per_s"];
        CHECK(requests_per_s == Approx(10).epsilon(0.03));
    }
}

TEST_CASE("run: a full disk ends it with exit 3 and a reason, and leaves nothing") {
    const TemporaryDirectory scratch;
    const std::string out = scratch / "out";
    // No file may grow beyond 8 or 16 kB; the signal that would say so is ignored.
    const RunResult r = run_program(
        "sh", {"-c", "ulimit -f 16; trap '' XFSZ; exec " HEADROOM_BINARY " run '" + library("mm1") +
                         "' --set /duration=20m --set /expect=null -q --out '" + out + "'"});
    INFO(r.err);
    CHECK(r.exit_code == 3);
    CHECK(contains(r.err, "results.h5: File too large\n"));
    CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("run: an output folder that cannot be is refused before the run") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const RunResult empty = run({"run", scratch / "small.json", "--out", ""});
    CHECK(empty.exit_code == 2);
    CHECK(contains(empty.err, "found an empty name"));
    fs::create_symlink(scratch / "nowhere/out", scratch / "link");
    const RunResult link = run({"run", scratch / "small.json", "--out", scratch / "link"});
    CHECK(link.exit_code == 2);
    CHECK(contains(link.err, "is a link to nothing"));
}

TEST_CASE("run: an expectation over a span that ends after the run is refused") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json",
               small_scenario(R"("expect": {"replicas during 0s..2h": "== 1"})"));
    const RunResult r = run({"run", scratch / "small.json", "--out", scratch / "out"});
    INFO(r.err);
    CHECK(r.exit_code == 2);
    CHECK(contains(r.err, "expected a time within the run, which ends at 1m"));
}

TEST_CASE("run: a pod that has to wait for room is counted as pending") {
    const TemporaryDirectory scratch;
    write_text(scratch / "waits.json", cluster_scenario("5", 3));
    const RunResult r = run({"run", scratch / "waits.json", "--out", scratch / "out"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(read_json(scratch / "out/summary.json")["services"]["web"]["pods"]["pending"] == 1);
    CHECK(contains(r.out, "1 pod of web waits for a node at the end"));
    CHECK(contains(r.out, "nodes are available"));
}

TEST_CASE("run: replaces its own earlier results as a whole, and no other folder") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    const std::vector<std::string> words = {"run", scratch / "small.json", "-q", "--out"};
    const auto into = [&](const std::string& folder, const std::string& more) {
        std::vector<std::string> all = words;
        all.push_back(folder);
        if (!more.empty()) all.push_back(more);
        return run(all);
    };
    REQUIRE(into(scratch / "out", "--requests").exit_code == 0);
    CHECK(fs::exists(scratch / "out/requests.csv"));
    REQUIRE(into(scratch / "out", "").exit_code == 0);
    CHECK_FALSE(fs::exists(scratch / "out/requests.csv"));

    write_text(scratch / "home/letter.txt", "dear");
    const RunResult r = into(scratch / "home", "");
    CHECK(r.exit_code == 2);
    CHECK(contains(r.err, "holds other files"));
    CHECK(read_text(scratch / "home/letter.txt") == "dear");
}

TEST_CASE("run: a terminal's standard error gets a progress bar that is gone at the end") {
    const TemporaryDirectory scratch;
    RunOptions person;
    person.terminal = true;
    // Long enough that the bar comes: some seconds.
#ifdef __SANITIZE_ADDRESS__
    const std::string duration = "2d";
#else
    const std::string duration = "60d";
#endif
    const std::vector<std::string> words = {
        "run", library("mm1"), "--out", scratch / "out", "--set", "/duration=" + duration};
    const RunResult r = run(words, person);
    REQUIRE(r.exit_code == 0);
    CHECK(contains(r.err, " % "));
    CHECK(contains(r.err, duration == "2d" ? " of 48h" : " of 1440h"));
    const std::size_t cleared = r.err.rfind("\r\033[K");
    REQUIRE(cleared != std::string::npos);
    CHECK(r.err.find(" % ", cleared) == std::string::npos);
    CHECK_FALSE(contains(r.out, "\r"));
}

}  // namespace headroom::acceptance
