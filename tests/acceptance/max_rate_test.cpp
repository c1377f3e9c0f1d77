// headroom max-rate, headroom bound, headroom run --rate-scale and --precision.
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

using nlohmann::json;

/// Four servers at half their load, and a limit that they reach before they are full.
std::string with_limit() {
    return small_scenario(R"("expect": {"latency.e2e_s.mean": "< 200ms"})");
}

}  // namespace

TEST_CASE("max-rate: says how many times, what breaks first, and the same for any threads") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", with_limit());
    const RunResult one = run({"max-rate", scratch / "s.json", "-o", "json"});
    INFO(one.err);
    REQUIRE(one.exit_code == 0);
    CHECK(one.err == "");
    const json told = json::parse(one.out);
    CHECK(told["end"] == "found");
    const double scale = told["scale"];
    CHECK(scale > 1.4);
    CHECK(scale < 2);
    CHECK(told["broken_at"].get<double>() <= 1.0101 * scale);
    CHECK(told["breaks_first"] == json::array({"latency.e2e_s.mean < 200ms"}));
    CHECK(std::fabs(told["requests_per_s"].get<double>() - 20 * scale) < 1e-6);
    CHECK(told["pessimistic"].is_null());
    const RunResult two = run({"max-rate", scratch / "s.json", "-o", "json", "--threads", "2"});
    CHECK(two.out == one.out);

    const RunResult table = run({"max-rate", scratch / "s.json", "--precision", "5%"});
    INFO(table.out);
    CHECK(contains(table.out, " times today's traffic: "));
    CHECK(contains(table.out, "Breaks first"));
    CHECK(contains(table.out, ", at most "));
    // What it says holds is what run says of that scale.
    const RunResult again = run({"run", scratch / "s.json", "--rate-scale", "2", "--out",
                                 scratch / "out", "-o", "json", "-q"});
    CHECK(again.exit_code == 1);
    const double arrived = json::parse(again.out)["requests"]["arrived"];
    CHECK(std::fabs(arrived - 2400) < 5 * std::sqrt(2400.0));
}

TEST_CASE("max-rate: the answer at the pessimistic end of an estimated profile's band is lower") {
    const RunResult r = run({"max-rate", library("closed-loop"), "-o", "json", "--set",
                             "/duration=2m", "--replications", "2", "--precision", "10%", "--set",
                             "/expect={}", "--expect", "latency.tpot_s.p99=< 25ms"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    const json told = json::parse(r.out);
    CHECK(told["pessimistic"]["error_band"].get<double>() > 0.1);
    CHECK(told["pessimistic"]["scale"].get<double>() < told["scale"].get<double>());
    CHECK(told["users"].get<double>() > 64);
}

TEST_CASE("max-rate: what has no answer is exit 1, and says why") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", small_scenario());
    const auto ask = [&](const std::string& condition) {
        return run({"max-rate", scratch / "s.json", "--expect", condition, "--replications", "2"});
    };
    const RunResult endless = ask("requests.failed == 0");
    CHECK(endless.exit_code == 1);
    CHECK(contains(endless.out, "Cannot break"));
    const RunResult never = ask("latency.e2e_s.mean=< 50ms");
    CHECK(never.exit_code == 1);
    CHECK(contains(never.out, "Never holds"));
    const RunResult odd = ask("latency.e2e_s.mean=> 101ms");
    CHECK(odd.exit_code == 1);
}

TEST_CASE("max-rate: in a run that ends, saturation alone breaks no latency, more traffic does") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", small_scenario());
    const RunResult r = run({"max-rate", scratch / "s.json", "--expect", "latency.e2e_s.p99=< 50s",
                             "--replications", "2", "--precision", "10%", "-o", "json"});
    INFO(r.out << r.err);
    CHECK(r.exit_code == 0);
    const json told = json::parse(r.out);
    CHECK(told["end"] == "found");
    // The last to be served arrived at 1/6 of the minute, or sooner: about six times as many
    // as the servers take, which are busy by half today.
    CHECK(told["scale"] > 8);
    const double above = told["broken_at"].get<double>() * 1.1;
    write_text(scratch / "limit.json",
               small_scenario(R"("expect": {"latency.e2e_s.p99": "< 50s"})"));
    CHECK(run({"run", scratch / "limit.json", "--rate-scale", std::to_string(above), "--out",
               scratch / "out", "-q"})
              .exit_code == 1);
}

