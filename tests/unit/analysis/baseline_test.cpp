#include "analysis/experiments/baseline.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

Baseline small_baseline() {
    Baseline out;
    out.version = "1.0";
    out.scenario = "chat";
    out.scenario_hash = "ab";
    out.seed = 1;
    out.digest = "d1";
    out.metrics = {{"cost.total", {10.0, false}},
                   {"latency.ttft_s.p99", {0.41, false}},
                   {"requests.completed", {28800.0, true}},
                   {"requests.failed", {0.0, true}},
                   {"saturated", {0.0, true}},
                   {"slo.attainment", {std::nullopt, false}}};
    return out;
}

/// The differences, a line each.
std::string differences(const Baseline& stored, const Baseline& now,
                        const Tolerances& tolerances = {}) {
    const BaselineComparison comparison = compare_with_baseline(stored, now, tolerances);
    std::string out = comparison.refusal;
    for (const auto& [line, text] : comparison.differences) out += text + "\n";
    return out;
}

Tolerances tolerances_of(const std::vector<std::string>& texts) {
    Tolerances out;
    for (const std::string& text : texts) REQUIRE_FALSE(out.add(text).has_value());
    return out;
}

}  // namespace

TEST_CASE("Baseline: equal numbers do not differ, and others do beyond their tolerance") {
    Baseline now = small_baseline();
    CHECK(differences(small_baseline(), now) == "");
    now.metrics["latency.ttft_s.p99"].number = 0.414;
    CHECK(differences(small_baseline(), now) == "");
    now.metrics["latency.ttft_s.p99"].number = 0.62;
    CHECK(differences(small_baseline(), now) ==
          "latency.ttft_s.p99 0.41 -> 0.62 (+51.2 %, worse; allowed 1 %)\n");
    now.metrics["latency.ttft_s.p99"].number = 0.2;
    CHECK(differences(small_baseline(), now) ==
          "latency.ttft_s.p99 0.41 -> 0.2 (-51.2 %, better; allowed 1 %)\n");
}

TEST_CASE("Baseline: a difference is told in the digits that it takes, and stored in all") {
    Baseline stored = small_baseline();
    Baseline now = small_baseline();
    const auto told = [&](double before, double after) {
        stored.metrics["cost.total"].number = before;
        now.metrics["cost.total"].number = after;
        return differences(stored, now, tolerances_of({"0%"}));
    };
    CHECK(told(10.123456789, 20.987654321) ==
          "cost.total 10.1 -> 21 (+107.3 %, worse; allowed none)\n");
    CHECK(told(10.1234, 10.1235).substr(0, 30) == "cost.total 10.1234 -> 10.1235 ");
    CHECK(told(1234567.25, 2234567.25).substr(0, 30) == "cost.total 1234567 -> 2234567 ");
    CHECK(told(0.1, std::nextafter(0.1, 1)).substr(0, 53) ==
          "cost.total 0.10000000000000001 -> 0.10000000000000002");
    const scenarios::TemporaryFolder folder;
    folder.write("b.json", baseline_text(now));
    scenarios::Diagnostics problems;
    const auto read = read_baseline(folder.path("b.json"), problems);
    REQUIRE(read.has_value());
    CHECK(read->metrics.at("cost.total").number == std::nextafter(0.1, 1));
}

TEST_CASE("Baseline: whole numbers may not differ at all, from nothing there is no per cent") {
    Baseline now = small_baseline();
    now.metrics["requests.completed"].number = 28799;
    now.metrics["requests.failed"].number = 3;
    now.metrics["saturated"].number = 1;
    now.metrics["slo.attainment"].number = 0.5;
    CHECK(differences(small_baseline(), now) ==
          "requests.completed 28800 -> 28799 (-0.00347 %; allowed none)\n"
          "requests.failed 0 -> 3 (worse; allowed none)\n"
          "saturated 0 -> 1 (worse; allowed none)\n"
          "slo.attainment no data -> 0.5 (allowed 1 %)\n");
}

