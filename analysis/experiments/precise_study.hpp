/// Replications until they are precise enough, or as many as were asked for: of one scenario or of
/// several that are compared, always the same number of each.
///
///     StudyPlan plan{.count = std::nullopt, .goal = {.relative = 0.02, .maximum = 200}};
///     PreciseStudy study = replicate_to_plan({&a, &b}, plan, options, values);
///
/// `values` says what has to be precise: one vector a metric, of as many values as there are
/// replications (analysis/statistics/stopping.hpp judges them); none: there is nothing to judge,
/// and the study ends unprecise. How many replications are made is a function of the values alone,
/// not of threads or time.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "analysis/experiments/replications.hpp"
#include "analysis/statistics/stopping.hpp"

namespace headroom::analysis {

struct StudyPlan {
    std::optional<int> count;  ///< nothing: as many as `goal` takes
    PrecisionGoal goal;
};

using PrecisionValues =
    std::function<std::vector<std::vector<double>>(const std::vector<Replicated>&)>;

struct PreciseStudy {
    std::vector<Replicated> studies;  ///< in the order of the scenarios; none lacks a replication
    /// Of a plan without a count; not reached, and no need known, where there was nothing to judge.
    std::optional<PrecisionVerdict> verdict;

    /// Why there are no results: the first scenario that did not finish, if one did not.
    [[nodiscard]] const Replicated* failed() const;
};

/// `begun` may hold the first replications of each scenario. `options` says the rest: its `first`
/// and `count` are not looked at.
[[nodiscard]] PreciseStudy replicate_to_plan(
    const std::vector<const scenarios::Scenario*>& scenarios, const StudyPlan& plan,
    ReplicationOptions options, const PrecisionValues& values, std::vector<Replicated> begun = {});

}  // namespace headroom::analysis
