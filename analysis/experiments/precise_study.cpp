#include "analysis/experiments/precise_study.hpp"

#include <algorithm>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

int replications_of(const PreciseStudy& study) {
    return static_cast<int>(study.studies.front().runs.size());
}

/// Up to `count` of each; false when a scenario did not finish.
bool grow(PreciseStudy& study, int count, const std::vector<const scenarios::Scenario*>& scenarios,
          ReplicationOptions& options) {
    options.first = replications_of(study);
    options.count = count - options.first;
    if (options.count <= 0) return true;
    const auto progress = options.progress;
    if (progress) {
        const int before = options.first * static_cast<int>(scenarios.size());
        options.progress = [&progress, before](int finished) { progress(before + finished); };
    }
    std::vector<Replicated> more = replicate_all(scenarios, options);
    options.progress = progress;
    for (std::size_t i = 0; i < more.size(); ++i) append(study.studies[i], std::move(more[i]));
    return study.failed() == nullptr;
}

}  // namespace

const Replicated* PreciseStudy::failed() const {
    const auto found = std::find_if(studies.begin(), studies.end(), [](const Replicated& study) {
        return study.status != RunStatus::finished;
    });
    return found == studies.end() ? nullptr : &*found;
}

PreciseStudy replicate_to_plan(const std::vector<const scenarios::Scenario*>& scenarios,
                               const StudyPlan& plan, ReplicationOptions options,
                               const PrecisionValues& values, std::vector<Replicated> begun) {
    HEADROOM_CHECK(!scenarios.empty(), "a study is one of a scenario");
    PreciseStudy study;
    study.studies = std::move(begun);
    study.studies.resize(scenarios.size());
    PrecisionGoal goal = plan.goal;
    goal.minimum = std::min(goal.minimum, goal.maximum);
    int count = plan.count.value_or(static_cast<int>(goal.minimum));
    while (grow(study, count, scenarios, options) && !plan.count) {
        const std::vector<std::vector<double>> judged = values(study.studies);
        if (judged.empty()) {
            const auto made = static_cast<std::size_t>(replications_of(study));
            study.verdict = PrecisionVerdict{.count = made, .next = made, .needed = std::nullopt};
            break;
        }
        study.verdict = judge_precision(judged, goal);
        if (study.verdict->stop()) break;
        count = static_cast<int>(study.verdict->next);
    }
    return study;
}

}  // namespace headroom::analysis