TEST_CASE("max-rate: a trace that is over before measure_from is not judged, nor broken") {
    const TemporaryDirectory scratch;
    std::string rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    for (int i = 0; i < 100; ++i) {
        const std::string second = std::to_string(100 + i % 60).substr(1);
        rows += "2023-11-16 18:0" + std::to_string(i / 60) + ":" + second + ".0000000,100,10\n";
    }
    write_text(scratch / "t.csv", rows);
    write_text(scratch / "s.json", replay_scenario("t.csv"));
    const std::vector<std::string> ask = {"max-rate",          scratch / "s.json",        "--set",
                                          "/measure_from=50s", "--replications",          "2",
                                          "--expect",          "latency.e2e_s.p99=< 100s"};
    const RunResult r = run(ask);
    INFO(r.out << r.err);
    CHECK(r.exit_code == 1);
    CHECK(contains(r.out, "Not judged    beyond that: at "));
    CHECK(contains(r.out, "there is no data in 2 of 2"));
    CHECK_FALSE(contains(r.out, "Breaks first"));
    CHECK(contains(r.err, "take care: measure_from (50.0s) does not shrink with the trace"));
}

TEST_CASE("run --replications auto: what cannot be judged is told, and not precise") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", small_scenario());
    const auto ask = [&](const std::string& set) {
        return run({"run", scratch / "s.json", "--replications", "auto", "--set", set, "--out",
                    scratch / "out", "-q"});
    };
    const auto precision = [&] {
        return json::parse(read_text(scratch / "out/replications.json"))["precision"];
    };
    const RunResult rare = ask("/sources/users/arrivals/rate=0.01");
    INFO(rare.err);
    CHECK(contains(rare.err, "precision not judged: latency.e2e_s.mean has no data in "));
    CHECK(contains(rare.err, " of 10 replications"));
    CHECK(precision()["reached"] == false);
    CHECK(precision()["needed"].is_null());
    const RunResult full = ask("/sources/users/arrivals/rate=100");
    CHECK(contains(full.err, "latency.e2e_s.mean is saturated in 10 of 10 replications"));
    CHECK(precision()["reached"] == false);
}

TEST_CASE("max-rate: bad input is told at once, with what to write instead") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", small_scenario());
    const RunResult nothing = run({"max-rate", scratch / "s.json"});
    CHECK(nothing.exit_code == 2);
    CHECK(contains(nothing.err, "--expect 'latency.e2e_s.p99=< 2s'"));
    const RunResult unknown = run({"max-rate", scratch / "s.json", "--expect",
                                   "latency.e2e_s.p98=< 1s", "--expect", "replicas at 1h= 8"});
    CHECK(unknown.exit_code == 2);
    CHECK(contains(unknown.err, "found \"latency.e2e_s.p98\""));
    CHECK(contains(unknown.err, "did you mean"));
    CHECK(contains(unknown.err, "2 mistakes"));
    for (const auto& [option, value] :
         std::vector<std::pair<std::string, std::string>>{{"--replications", "1"},
                                                          {"--confidence", "20%"},
                                                          {"--precision", "0"},
                                                          {"--most", "none"}}) {
        const RunResult r = run({"max-rate", scratch / "s.json", option, value});
        CHECK(r.exit_code == 2);
        CHECK(contains(r.err, option + ": expected a"));
    }
    const RunResult scale = run({"run", scratch / "s.json", "--rate-scale", "0"});
    CHECK(scale.exit_code == 2);
    CHECK(contains(scale.err, "--rate-scale: expected a number from"));
}

TEST_CASE("max-rate: Ctrl-C ends it with exit 3") {
    RunOptions options;
    options.signal_after = std::chrono::milliseconds(700);
    const RunResult r =
        run({"max-rate", library("mm1"), "--set", "/duration=90d", "--set",
             "/sources/clients/arrivals/rate=80", "--set", "/services/server/simple/servers=10"},
            options);
    CHECK(r.exit_code == 3);
    CHECK(r.out == "");
    CHECK(contains(r.err, "interrupted"));
}

TEST_CASE("bound: formulas beside the simulation, or alone") {
    const TemporaryDirectory scratch;
    write_text(scratch / "s.json", with_limit());
    const RunResult r = run({"bound", scratch / "s.json", "-o", "json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    const json web = json::parse(r.out)["services"]["web"];
    CHECK(web["replica_requests_per_s"] == 40);
    CHECK(web["at"][0]["headroom"] == 2);
    CHECK(web["replicas_for_mean"] == 1);
    CHECK(web["engine"]["formula"] == "M/M/c");
    CHECK(web["compared"]["utilisation"]["formula"] == 0.5);
    CHECK(web["compared"]["utilisation"]["simulated"].get<double>() > 0.4);
    const RunResult alone = run({"bound", scratch / "s.json", "--no-simulation"});
    CHECK(alone.exit_code == 0);
    CHECK(contains(alone.out, "holds 2.00 times today's peak"));
    CHECK_FALSE(contains(alone.out, "simulated"));
    const RunResult both = run({"bound", scratch / "s.json", "--no-simulation", "--simulate"});
    CHECK(both.exit_code == 2);
}

TEST_CASE("bound: an LLM service, its tokens, its GPUs, and why the simulation differs") {
    const RunResult r = run({"bound", library("quickstart")});
    INFO(r.out);
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "sequences at once ("));
    CHECK(contains(r.out, "8 in the node pools"));
    CHECK(contains(r.out, "differs: min_replicas is 2"));
}

}  // namespace headroom::acceptance
