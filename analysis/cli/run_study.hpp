/// What `headroom run` does beyond a single run: further replications, the warm-up that MSER-5
/// finds, batch means. Replication 0 is the run itself, unchanged; the others come after it.
///
///     const RunStudy study = run_study(given);                     // throws UsageError
///     ... replication 0, with its rows where study.wants_rows() ...
///     std::optional<StudyResult> result = replicate_further(scenario, first, study, ...);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/cli/arguments.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/cli/study_options.hpp"
#include "analysis/experiments/arrival_order.hpp"
#include "analysis/report/replications_report.hpp"

namespace headroom::analysis {

struct RunStudy {
    std::optional<StudyOptions> replications;
    double confidence = kDefaultConfidence;
    bool warm_up_auto = false;
    bool batch_means = false;

    /// Whether latencies in the order of arrival are looked at.
    [[nodiscard]] bool wants_rows() const { return replications || warm_up_auto || batch_means; }
    /// Whether that is worth any amount of memory: somebody asked for just this.
    [[nodiscard]] bool needs_rows() const { return warm_up_auto || batch_means; }
};

/// Requests of replication 0 above which nobody looks for its warm-up unasked: 100 bytes each.
inline constexpr std::int64_t kMostRowsUnasked = 2'000'000;

[[nodiscard]] std::vector<OptionSpec> run_study_options();
[[nodiscard]] RunStudy run_study(const Arguments& given);

/// "/measure_from=754321ms": the assignment that cuts the warm-up out, found in a run that measured
/// from its start.
[[nodiscard]] std::optional<std::string> warm_up_assignment(const LatencyList& latencies);
/// What there is to say when the warm-up is longer than what `measure_from` cuts out.
[[nodiscard]] std::optional<std::string> warm_up_note(const LatencyList& latencies,
                                                      Time measure_from);

struct StudyResult {
    Replicated study;  ///< look at its status
    std::vector<std::string> metrics;
    std::vector<std::string> precise_metrics;
    std::optional<PrecisionVerdict> verdict;

    [[nodiscard]] ReplicationsReport report(const scenarios::Scenario& scenario,
                                            const RunStudy& options) const;
};

/// The replications after `first`. Throws UsageError when a metric is unknown: ask study_metrics()
/// before the first run.
[[nodiscard]] StudyResult replicate_further(const scenarios::Scenario& scenario,
                                            const SimulationResult& first, const RunStudy& study,
                                            const Arguments& given, const StopSignal& stop);
/// Those to show: what --metric names, else the headline.
[[nodiscard]] std::vector<std::string> study_metrics(const scenarios::Scenario& scenario,
                                                     const RunStudy& study);

/// Notes on expectations that failed in a replication; false when there is one.
bool report_held(const scenarios::Scenario& scenario, const Replicated& study);

/// A line each for the latencies that there are.
[[nodiscard]] std::string batch_means_lines(const LatencyList& latencies, double confidence);

}  // namespace headroom::analysis
