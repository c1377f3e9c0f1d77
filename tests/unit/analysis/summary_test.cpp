#include "analysis/results/summary.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "analysis/results/summary_metrics.hpp"
#include "scenarios/metric_paths.hpp"
#include "scenarios/schema.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/hand_made_run.hpp"

namespace headroom::analysis {
namespace {

using Json = nlohmann::ordered_json;

/// All numbers, nulls and booleans in objects, by dotted path; what is in lists is not addressable.
void collect_paths(const Json& value, const std::string& prefix, std::set<std::string>& paths) {
    for (const auto& [key, member] : value.items()) {
        if (key == "profile") continue;  // for reading, not for `expect`
        const std::string path = prefix.empty() ? key : prefix + "." + key;
        if (member.is_object()) {
            collect_paths(member, path, paths);
        } else if (!member.is_string() && !member.is_array()) {
            paths.insert(path);
        }
    }
}

}  // namespace

TEST_CASE("Summary: counts requests by outcome and conserves them") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["requests"].dump() ==
          R"({"arrived":110,"completed":100,"failed":0,"rejected":6,"timed_out":1,"in_flight":3})");
    CHECK(summary["services"]["reranker"]["requests"]["completed"] == 100);
}

TEST_CASE("Summary: throughput is over the measured time") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["throughput"]["requests_per_s"] == 100.0 / 3000.0);
    CHECK(summary["throughput"]["output_tokens_per_s"] == 20000.0 / 3000.0);
}

TEST_CASE("Summary: latencies are in seconds, and null without data") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["latency"]["ttft_s"]["p50"].get<double>() == Approx(0.5).epsilon(0.004));
    CHECK(summary["latency"]["ttft_s"]["max"] == 1.0);
    CHECK(summary["latency"]["ttft_s"]["mean"].get<double>() == Approx(0.505));
    CHECK(summary["services"]["reranker"]["latency"]["ttft_s"]["p99"].is_null());
    CHECK(summary["services"]["reranker"]["latency"]["e2e_s"]["p99"] == 0.005);
}

TEST_CASE("Summary: replicas are those of the measured time, added up over workloads") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    // Measured from minute 10: 15 min of 1, 25 min of 4, 10 min of 2.
    CHECK(summary["services"]["chat"]["replicas"]["mean"] == 135.0 / 50.0);
    CHECK(summary["services"]["chat"]["replicas"]["max"] == 4);
    CHECK(summary["replicas"]["min"] == 2);
    CHECK(summary["replicas"]["final"] == 3);
}

TEST_CASE("Summary: tells how often scaling turned, what it cost in pods and how late it came") {
    HandMadeRun run = hand_made_run();
    // One hour; three more replicas wanted at minute 20 and ready at minute 25.
    const char* expected =
        R"({"up":1,"down":1,"reversals":1,"reversals_per_h":1.0,"pods_created":4,)"
        R"("pods_deleted":2,"capacity_lag_s":{"mean":300.0,"max":300.0}})";
    Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["scale_events"].dump() == expected);
    CHECK(summary["services"]["chat"]["scale_events"].dump() == expected);
    CHECK(summary["services"]["reranker"]["scale_events"]["capacity_lag_s"]["mean"].is_null());

    // One more of the reranker, after ten minutes: four replicas have waited 3 * 5 + 10 min.
    run.result.control.workloads[1].desired_replicas.append(Time::zero() + Duration::minutes(40),
                                                            2);
    run.result.control.workloads[1].ready_replicas.append(Time::zero() + Duration::minutes(50), 2);
    summary = build_summary(run.scenario, run.result);
    CHECK(summary["scale_events"]["capacity_lag_s"].dump() == R"({"mean":375.0,"max":600.0})");
}

TEST_CASE("Summary: a server counts as busy only for its own part of a simple instance") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["services"]["chat"]["gpu"]["busy_fraction"] == 0.5);
    CHECK(summary["services"]["reranker"]["gpu"]["busy_fraction"] == 0.25);
    CHECK(summary["gpu"]["busy_fraction"] == 0.5);  // only what holds devices
    CHECK(summary["gpu"]["kv_fraction"] == 0.25);
    CHECK(summary["gpu"]["hours"].get<double>() == Approx(100.0 / 60));
}

TEST_CASE("Summary: the total cost is that of all nodes, a service's the share of its pods") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["cost"]["total"] == 20.0);
    CHECK(summary["cost"]["per_million_output_tokens"] == 1000.0);
    CHECK(summary["services"]["chat"]["cost"]["total"] == 5.0);
}

TEST_CASE("Summary: energy is idle power plus the busy part of the rest") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    const double hours = 50.0 / 60;
    // 4 hosts of 200 W and 4 devices of 100 W at rest; 2 devices half busy at 600 W more; 2 pods of
    // 4 cores half busy on hosts of 16 cores with 400 W more.
    const double idle = 4 * 200 + 4 * 100;
    const double dynamic = 2 * 0.5 * 600 + 2 * 0.5 * 4.0 / 16 * 400;
    CHECK(summary["energy_kwh"].get<double>() == Approx((idle + dynamic) * hours / 1000));
    // Of that chat holds half of the devices, so half of the hosts' power at rest.
    const double chat = 4 * 200 * 0.5 + 2 * 100 + dynamic;
    CHECK(summary["services"]["chat"]["energy_kwh"].get<double>() == Approx(chat * hours / 1000));

    HandMadeRun silent = hand_made_run();
    cluster::NodeSpec& node = silent.scenario.spec.control.pools[0].node;
    node.idle_milliwatts = node.peak_milliwatts = 0;
    node.devices[0].idle_milliwatts = node.devices[0].peak_milliwatts = 0;
    CHECK(build_summary(silent.scenario, silent.result)["energy_kwh"].is_null());
}

