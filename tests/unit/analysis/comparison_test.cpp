#include "analysis/experiments/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "analysis/report/comparison_report.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/made_studies.hpp"

namespace headroom::analysis {
namespace {

const std::vector<std::string> kCompared = {"cost.total", "latency.e2e_s.p99", "replicas.mean",
                                            "slo.attainment"};

Alternative one_alternative(const Replicated& a, const Replicated& b,
                            const std::vector<std::string>& metrics = kCompared) {
    return compare({"a", a}, {{"b", b}}, {.metrics = metrics}).alternatives.front();
}

Column shifted(const Column& values, double by) {
    Column out;
    for (const auto& value : values) out.emplace_back(*value + by);
    return out;
}

}  // namespace

TEST_CASE("Comparison: a scenario with itself differs by exactly 0, and nothing is significant") {
    const Replicated a = made_study({{"cost.total", {10.1, 11.3, 9.7}},
                                     {"latency.e2e_s.p99", {0.1, 0.7, 0.3}},
                                     {"slo.attainment", {0.91, 0.99, 0.97}}});
    const Alternative same = one_alternative(a, a);
    REQUIRE(same.metrics.size() == 3);  // nobody has replicas.mean
    for (const ComparedMetric& metric : same.metrics) {
        REQUIRE(metric.difference);
        CHECK(metric.difference->mean == 0);
        CHECK(metric.difference->half_width == 0);
        CHECK(metric.relative == 0);
        CHECK(!metric.significant);
        CHECK(metric.change == Change::none);
        CHECK(!metric.unpaired_factor);
    }
}

TEST_CASE("Comparison: pairs find a small change that the spread of each side hides") {
    const Column base = {10, 14, 9, 17, 12, 20, 8, 15, 11, 13};
    Column other = shifted(base, 0.5);
    other[3] = *other[3] + 0.1;
    const Replicated a = made_study({{"latency.e2e_s.p99", base}});
    const Replicated b = made_study({{"latency.e2e_s.p99", other}});
    const ComparedMetric metric = one_alternative(a, b).metrics.front();
    CHECK(*metric.a == Approx(12.9));
    CHECK(metric.difference->mean == Approx(0.51));
    CHECK(*metric.relative == Approx(0.51 / 12.9));
    CHECK(metric.significant);
    CHECK(metric.change == Change::worse);
    // Variances by hand: 13.8778 and 13.9699 of the sides, 0.001 of the pairs.
    CHECK(*metric.unpaired_factor == Approx((13.8778 + 13.9699) / 0.001).epsilon(1e-4));
}

TEST_CASE("Comparison: the direction says whether a change is better") {
    const Column low = {1, 2, 3, 4};
    const Column high = {2, 3, 4, 5.1};
    const auto change = [&](const std::string& metric, const Column& a, const Column& b) {
        return one_alternative(made_study({{metric, a}}), made_study({{metric, b}}))
            .metrics.front()
            .change;
    };
    CHECK(change("cost.total", low, high) == Change::worse);
    CHECK(change("cost.total", high, low) == Change::better);
    CHECK(change("slo.attainment", low, high) == Change::better);
    CHECK(change("slo.attainment", high, low) == Change::worse);
    CHECK(change("replicas.mean", low, high) == Change::changed);
}

TEST_CASE("Comparison: Holm's procedure by hand") {
    // Differences of ten pairs with these t statistics; 9 degrees of freedom. Two-sided quantiles
    // at 5 %: over 4: 3.111, over 3: 2.933, over 2: 2.685, alone: 2.262.
    const auto with_t = [](double t) {
        ComparedMetric metric;
        metric.metric = "cost.total";
        metric.difference = Interval{t, 2.262157, 10};  // standard error 1
        return metric;
    };
    const auto significant = [&](const std::vector<double>& ts) {
        std::vector<ComparedMetric> metrics;
        for (const double t : ts) metrics.push_back(with_t(t));
        judge_family(metrics, 0.95);
        std::vector<bool> out;
        for (const ComparedMetric& metric : metrics) out.push_back(metric.significant);
        return out;
    };
    using Flags = std::vector<bool>;
    CHECK(significant({2.3}) == Flags{true});
    CHECK(significant({2.2}) == Flags{false});
    CHECK(significant({2.3, 2.3, 2.3, 2.3}) == Flags{false, false, false, false});
    CHECK(significant({2.95, 3.12, 2.3, -2.7}) == Flags{true, true, true, true});
    CHECK(significant({2.92, 3.12, 2.3, -2.7}) == Flags{false, true, false, false});
    CHECK(significant({3.10, 3.10, 3.10, 9}) == Flags{true, true, true, true});
    CHECK(significant({3.10, 3.10, 3.10, 0}) == Flags{false, false, false, false});
}

TEST_CASE("Comparison: a change that does nothing is called nothing, in 95 % of comparisons") {
    constexpr int kComparisons = 600;
    constexpr std::size_t kMetrics = 12;
    constexpr std::size_t kPairs = 10;
    std::mt19937_64 engine(20261);  // fixed by the standard, bit for bit
    const auto uniform = [&engine] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
    // Sums of uniforms: near enough to normal for Student's t.
    const auto draw = [&] {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += uniform();
        return sum;
    };
    int any_significant = 0;
    int alone = 0;
    for (int k = 0; k < kComparisons; ++k) {
        std::vector<ComparedMetric> metrics(kMetrics);
        for (ComparedMetric& metric : metrics) {
            std::vector<double> a(kPairs);
            std::vector<double> b(kPairs);
            for (std::size_t i = 0; i < kPairs; ++i) {
                a[i] = draw();
                b[i] = draw();
            }
            metric.metric = "cost.total";
            metric.difference = paired_difference(b, a, 0.95);
            alone += metric.difference->covers(0) ? 0 : 1;
        }
        judge_family(metrics, 0.95);
        const bool any = std::any_of(metrics.begin(), metrics.end(),
                                     [](const ComparedMetric& m) { return m.significant; });
        any_significant += any ? 1 : 0;
    }
    // Binomial, four standard errors: 600 at 5 % is 30 +- 21.4; of 7,200 intervals 360 +- 74.
    CHECK(any_significant <= 51);
    CHECK(any_significant >= 9);
    CHECK(std::abs(alone - 360) <= 74);
}

TEST_CASE("Comparison: one replication is no evidence, and a constant difference is all of it") {
    const auto metric_of = [](const Column& a, const Column& b) {
        return one_alternative(made_study({{"cost.total", a}}), made_study({{"cost.total", b}}))
            .metrics.front();
    };
    const ComparedMetric one = metric_of({5}, {7});
    CHECK(one.difference->mean == 2);
    CHECK(std::isinf(one.difference->half_width));
    CHECK(!one.significant);
    const ComparedMetric two = metric_of({5, 6}, {7, 8});
    CHECK(two.difference->half_width == 0);
    CHECK(two.significant);
}

TEST_CASE("Comparison: what is saturated is no number") {
    const auto study = [](const Column& flags) {
        return made_study(
            {{"cost.total", {1, 2, 3}}, {"latency.e2e_s.p99", {1, 2, 3}}, {"saturated", flags}});
    };
    const auto latency = [&](const Column& a, const Column& b) {
        return *find_metric(one_alternative(study(a), study(b)), "latency.e2e_s.p99");
    };
    const ComparedMetric worse = latency({0, 0, 0}, {1, 1, 1});
    CHECK(!worse.a_saturated);
    CHECK(worse.b_saturated);
    CHECK(!worse.difference);
    CHECK(worse.change == Change::worse);
    CHECK(latency({1, 1, 1}, {0, 0, 0}).change == Change::better);
    CHECK(latency({0, 0, 0}, {1, 0, 1}).change == Change::none);
    CHECK(latency({1, 1, 1}, {1, 1, 1}).change == Change::none);
    CHECK(latency({0, 0, 0}, {1, 0, 1}).b_saturated_runs == 2);
    // Six of seven pairs went one way and none the other: by chance in 1 of 32 cases.
    const auto seven = [](const Column& flags) {
        return made_study({{"latency.e2e_s.p99", {1, 2, 3, 4, 5, 6, 7}}, {"saturated", flags}});
    };
    const auto of_seven = [&](const Column& b) {
        const auto told = one_alternative(seven({0, 0, 0, 0, 0, 0, 0}), seven(b));
        return find_metric(told, "latency.e2e_s.p99")->change;
    };
    CHECK(of_seven({1, 1, 1, 0, 1, 1, 1}) == Change::worse);
    CHECK(of_seven({1, 1, 1, 0, 0, 1, 1}) == Change::none);
    CHECK(find_metric(one_alternative(study({0, 0, 0}), study({1, 1, 1})), "cost.total")
              ->difference->mean == 0);
}

TEST_CASE("Comparison: metrics that only one side has are left out or shown without a number") {
    const Replicated a = made_study({{"cost.total", {1, 2}}, {"slo.attainment", {0.5, 0.6}}});
    const Replicated b = made_study({{"cost.total", {1, 3}}, {"slo.attainment", {0.5, {}}}});
    const Alternative shown = one_alternative(a, b);
    REQUIRE(shown.metrics.size() == 2);
    CHECK(!shown.metrics[1].b);
    CHECK(!shown.metrics[1].difference);
    CHECK(shown.metrics[1].change == Change::none);
    const Comparison common =
        compare({"a", a}, {{"b", b}}, {.metrics = kCompared, .only_common = true});
    CHECK(common.alternatives[0].metrics.size() == 1);
}

TEST_CASE("DecisionDifference: the first decision that only one took, with the other's next") {
    using control::Decision;
    const std::vector<Decision> a = {made_decision(10, "hpa chat", 2, 3, "load"),
                                     made_decision(60, "hpa web", 1, 2, "load"),
                                     made_decision(90, "hpa chat", 3, 4, "more load")};
    CHECK(!first_difference(a, a));
    CHECK(!first_difference({}, {}));
    std::vector<Decision> words = a;
    words[1].reason = "another word";
    CHECK(!first_difference(a, words));

    std::vector<Decision> sooner = a;
    sooner[2] = made_decision(75, "hpa chat", 3, 5, "lower target");
    const auto apart = first_difference(a, sooner);
    REQUIRE(apart);
    CHECK(apart->time == Time::zero() + Duration::seconds(75));
    CHECK(apart->actor == "hpa chat");
    CHECK(apart->a->time == Time::zero() + Duration::seconds(90));
    CHECK(apart->b->after == 5);
    CHECK(apart->b->reason == "lower target");

    const auto ended = first_difference(a, {a[0]});
    REQUIRE(ended);
    CHECK(ended->actor == "hpa web");
    CHECK(ended->a);
    CHECK(!ended->b);
}

TEST_CASE("DecisionDifference: a pod's node is known by its name, as pools may count otherwise") {
    using control::Decision;
    const std::vector<Decision> a = {made_decision(0, "scheduler", -1, 9, "bound to cpu-0"),
                                     made_decision(5, "scheduler", -1, 1, "bound to gpu-1")};
    std::vector<Decision> b = {made_decision(0, "scheduler", -1, 1, "bound to cpu-0"), a[1]};
    CHECK(!first_difference(a, b));
    b[1].reason = "bound to other-0";
    const auto apart = first_difference(a, b);
    REQUIRE(apart);
    CHECK(apart->time == Time::zero() + Duration::seconds(5));
    CHECK(apart->a->reason == "bound to gpu-1");
    CHECK(apart->b->reason == "bound to other-0");
}

TEST_CASE("DecisionDifference: a policy is held against the one that took its place") {
    using control::Decision;
    const std::vector<Decision> hpa = {made_decision(15, "hpa chat", 1, 4, "load"),
                                       made_decision(20, "workload chat", 1, 4, "revision")};
    const std::vector<Decision> slo = {made_decision(20, "workload chat", 1, 4, "revision"),
                                       made_decision(45, "slo-aware chat", 1, 2, "queue")};
    const auto apart = first_difference(hpa, slo);
    REQUIRE(apart);
    CHECK(apart->actor == "hpa chat");
    REQUIRE(apart->b);
    CHECK(apart->b->actor == "slo-aware chat");
    CHECK(decision_text(*apart, apart->a) == "1 -> 4, load");
    CHECK(decision_text(*apart, apart->b) == "at 45.0s, slo-aware chat, 1 -> 2, queue");
    // An actor that both have is nobody's place taker.
    CHECK(!first_difference(hpa, {hpa[1]})->b);
}

}  // namespace headroom::analysis
