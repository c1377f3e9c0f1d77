/// Replications: a scenario run again under other seeds, and what each run measured.
///
///     const Replicated study = replicate(scenario, {.count = 10, .threads = 2});
///     study.values("latency.ttft_s.p99");      // ten numbers, in the order of the index
///
/// Replication i runs under seed + i (replication 0 is `headroom run`, replication 3 of seed 1 is
/// `headroom run --seed 4`), so scenarios that share names share their draws: replication i of A
/// and of B see the same arrivals, lengths and faults (common random numbers), and their
/// differences may be paired. Each replication is a whole simulation on one thread; the result does
/// not depend on the number of threads, bit for bit.
///
/// A run whose input turns out bad ends the replications of its scenario, not those of others; the
/// error is that of the lowest index. Memory is O(count * metrics), plus the runs in hand; what
/// `run` prints of one is not kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/expectation.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

struct ReplicationOptions {
    int first = 0;  ///< index of the first replication
    int count = 1;
    int threads = 1;  ///< replications at once
    bool exact_steps = false;
    std::optional<int> decisions_of = {};             ///< fill Replication::decisions of this index
    const std::atomic<bool>* stop = nullptr;          ///< ends the study early, as `interrupted`
    std::function<void(int finished)> progress = {};  ///< from any thread, one at a time
};

struct Replication {
    std::uint64_t seed = 0;
    std::string digest;
    bool saturated = false;
    /// Of Replicated::metrics, in their order; nullopt: nothing was measured (no completion, ...).
    std::vector<std::optional<double>> values;
    std::vector<scenarios::ExpectationResult> expectations;
    std::vector<control::Decision> decisions;
};

struct Replicated {
    RunStatus status = RunStatus::finished;  ///< else `runs` is empty
    std::string error;                       ///< of bad_input
    std::vector<std::string> metrics;        ///< summary paths that are numbers, sorted
    std::vector<Replication> runs;

    /// One metric over all replications; empty when it is unknown or one of them has no value.
    [[nodiscard]] std::vector<double> values(std::string_view metric) const;
    [[nodiscard]] bool saturated() const;  ///< in any replication
};

/// A run that was made elsewhere, as a study of one replication under the scenario's own seed.
[[nodiscard]] Replicated study_of(const scenarios::Scenario& scenario,
                                  const SimulationResult& result);

[[nodiscard]] std::uint64_t replication_seed(std::uint64_t seed, int index);
[[nodiscard]] Replicated replicate(const scenarios::Scenario& scenario,
                                   const ReplicationOptions& options);
/// Replications of several scenarios in one pool of threads, interleaved by index; one result each.
[[nodiscard]] std::vector<Replicated> replicate_all(
    const std::vector<const scenarios::Scenario*>& scenarios, const ReplicationOptions& options);
/// Appends further replications of the same scenario; to an empty study, all of it.
void append(Replicated& study, Replicated more);

}  // namespace headroom::analysis