TEST_CASE("Summary: attainment is null without an SLO") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["slo"]["attainment"] == 0.9);
    CHECK(summary["services"]["reranker"]["slo"]["attainment"].is_null());
}

TEST_CASE("Summary: names the profile of each service and its error band") {
    HandMadeRun run = hand_made_run();
    Json summary = build_summary(run.scenario, run.result);
    CHECK(summary["services"]["chat"]["profile"].dump() ==
          R"({"kind":"estimated","name":"small model","error_band":0.25})");
    CHECK(summary["services"]["reranker"]["profile"].is_null());
    run.scenario.profiles.push_back({"chat", "v2", {"linear", "other", 0}});
    summary = build_summary(run.scenario, run.result);
    CHECK(summary["services"]["chat"]["profile"]["versions"]["v2"]["name"] == "other");
}

TEST_CASE("Summary: has every number that an expectation may ask for, and no other") {
    const HandMadeRun run = hand_made_run();
    std::set<std::string> found;
    collect_paths(build_summary(run.scenario, run.result), "", found);
    const std::vector<std::string> known = scenarios::summary_metric_paths({"chat", "reranker"});
    for (const std::string& path : known) {
        CAPTURE(path);
        CHECK(found.count(path) == 1);
    }
    for (const std::string& path : found) {
        CAPTURE(path);
        CHECK(std::find(known.begin(), known.end(), path) != known.end());
    }
}

TEST_CASE("Summary: keeps to its schema") {
    HandMadeRun run = hand_made_run();
    run.scenario.profiles.push_back({"chat", "v2", {"linear", "other", 0}});
    Json summary = build_summary(run.scenario, run.result);
    (void)check_expectations(run.scenario, run.result, summary);
    const scenarios::SchemaValidator schema(nlohmann::json::parse(summary_schema().dump()));
    nlohmann::json document = nlohmann::json::parse(summary_text(summary));
    CHECK(schema.violation(document).value_or("") == "");
    document["latency"]["ttft_s"]["p99"] = "fast";
    CHECK(schema.violation(document));
}

TEST_CASE("Summary: is the same text for the same run") {
    const HandMadeRun a = hand_made_run();
    const HandMadeRun b = hand_made_run();
    CHECK(summary_text(build_summary(a.scenario, a.result)) ==
          summary_text(build_summary(b.scenario, b.result)));
}

TEST_CASE("SummaryMetrics: finds numbers by path, also of services with dots in their names") {
    HandMadeRun run = hand_made_run();
    run.result.services[1].name = "a.b";
    run.scenario.spec.services[1].name = "a.b";
    const Json summary = build_summary(run.scenario, run.result);
    const SummaryMetrics metrics(run.result, summary);
    CHECK(metrics.value("requests.arrived") == 110.0);
    CHECK(metrics.value("services.a.b.latency.e2e_s.p99") == 0.005);
    CHECK(metrics.value("services.a.b.saturated") == 0.0);
    CHECK_FALSE(metrics.value("services.a.b.latency.ttft_s.p99"));
    CHECK_FALSE(metrics.value("requests"));
    CHECK_FALSE(metrics.value("requests.arrived.more"));
    CHECK(metrics.value_at("services.a.b.replicas", Time::zero()) == 1.0);
}

TEST_CASE("SummaryMetrics: reads series at moments and over spans up to the end of the run") {
    const HandMadeRun run = hand_made_run();
    const Json summary = build_summary(run.scenario, run.result);
    const SummaryMetrics metrics(run.result, summary);
    const auto at = [](int minute) { return Time::zero() + Duration::minutes(minute); };
    CHECK(metrics.value_at("services.chat.replicas", at(24)) == 1.0);
    CHECK(metrics.value_at("services.chat.replicas", at(25)) == 4.0);
    CHECK(metrics.value_at("services.chat.desired_replicas", at(24)) == 4.0);
    CHECK(metrics.value_at("replicas", at(25)) == 5.0);
    CHECK_FALSE(metrics.value_at("replicas", at(61)));
    const auto range = metrics.range("services.chat.replicas", at(30), at(70));
    REQUIRE(range);
    CHECK(range->min == 2);
    CHECK(range->max == 4);
    CHECK_FALSE(metrics.range("replicas", at(61), at(70)));
    CHECK_FALSE(metrics.range("services.other.replicas", at(0), at(1)));
}

TEST_CASE("SummaryMetrics: writes what became of each expectation into the summary") {
    HandMadeRun run = hand_made_run();
    for (const auto& [subject, condition] : std::vector<std::pair<std::string, std::string>>{
             {"requests.rejected", "== 0"},
             {"replicas at 30m", "== 5"},
             {"services.reranker.slo.attainment", "> 0"}}) {
        std::string error;
        bool in_condition = false;
        run.scenario.expectations.push_back(*scenarios::parse_expectation(
            subject, condition, {"chat", "reranker"}, error, in_condition));
    }
    Json summary = build_summary(run.scenario, run.result);
    const auto results = check_expectations(run.scenario, run.result, summary);
    REQUIRE(results.size() == 3);
    CHECK_FALSE(results[0].held);
    CHECK(results[1].held);
    CHECK_FALSE(results[2].held);  // no data is a failure
    CHECK(summary["expect"][0].dump() ==
          R"({"condition":"requests.rejected == 0","held":false,"found":6.0})");
    CHECK(summary["expect"][2]["found"].is_null());
}

}  // namespace headroom::analysis
