/// What several replications of one scenario say together: the section that `headroom run
/// --replications` adds to its report, and replications.json.
///
///     Replications 10, seeds 1 to 10; 95 % intervals of the mean
///       mean latency   589 ms +- 12.0 ms   2 %
///
/// A mean exists where every replication has a value; where a backlog grew in one, its latencies
/// read "saturated". Expectations are judged in each replication. Equal studies give equal text,
/// byte for byte. O(metrics * replications).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/replications.hpp"
#include "analysis/report/text_block.hpp"
#include "analysis/statistics/batch_means.hpp"
#include "analysis/statistics/interval.hpp"
#include "analysis/statistics/stopping.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

struct ReplicationsReport {
    const scenarios::Scenario& scenario;
    const Replicated& study;
    double confidence = kDefaultConfidence;
    std::vector<std::string> metrics;  ///< to show; replications.json has all
    /// Where replications were made until precise: the goal, what had to be, and the verdict.
    double precision = 0;
    std::vector<std::string> precise_metrics{};
    std::optional<PrecisionVerdict> verdict{};
};

[[nodiscard]] std::string render_replications(const ReplicationsReport& report,
                                              const TextStyle& style);
[[nodiscard]] nlohmann::ordered_json replications_json(const ReplicationsReport& report);

/// One expectation over all replications.
struct HeldCount {
    std::string text;
    int held = 0;
    int of = 0;
    std::size_t first_failed = 0;  ///< index of a replication, where held < of
};
[[nodiscard]] std::vector<HeldCount> count_held(const scenarios::Scenario& scenario,
                                                const Replicated& study);

/// The mean of one long run: "mean latency 589 ms +- 12 ms (95 %, 20 batches of 400 requests)";
/// where `means` is nothing, that the run is too short to say.
[[nodiscard]] std::string batch_means_text(std::string_view metric,
                                           const std::optional<BatchMeans>& means,
                                           double confidence);

}  // namespace headroom::analysis
