#include "analysis/experiments/max_rate.hpp"

#include <cmath>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

using scenarios::Expectation;
using scenarios::ExpectationResult;

Expectation condition(scenarios::Comparison comparison, double bound,
                      Expectation::When when = Expectation::When::whole_run) {
    Expectation out;
    out.metric = "latency.e2e_s.mean";
    out.comparison = comparison;
    out.bound = bound;
    out.when = when;
    return out;
}

std::vector<ExpectationResult> found_values(const std::vector<double>& values, bool held = true) {
    std::vector<ExpectationResult> out;
    for (const double value : values) out.push_back({held, value, ""});
    return out;
}

/// What holds up to `limit`; every look is counted.
struct FakeSystem {
    std::function<bool(double)> holds;
    std::function<bool(double)> saturated = [](double) { return false; };
    /// Of one condition, from its value to its bound; no condition: nothing.
    std::function<double(double)> margin = nullptr;
    std::function<bool(double)> has_data = [](double) { return true; };
    mutable int looks = 0;

    ScalePoint operator()(double scale) const {
        ++looks;
        ScalePoint point;
        point.scale = scale;
        point.held = holds(scale);
        point.replications = 3;
        point.saturated = saturated(scale) ? 3 : 0;
        const bool data = has_data(scale);
        Judgement judgement;
        judgement.missing = data ? 0 : 2;
        judgement.held = data && point.held;
        if (margin) judgement.margin = margin(scale);
        point.held = judgement.held;
        point.judgements.push_back(judgement);
        return point;
    }
};

MaxRate search(const FakeSystem& fake, const SearchGoal& goal = {}) {
    return search_max_rate([&fake](double scale) { return fake(scale); }, goal);
}

}  // namespace

TEST_CASE("judge: an upper condition must hold for the mean's upper confidence limit") {
    // Mean 2, standard deviation 1, n = 5: the one-sided 95 % limit is 2 + 2.131847 / sqrt(5).
    const std::vector<double> values = {1, 1.5, 2, 2.5, 3};
    const double spread = std::sqrt(2.5 / 4) * 2.1318467863 / std::sqrt(5.0);
    const auto results = found_values(values);
    const Judgement wide = judge(condition(scenarios::Comparison::less, 3), results, 0.95);
    CHECK(wide.held);
    CHECK(*wide.mean == Approx(2));
    CHECK(*wide.limit == Approx(2 + spread));
    CHECK_FALSE(
        judge(condition(scenarios::Comparison::less, 2 + 0.99 * spread), results, 0.95).held);
    CHECK(judge(condition(scenarios::Comparison::less, 2 + 1.01 * spread), results, 0.95).held);
    CHECK(judge(condition(scenarios::Comparison::greater, 2 - 1.01 * spread), results, 0.95).held);
    CHECK_FALSE(
        judge(condition(scenarios::Comparison::greater_equal, 2 - 0.99 * spread), results, 0.95)
            .held);
    // Less confidence, a limit nearer to the mean.
    CHECK(judge(condition(scenarios::Comparison::less, 2 + 0.5 * spread), results, 0.7).held);
}

TEST_CASE("eased_by_traffic: what more traffic makes hold limits no rate") {
    const auto eased = [](const std::string& metric, scenarios::Comparison comparison) {
        scenarios::Expectation expectation;
        expectation.metric = metric;
        expectation.comparison = comparison;
        return eased_by_traffic(expectation);
    };
    using enum scenarios::Comparison;
    CHECK(eased("latency.ttft_s.p99", greater));
    CHECK(eased("services.chat.latency.e2e_s.mean", greater_equal));
    CHECK(eased("throughput.requests_per_s", greater));
    CHECK(eased("slo.attainment", less));
    CHECK_FALSE(eased("latency.ttft_s.p99", less_equal));
    CHECK_FALSE(eased("throughput.requests_per_s", less));
    CHECK_FALSE(eased("slo.attainment", greater));
    CHECK_FALSE(eased("latency.ttft_s.p99", equal));
    CHECK_FALSE(eased("replicas.max", greater));
}

