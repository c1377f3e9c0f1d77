#include "analysis/report/replications_report.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/unit/analysis/made_studies.hpp"

namespace headroom::analysis {
namespace {

scenarios::Scenario made_scenario() {
    scenarios::Scenario scenario;
    scenario.name = "made";
    scenario.hash = "00aa";
    scenario.expectations.resize(2);
    scenario.expectations[0].text = "slo.attainment >= 90%";
    scenario.expectations[1].text = "latency.e2e_s.mean < 0.6";
    return scenario;
}

Replicated study_with_expectations() {
    Replicated study = made_study({{"cost.total", {5, 5, 5}},
                                   {"latency.e2e_s.mean", {0.58, 0.62, 0.567}},
                                   {"latency.ttft_s.mean", {0.1, {}, 0.2}},
                                   {"requests.failed", {0, 0, 0}},
                                   {"saturated", {0, 0, 0}},
                                   {"seed", {7, 8, 9}},
                                   {"slo.attainment", {0.95, 0.93, 0.97}}});
    for (Replication& run : study.runs) {
        run.expectations.resize(2);
        run.expectations[0].held = true;
        run.expectations[1].held = run.values[1] < 0.6;
    }
    return study;
}

const std::vector<std::string> kShown = {"latency.ttft_s.mean", "latency.e2e_s.mean",
                                         "slo.attainment", "requests.failed", "cost.total"};

}  // namespace

TEST_CASE("ReplicationsReport: means with their intervals, and how often expectations held") {
    const scenarios::Scenario scenario = made_scenario();
    const Replicated study = study_with_expectations();
    CHECK("\n" + render_replications({scenario, study, 0.95, kShown}, {}) == R"(
Replications 3, seeds 7 to 9; 95 % intervals of the mean
  mean latency      589 ms  +- 68.6 ms  11.6 %
  SLO attainment      95 %  +- 4.97 pp   5.2 %
  cost            5.00 USD        +- 0
  pass  slo.attainment >= 90%: held in 3 of 3
  FAIL  latency.e2e_s.mean < 0.6: held in 2 of 3
)");
    ReplicationsReport precise{scenario, study, 0.9, {"latency.e2e_s.mean"}};
    precise.precision = 0.02;
    precise.precise_metrics = {"latency.e2e_s.mean"};
    precise.verdict = PrecisionVerdict{false, 3, 3, 0, 17};
    const std::string text = render_replications(precise, {.width = 200});
    CHECK(text.find("not precise to 2 % of the mean latency, which takes about 17") !=
          std::string::npos);
}

TEST_CASE("ReplicationsReport: JSON has every metric that was measured") {
    const scenarios::Scenario scenario = made_scenario();
    Replicated study = study_with_expectations();
    const auto json = replications_json({scenario, study, 0.95, {}});
    CHECK(json["count"] == 3);
    CHECK(json["seeds"] == nlohmann::ordered_json({7, 8, 9}));
    CHECK(json["digests"][2] == "digest-2");
    CHECK(json["expect"][1]["held"] == 2);
    CHECK(json["expect"][1]["of"] == 3);
    const auto& latency = json["metrics"]["latency.e2e_s.mean"];
    CHECK(latency["mean"].get<double>() == Approx(0.589));
    CHECK(latency["half_width"].get<double>() == Approx(0.068618).epsilon(1e-3));
    CHECK(latency["low"].get<double>() == Approx(0.589 - 0.068618).epsilon(1e-3));
    CHECK(latency["count"] == 3);
    CHECK(latency["values"] == nlohmann::ordered_json({0.58, 0.62, 0.567}));
    const auto& partial = json["metrics"]["latency.ttft_s.mean"];
    CHECK(partial["mean"].is_null());
    CHECK(partial["count"] == 2);
    CHECK(partial["values"][1].is_null());
    CHECK(!json["metrics"].contains("seed"));
    // Three values say nothing at 95 %. At 50 % the median lies between them: it is above or below
    // all three in a quarter of all studies.
    CHECK(latency["p50"].is_null());
    const auto coarse = replications_json({scenario, study, 0.5, {}});
    const auto& median = coarse["metrics"]["latency.e2e_s.mean"]["p50"];
    CHECK(median["value"] == 0.58);
    CHECK(median["low"] == 0.567);
    CHECK(median["high"] == 0.62);

    study.runs[1].values[4] = 1;  // saturated
    const auto full = replications_json({scenario, study, 0.95, {}});
    CHECK(full["metrics"]["latency.e2e_s.mean"]["mean"] == "saturated");
    CHECK(full["metrics"]["latency.e2e_s.mean"]["low"].is_null());
    CHECK(full["metrics"]["slo.attainment"]["mean"].is_number());
    const std::string text = render_replications({scenario, study, 0.95, kShown}, {});
    CHECK(text.find("saturated") != std::string::npos);
}

TEST_CASE("ReplicationsReport: the first replication where an expectation failed") {
    const auto counts = count_held(made_scenario(), study_with_expectations());
    REQUIRE(counts.size() == 2);
    CHECK(counts[0].held == 3);
    CHECK(counts[1].held == 2);
    CHECK(counts[1].first_failed == 1);
    CHECK(counts[1].text == "latency.e2e_s.mean < 0.6");
}

TEST_CASE("ReplicationsReport: batch means in a sentence, and none where the run is too short") {
    const BatchMeans means{{0.589, 0.012, 20}, 400, 80};
    CHECK(batch_means_text("latency.e2e_s.mean", means, 0.95) ==
          "mean latency 589 ms +- 12.0 ms (95 %, 20 batches of 400 requests)");
    CHECK(batch_means_text("latency.e2e_s.mean", std::nullopt, 0.95).find("too short") !=
          std::string::npos);
}

}  // namespace headroom::analysis
