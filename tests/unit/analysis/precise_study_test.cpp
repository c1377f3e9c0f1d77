#include "analysis/experiments/precise_study.hpp"

#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::analysis {
namespace {

scenarios::Scenario queue_at(double rate) {
    scenarios::Scenario scenario;
    scenario.spec.seed = 11;
    scenario.spec.end = Time::zero() + Duration::seconds(30);
    scenario.spec.services.push_back(
        tests::simple_service("web", 4, Distribution::exponential(0.1)));
    scenario.spec.sources.push_back(tests::poisson_source(0, rate));
    tests::add_workload(scenario.spec, 0, 1);
    return scenario;
}

std::vector<std::vector<double>> mean_latency(const std::vector<Replicated>& studies) {
    return {studies.front().values("latency.e2e_s.mean")};
}

std::vector<std::string> digests_of(const PreciseStudy& study) {
    std::vector<std::string> out;
    for (const Replicated& one : study.studies) {
        for (const Replication& run : one.runs) out.push_back(run.digest);
    }
    return out;
}

}  // namespace

TEST_CASE("PreciseStudy: as many as were asked for, those begun counted") {
    const scenarios::Scenario a = queue_at(20);
    const scenarios::Scenario b = queue_at(25);
    const StudyPlan plan{.count = 4, .goal = {}};
    const PreciseStudy whole = replicate_to_plan({&a, &b}, plan, {}, mean_latency);
    REQUIRE(whole.studies.size() == 2);
    CHECK(whole.studies[1].runs.size() == 4);
    CHECK(!whole.verdict);
    CHECK(whole.failed() == nullptr);

    std::vector<Replicated> begun;
    for (const auto* scenario : {&a, &b}) begun.push_back(replicate(*scenario, {.count = 3}));
    std::vector<int> told;
    ReplicationOptions options;
    options.progress = [&told](int finished) { told.push_back(finished); };
    const PreciseStudy rest = replicate_to_plan({&a, &b}, plan, options, mean_latency, begun);
    CHECK(digests_of(rest) == digests_of(whole));
    CHECK(told == std::vector<int>{7, 8});
}

TEST_CASE("PreciseStudy: stops when precise, at the same number for any threads") {
    const scenarios::Scenario a = queue_at(20);
    StudyPlan plan;
    plan.goal.relative = 0.02;
    plan.goal.minimum = 3;
    plan.goal.maximum = 60;
    std::vector<std::string> first;
    for (const int threads : {1, 2, 4}) {
        const PreciseStudy study =
            replicate_to_plan({&a}, plan, {.threads = threads}, mean_latency);
        REQUIRE(study.verdict);
        CHECK(study.verdict->reached);
        CHECK(study.studies[0].runs.size() > 3);
        CHECK(study.studies[0].runs.size() < 60);
        const Interval interval = mean_interval(study.studies[0].values("latency.e2e_s.mean"));
        CHECK(relative_half_width(interval) <= 0.02);
        if (first.empty()) first = digests_of(study);
        CHECK(digests_of(study) == first);
    }
    plan.goal.maximum = 4;
    const PreciseStudy cut = replicate_to_plan({&a}, plan, {}, mean_latency);
    CHECK(!cut.verdict->reached);
    CHECK(cut.studies[0].runs.size() == 4);
    const auto nothing = [](const auto&) { return std::vector<std::vector<double>>{}; };
    const PreciseStudy unjudged = replicate_to_plan({&a}, plan, {}, nothing);
    CHECK(unjudged.studies[0].runs.size() == 3);
    REQUIRE(unjudged.verdict);
    CHECK(!unjudged.verdict->reached);
    CHECK(unjudged.verdict->count == 3);
    CHECK(!unjudged.verdict->needed);
}

TEST_CASE("PreciseStudy: an interrupted one has failed") {
    const scenarios::Scenario a = queue_at(20);
    std::atomic<bool> stop{true};
    const PreciseStudy study =
        replicate_to_plan({&a}, {.count = 2, .goal = {}}, {.stop = &stop}, mean_latency);
    REQUIRE(study.failed() != nullptr);
    CHECK(study.failed()->status == RunStatus::interrupted);
}

}  // namespace headroom::analysis
