#include "analysis/experiments/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "analysis/statistics/moments.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

std::optional<double> mean_of(const std::vector<double>& values) {
    if (values.empty()) return std::nullopt;
    return moments_of(values).mean;
}

bool knows(const Replicated& study, const std::string& metric) {
    return std::binary_search(study.metrics.begin(), study.metrics.end(), metric);
}

/// Whether one side is saturated and the other is not, for sure: in all replications of the one and
/// none of the other, from three on, or by the sign test over the pairs that differ.
bool differs_in_saturation(const Replicated& a, const Replicated& b, const std::string& metric,
                           double confidence) {
    const std::vector<bool> in_a = saturated_by_run(a, metric);
    const std::vector<bool> in_b = saturated_by_run(b, metric);
    std::size_t only_a = 0;
    std::size_t only_b = 0;
    for (std::size_t i = 0; i < in_a.size(); ++i) {
        only_a += in_a[i] && !in_b[i] ? 1 : 0;
        only_b += in_b[i] && !in_a[i] ? 1 : 0;
    }
    if (in_a.size() >= 3 && std::max(only_a, only_b) == in_a.size()) return true;
    return sign_test(only_a, only_b) <= 1 - confidence;
}

ComparedMetric compare_metric(const std::string& metric, const Replicated& a, const Replicated& b,
                              double confidence) {
    ComparedMetric out;
    out.metric = metric;
    const std::vector<double> a_values = a.values(metric);
    const std::vector<double> b_values = b.values(metric);
    out.a = mean_of(a_values);
    out.b = mean_of(b_values);
    out.a_saturated_runs = saturated_runs(a, metric);
    out.b_saturated_runs = saturated_runs(b, metric);
    out.a_saturated = out.a_saturated_runs > 0;
    out.b_saturated = out.b_saturated_runs > 0;
    if (out.a_saturated || out.b_saturated) {
        out.significant = differs_in_saturation(a, b, metric, confidence);
        return out;
    }
    if (!out.a || !out.b) return out;
    out.difference = paired_difference(b_values, a_values, confidence);
    if (*out.a != 0) out.relative = out.difference->mean / std::abs(*out.a);
    std::vector<double> pairs;
    for (std::size_t i = 0; i < a_values.size(); ++i) pairs.push_back(b_values[i] - a_values[i]);
    const double paired = moments_of(pairs).variance();
    if (paired > 0) {
        const double unpaired = moments_of(a_values).variance() + moments_of(b_values).variance();
        out.unpaired_factor = unpaired / paired;
    }
    return out;
}

/// How many standard errors a difference is from 0.
double t_statistic(const Interval& difference, double confidence) {
    if (difference.mean == 0) return 0;
    if (difference.count < 2) return 0;
    if (difference.half_width == 0) return std::numeric_limits<double>::infinity();
    const auto degrees = static_cast<double>(difference.count - 1);
    const double quantile = student_t_quantile(1 - (1 - confidence) / 2, degrees);
    return std::abs(difference.mean) / difference.half_width * quantile;
}

Change change_of(const ComparedMetric& metric) {
    if (!metric.significant) return Change::none;
    const Better better = better_when(metric.metric);
    if (better == Better::neither) return Change::changed;
    const bool rose = metric.difference ? metric.difference->mean > 0
                                        : metric.b_saturated_runs > metric.a_saturated_runs;
    return rose == (better == Better::higher) ? Change::better : Change::worse;
}

}  // namespace

void judge_family(std::vector<ComparedMetric>& metrics, double confidence) {
    struct Test {
        std::size_t metric = 0;
        double t = 0;
    };
    std::vector<Test> tests;
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        if (!metrics[i].difference) continue;
        metrics[i].significant = false;
        tests.push_back({i, t_statistic(*metrics[i].difference, confidence)});
    }
    // All have the same degrees of freedom, so the order of p-values is that of t. Equal ones stay
    // in the order of the metrics; they pass or fail together but for the shrinking family.
    std::stable_sort(tests.begin(), tests.end(),
                     [](const Test& x, const Test& y) { return x.t > y.t; });
    for (std::size_t rank = 0; rank < tests.size(); ++rank) {
        ComparedMetric& metric = metrics[tests[rank].metric];
        if (tests[rank].t == 0) break;
        const auto degrees = static_cast<double>(metric.difference->count - 1);
        const double level = (1 - confidence) / static_cast<double>(tests.size() - rank);
        if (tests[rank].t <= student_t_quantile(1 - level / 2, degrees)) break;
        metric.significant = true;
    }
    for (ComparedMetric& metric : metrics) metric.change = change_of(metric);
}

Comparison compare(const ComparedScenario& base, const std::vector<ComparedScenario>& alternatives,
                   const ComparisonOptions& options) {
    Comparison out;
    out.base = base.name;
    out.confidence = options.confidence;
    out.replications = static_cast<int>(base.study.runs.size());
    for (const ComparedScenario& other : alternatives) {
        HEADROOM_CHECK(other.study.runs.size() == base.study.runs.size(),
                       "scenarios are compared by pairs of replications");
        Alternative alternative;
        alternative.name = other.name;
        for (const std::string& metric : options.metrics) {
            if (!knows(base.study, metric) || !knows(other.study, metric)) continue;
            ComparedMetric compared =
                compare_metric(metric, base.study, other.study, options.confidence);
            const bool a = compared.a || compared.a_saturated;
            const bool b = compared.b || compared.b_saturated;
            if (options.only_common ? a && b : a || b) {
                alternative.metrics.push_back(std::move(compared));
            }
        }
        judge_family(alternative.metrics, options.confidence);
        if (!base.study.runs.empty()) {
            alternative.first_difference =
                first_difference(base.study.runs[0].decisions, other.study.runs[0].decisions);
        }
        out.alternatives.push_back(std::move(alternative));
    }
    return out;
}

const ComparedMetric* find_metric(const Alternative& alternative, std::string_view metric) {
    const auto found =
        std::find_if(alternative.metrics.begin(), alternative.metrics.end(),
                     [metric](const ComparedMetric& m) { return m.metric == metric; });
    return found == alternative.metrics.end() ? nullptr : &*found;
}

}  // namespace headroom::analysis
