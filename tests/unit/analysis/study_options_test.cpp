#include "analysis/cli/study_options.hpp"

#include "analysis/cli/run_study.hpp"
#include "analysis/cli/study_progress.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"

namespace headroom::analysis {
namespace {

/// As a command that has all of these options reads them.
Arguments study_arguments(const std::vector<std::string>& words) {
    CommandSpec spec;
    spec.name = "study";
    spec.options = run_study_options();
    spec.options.push_back({.name = "threads", .value = "N"});
    return parse_arguments(spec, words);
}

std::string usage_error_of_study(const std::vector<std::string>& words) {
    return error_of([&] { (void)run_study(study_arguments(words)); });
}

}  // namespace

TEST_CASE("StudyOptions: a number, or until precise") {
    CHECK(!study_options(study_arguments({}), std::nullopt));
    CHECK(study_options(study_arguments({}), 10)->plan.count == 10);
    CHECK(study_options(study_arguments({"--replications", "7"}), 10)->plan.count == 7);
    const auto automatic = study_options(study_arguments({"--replications", "auto"}), 10);
    CHECK(!automatic->plan.count);
    CHECK(automatic->plan.goal.relative == 0.05);
    CHECK(automatic->plan.goal.maximum == 200);
    CHECK(automatic->confidence == 0.95);
    CHECK(automatic->threads >= 1);
    const auto precise = study_options(
        study_arguments({"--precision", "2%", "--most-replications=30", "--confidence", "0.9",
                         "--threads", "3", "--metric", "cost.total"}),
        std::nullopt);
    CHECK(!precise->plan.count);
    CHECK(precise->plan.goal.relative == Approx(0.02));
    CHECK(precise->plan.goal.confidence == 0.9);
    CHECK(precise->plan.goal.maximum == 30);
    CHECK(precise->threads == 3);
    CHECK(precise->metrics == std::vector<std::string>{"cost.total"});
}

TEST_CASE("StudyOptions: what contradicts itself or makes no sense is refused") {
    CHECK(usage_error_of_study({"--replications", "0"}).find("from 1 to") != std::string::npos);
    CHECK(usage_error_of_study({"--replications", "many"}) != "");
    CHECK(usage_error_of_study({"--replications", "3", "--precision", "2%"}) ==
          "--precision: expected with --replications auto");
    CHECK(usage_error_of_study({"--precision", "200%"}) != "");
    CHECK(usage_error_of_study({"--replications=2", "--confidence", "100%"}) != "");
    CHECK(usage_error_of_study({"--metric", "cost.total"}) ==
          "--metric: expected with --replications");
    CHECK(usage_error_of_study({"--confidence", "90%"}) ==
          "--confidence: expected with --replications or --batch-means");
    CHECK(usage_error_of_study({"--warm-up", "never"}).find("expected auto") != std::string::npos);
    CHECK(run_study(study_arguments({"--batch-means", "--confidence", "90%"})).confidence == 0.9);
    const RunStudy warm_up = run_study(study_arguments({"--warm-up", "auto"}));
    CHECK(warm_up.needs_rows());
    CHECK(!warm_up.replications);
    CHECK(!run_study(study_arguments({})).wants_rows());
}

TEST_CASE("StudyOptions: patterns that name nothing are all told") {
    const std::vector<std::string> known = {"cost.total", "latency.e2e_s.p99"};
    CHECK(chosen_metrics("--metric", {"cost"}, known) == std::vector<std::string>{"cost.total"});
    const std::string error = error_of([&] {
        (void)chosen_metrics("--metric", {"cost.totl", "latency.x"}, known);
    });
    CHECK(error.find("found \"cost.totl\" (did you mean \"cost.total\"?)") != std::string::npos);
    CHECK(error.find("found \"latency.x\"") != std::string::npos);
}

TEST_CASE("StudyProgress: what is done and what is left, within the terminal") {
    CHECK(study_progress_line(4, 12, "runs", 2.0, 80) ==
          "[##########--------------------]  33 %  4 of 12 runs, 4 s left");
    CHECK(study_progress_line(4, std::nullopt, "replications", 2.0, 80) == "4 replications");
    CHECK(study_progress_line(4, 12, "runs", 2.0, 20).size() == 19);
}

}  // namespace headroom::analysis
