/// Comparison: what changes when a scenario does, with its uncertainty. A base is held against one
/// or more alternatives, replication by replication under the same draws.
///
///     const Comparison told =
///         compare({"today", a}, {{"double", b}}, {.metrics = headline_metrics()});
///     told.alternatives[0].metrics[0].difference->low();       // b - a, paired
///
/// The interval of a difference is Student's t over the pairs, each metric for itself. Whether it
/// is `significant` is judged over all metrics that are compared: Holm's procedure (Scandinavian
/// Journal of Statistics 6, 1979) at the same level, so that a change that does nothing has any
/// metric found significant in at most 1 - confidence of comparisons; judged one by one, every
/// twentieth unaffected metric would be. So an interval may leave 0 out and not be significant. A
/// difference that is the same in every replication is taken at its word: 0 is never significant,
/// another one always is, from two replications on.
///
/// Where a backlog grows in a replication, its latencies are no numbers: nothing is subtracted, and
/// the difference is significant where all replications of one side and none of the other are
/// saturated (and there are three at least), or where the exact sign test over the pairs that
/// differ says so. Studies have equal numbers of replications. O(metrics * (replications + log)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/decision_difference.hpp"
#include "analysis/experiments/metric_traits.hpp"
#include "analysis/experiments/replications.hpp"
#include "analysis/statistics/interval.hpp"

namespace headroom::analysis {

/// What significantly changed, by better_when(); `changed` where neither way is better.
enum class Change : std::uint8_t { none, better, worse, changed };

struct ComparedMetric {
    std::string metric;
    std::optional<double> a;  ///< mean; nullopt: a replication has no value
    std::optional<double> b;
    bool a_saturated = false;
    bool b_saturated = false;
    int a_saturated_runs = 0;
    int b_saturated_runs = 0;
    std::optional<Interval> difference;  ///< b - a; nullopt: one has no value, or is saturated
    std::optional<double> relative;      ///< difference / a
    bool significant = false;
    Change change = Change::none;
    /// Variance of an unpaired difference over that of the paired one: how many times as many
    /// replications independent draws would take for the same width. nullopt: all pairs are alike.
    std::optional<double> unpaired_factor;
};

struct ComparedScenario {
    std::string name;
    const Replicated& study;
};

struct Alternative {
    std::string name;
    std::vector<ComparedMetric> metrics;
    std::optional<DecisionDifference> first_difference;  ///< of replication 0, where it has them
};

struct Comparison {
    std::string base;
    double confidence = kDefaultConfidence;
    int replications = 0;
    std::vector<Alternative> alternatives;
};

struct ComparisonOptions {
    /// Compared where both have them. Those without a value on either side are left out.
    std::vector<std::string> metrics;
    double confidence = kDefaultConfidence;
    bool only_common = false;  ///< leaves out those that one side has no value of
};

[[nodiscard]] Comparison compare(const ComparedScenario& base,
                                 const std::vector<ComparedScenario>& alternatives,
                                 const ComparisonOptions& options);

/// Sets `significant` and `change` of all, as one family.
void judge_family(std::vector<ComparedMetric>& metrics, double confidence);

[[nodiscard]] const ComparedMetric* find_metric(const Alternative& alternative,
                                                std::string_view metric);

}  // namespace headroom::analysis