TEST_CASE("judge: equalities and series must hold in every replication") {
    auto results = found_values({8, 8, 8});
    CHECK(judge(condition(scenarios::Comparison::equal, 8), results, 0.95).held);
    CHECK(judge(condition(scenarios::Comparison::less, 9, Expectation::When::during), results, 0.95)
              .held);
    results[1] = {false, 9, ""};
    const Judgement broken = judge(
        condition(scenarios::Comparison::less_equal, 8.5, Expectation::When::at), results, 0.95);
    CHECK_FALSE(broken.held);
    CHECK(broken.failed == 1);
    CHECK_FALSE(broken.limit.has_value());
    CHECK(broken.margin == Approx(-0.5));
    CHECK_FALSE(judge(condition(scenarios::Comparison::equal, 8), results, 0.95).margin);
}

TEST_CASE("judge: the margin of a mean is from its confidence limit to the bound") {
    const auto results = found_values({1, 1.5, 2, 2.5, 3});
    const Judgement below = judge(condition(scenarios::Comparison::less, 5), results, 0.95);
    CHECK(*below.margin == Approx(5 - *below.limit));
    const Judgement above = judge(condition(scenarios::Comparison::greater, 1), results, 0.95);
    CHECK(*above.margin == Approx(*above.limit - 1));
}

TEST_CASE("judge: a replication without data fails") {
    auto results = found_values({1, 1, 1});
    results[2].found.reset();
    const Judgement judgement = judge(condition(scenarios::Comparison::less, 5), results, 0.95);
    CHECK_FALSE(judgement.held);
    CHECK(judgement.missing == 1);
    CHECK_FALSE(judge(condition(scenarios::Comparison::less, 5), {}, 0.95).held);
}

TEST_CASE("search_max_rate: finds the highest scale that holds, to the precision") {
    for (const double limit : {0.013, 0.37, 1.0, 1.01, 3.2, 77.0}) {
        const FakeSystem fake{[limit](double x) { return x <= limit; }};
        const MaxRate answer = search(fake);
        INFO("limit " << limit);
        CHECK(answer.end == SearchEnd::found);
        CHECK(answer.scale <= limit);
        CHECK(answer.broken_at > limit);
        CHECK(answer.broken_at <= answer.scale * 1.0101);
        CHECK(answer.at(answer.scale) != nullptr);
        CHECK(fake.looks < 25);
        for (std::size_t i = 1; i < answer.points.size(); ++i) {
            CHECK(answer.points[i - 1].scale < answer.points[i].scale);
        }
    }
}

TEST_CASE("search_max_rate: a good start and a small step need few looks") {
    const FakeSystem fake{[](double x) { return x <= 2.9; }};
    const MaxRate answer = search(fake, {.start = 2.8, .step = 1.075, .probe = false});
    CHECK(answer.scale == Approx(2.9).epsilon(0.011));
    CHECK(fake.looks <= 6);
}

TEST_CASE("search_max_rate: says that nothing holds, that nothing breaks, that the most holds") {
    CHECK(search({[](double) { return false; }}).end == SearchEnd::never_holds);
    const MaxRate most = search({[](double) { return true; }});
    CHECK(most.end == SearchEnd::still_holds);
    CHECK(most.scale == 100);
    const MaxRate endless = search({[](double) { return true; }, [](double x) { return x > 3; }});
    CHECK(endless.end == SearchEnd::cannot_break);
    CHECK(endless.scale == 8);
}

TEST_CASE("search_max_rate: saturation is no end while a condition moves towards its bound") {
    const auto always = [](double) { return true; };
    // A latency of a run that ends: 1200 (1 - 1 / scale), against a bound of 1000.
    const auto latency = [](double x) { return 1000 - 1200 * (1 - 1 / x); };
    const MaxRate growing = search(
        {[latency](double x) { return latency(x) > 0; }, [](double x) { return x > 1; }, latency});
    CHECK(growing.end == SearchEnd::found);
    CHECK(growing.scale == Approx(6).epsilon(0.011));
    // Against one that it does not reach, it ends at the scale that shows so.
    const auto far = [](double x) { return 6000 - 1200 * (1 - 1 / x); };
    const MaxRate out_of_reach = search({always, [](double x) { return x > 1; }, far});
    CHECK(out_of_reach.end == SearchEnd::cannot_break);
    CHECK(out_of_reach.scale < 100);
    // In proportion to the load: reached between 64 and the most.
    const auto linear = [](double x) { return 90 - x; };
    const MaxRate late = search({[](double x) { return x < 90; }, always, linear});
    CHECK(late.end == SearchEnd::found);
    CHECK(late.scale == Approx(90).epsilon(0.011));
    // Still moving at the most that may be tried: nothing is claimed of what lies beyond.
    const MaxRate most = search({always, always, linear}, {.most = 1.5});
    CHECK(most.end == SearchEnd::still_holds);
}