TEST_CASE("Baseline: the longest name wins, the command line before the file, services included") {
    const Tolerances some = tolerances_of(
        {"3%", "latency=5%", "latency.ttft_s=10%", "services.a.latency=20%", "cost=any"});
    CHECK(some.of("requests.completed") == 0.03);
    CHECK(some.of("latency.e2e_s.p50") == 0.05);
    CHECK(some.of("latency.ttft_s.p99") == 0.1);
    CHECK(some.of("services.b.latency.ttft_s.p99") == 0.1);
    CHECK(some.of("services.a.latency.ttft_s.p99") == 0.2);
    CHECK(std::isinf(*some.of("services.a.cost.total")));
    CHECK_FALSE(Tolerances().of("cost.total").has_value());

    Baseline now = small_baseline();
    now.metrics["latency.ttft_s.p99"].number = 0.62;
    Baseline stored = small_baseline();
    stored.tolerances = tolerances_of({"latency=60%"});
    CHECK(differences(stored, now) == "");
    CHECK(differences(stored, now, tolerances_of({"latency.ttft_s.p99=20%"})) != "");
}

TEST_CASE("Baseline: a tolerance of no metric or no amount is refused") {
    Tolerances none;
    CHECK(none.add("latncy=5%")->find("(did you mean \"latency\"?)") != std::string::npos);
    CHECK(none.add("latency.ttft=5%").has_value());
    CHECK(none.add("services.a.ltency=5%").has_value());
    for (const char* bad : {"latency=5", "latency=-5%", "latency=", "latency=x%", "5", "nan%"}) {
        CAPTURE(bad);
        CHECK(none.add(bad)->find("expected a tolerance such as \"5%\"") != std::string::npos);
    }
}

TEST_CASE("Baseline: another version, seed, scenario or set of services is not compared") {
    const auto refusal = [](auto&& change) {
        Baseline now = small_baseline();
        change(now);
        return compare_with_baseline(small_baseline(), now, {}).refusal;
    };
    CHECK(refusal([](Baseline& b) { b.version = "1.1"; }) ==
          "expected a baseline of version 1.1, found one of 1.0: record it again with "
          "--update-baseline");
    CHECK(refusal([](Baseline& b) { b.seed = 2; }).find("seed 2, found one of 1") !=
          std::string::npos);
    CHECK(refusal([](Baseline& b) { b.scenario = "x"; }) != "");
    CHECK(refusal([](Baseline& b) { b.metrics["services.b.preemptions"] = {}; }) != "");
    CHECK(refusal([](Baseline& b) { b.scenario_hash = "cd"; }) == "");
}

TEST_CASE("Baseline: what is written is read back") {
    const headroom::scenarios::TemporaryFolder folder;
    Baseline before = small_baseline();
    before.tolerances = tolerances_of({"latency=5%", "cost=any"});
    before.metrics["latency.ttft_s.p99"].number = 0.1 + 0.2;
    folder.write("b.json", baseline_text(before));
    scenarios::Diagnostics diagnostics;
    const auto after = read_baseline(folder.path("b.json"), diagnostics);
    REQUIRE(after.has_value());
    CHECK(after->version == before.version);
    CHECK(after->scenario_hash == before.scenario_hash);
    CHECK(after->digest == before.digest);
    CHECK(after->tolerances.written() == before.tolerances.written());
    CHECK(after->lines.at("cost.total") == 12);
    CHECK(differences(*after, before, tolerances_of({"0%"})) == "");
    CHECK(baseline_text(*after) != "");
}

TEST_CASE("Baseline: all mistakes of a file come at once") {
    const headroom::scenarios::TemporaryFolder folder;
    folder.write("b.json", R"({"version": 1, "tolerances": {"x": "5%", "latency": "5"},
        "metrics": {"cost.total": "10"}, "seed": "a", "scenario": "s", "digest": ""})");
    scenarios::Diagnostics diagnostics;
    CHECK_FALSE(read_baseline(folder.path("b.json"), diagnostics).has_value());
    CHECK(diagnostics.size() == 6);
    folder.write("no.json", "[]");
    CHECK_FALSE(read_baseline(folder.path("no.json"), diagnostics).has_value());
    CHECK(diagnostics.back().message.find("as --update-baseline writes it") != std::string::npos);
}

TEST_CASE("Baseline: a file's name is the scenario's, without what file systems trip over") {
    CHECK(baseline_file_name("chat") == "chat.json");
    CHECK(baseline_file_name("a b/../c") == "a-b-..-c.json");
    CHECK(baseline_file_name("..x") == "-.x.json");
    CHECK(baseline_file_name("") == "scenario.json");
}

}  // namespace headroom::analysis
