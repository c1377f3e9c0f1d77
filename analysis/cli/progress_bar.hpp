/// ProgressBar: how far a run is, in one line of a terminal's standard error, with the time that is
/// left; at most ten updates a second, gone when the object goes. simulate_with_bar() is one run
/// under it.
///
///     [##########--------------------]  33 %  20m of 1h, 1.2 M requests, 4 s left
///
/// Progress is simulated time of the horizon, or requests of the traces where they bound the run.
/// How many requests that is costs a look at the traces and is asked only of a run that takes long
/// enough to show a bar. Without either there is no bar, only the counts. update() costs a clock
/// reading.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "analysis/cli/status_line.hpp"
#include "scenarios/scenario.hpp"
#include "sim/core/time.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

struct ProgressGoal {
    std::optional<Time> horizon;
    /// Requests until the end, if it can be said.
    std::function<std::optional<std::int64_t>()> count_requests;
};

class ProgressBar {
  public:
    explicit ProgressBar(ProgressGoal goal);
    void update(Time now, std::int64_t arrived);

  private:
    ProgressGoal goal_;
    std::optional<std::int64_t> requests_;
    double start_s_;
    bool counted_ = false;
    StatusLine line_{true};
};

/// One run under a bar, where standard error is a terminal and `shown`.
[[nodiscard]] SimulationResult simulate_with_bar(const scenarios::Scenario& scenario,
                                                 RunOptions options, bool shown);

/// The line alone: `fraction` done after `elapsed_s`, cut to `width` columns.
[[nodiscard]] std::string progress_line(std::optional<double> fraction, Time now,
                                        std::optional<Time> horizon, std::int64_t arrived,
                                        double elapsed_s, std::size_t width);

}  // namespace headroom::analysis