TEST_CASE("search_max_rate: what has no data at a higher scale is not broken") {
    const auto always = [](double) { return true; };
    const auto never = [](double) { return false; };
    const MaxRate answer = search({always, never, nullptr, [](double x) { return x <= 2.3; }});
    CHECK(answer.end == SearchEnd::unjudged);
    CHECK(answer.scale == Approx(2.3).epsilon(0.011));
    CHECK(answer.unjudged_at > 2.3);
    CHECK(answer.unjudged_at <= 1.0101 * answer.scale);
    CHECK(answer.broken_at == 0);
    CHECK(answer.at(answer.unjudged_at)->unjudged());
    // Broken below that: the break is the answer.
    const MaxRate broken = search(
        {[](double x) { return x <= 1.7; }, never, nullptr, [](double x) { return x <= 2.3; }});
    CHECK(broken.end == SearchEnd::found);
    CHECK(broken.scale == Approx(1.7).epsilon(0.011));
    CHECK(broken.unjudged_at == 0);
    CHECK(search({always, never, nullptr, never}).end == SearchEnd::never_holds);
}

TEST_CASE("search_max_rate: notices what fails below and what holds again above") {
    const MaxRate gap = search({[](double x) { return x <= 3 && !(x > 1.2 && x < 1.8); }});
    CHECK(gap.end == SearchEnd::not_monotone);
    CHECK(gap.odd == Approx(1.5).epsilon(0.02));
    const MaxRate again = search({[](double x) { return x <= 3 || (x > 3.5 && x < 3.9); }});
    CHECK(again.end == SearchEnd::not_monotone);
    CHECK(again.odd > again.broken_at);
}

TEST_CASE("search_max_rate: a measurement that does not finish ends the search") {
    int looks = 0;
    const MaxRate answer = search_max_rate(
        [&looks](double scale) {
            ScalePoint point;
            point.scale = scale;
            point.held = true;
            if (++looks == 3) point.status = RunStatus::interrupted;
            return point;
        },
        {});
    CHECK(answer.end == SearchEnd::stopped);
    CHECK(answer.status == RunStatus::interrupted);
    CHECK(answer.scale == 2);
}

TEST_CASE("take_pessimistic_end: instances of profiles with a band are slower by it, others not") {
    scenarios::Scenario scenario;
    serving::ServiceSpec llm;
    llm.versions.resize(1);
    llm.versions[0].engine.llm.emplace();
    llm.versions[0].engine.llm->profile.error_band = 0.25;
    serving::ServiceSpec simple;
    simple.versions.resize(1);
    simple.versions[0].engine.simple.emplace();
    scenario.spec.services = {llm, simple};
    scenario.spec.control.workloads.resize(2);
    scenario.spec.control.workloads[0].name = "chat";
    scenario.spec.control.workloads[1].service = 1;
    scenario.spec.control.workloads[1].speed_by_rank = {0.5};
    control::FaultSpec slow;
    slow.kind = control::FaultSpec::Kind::set_speed;
    slow.target = "chat";
    slow.speed = 0.5;
    scenario.spec.control.faults = {slow};
    CHECK(take_pessimistic_end(scenario) == 0.25);
    CHECK(scenario.spec.control.workloads[0].speed_by_rank == std::vector<double>{0.8});
    CHECK(scenario.spec.control.workloads[1].speed_by_rank == std::vector<double>{0.5});
    CHECK(scenario.spec.control.faults[0].speed == 0.4);
}

}  // namespace headroom::analysis
