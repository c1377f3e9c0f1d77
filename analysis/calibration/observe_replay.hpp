/// LogReplay: the engine that wrote a log as a simulation: one service, one ready instance with the
/// given settings, the log's arrivals and lengths, and LinearLatency.
///
///     LogReplay replay(log, options);
///     std::vector<serving::RequestRow> rows = replay.run(coefficients, Duration::zero());
///
/// Rows come in the order of the log's requests, one each, whether they completed or not; none when
/// the run was stopped from outside. The log must outlive nothing: its arrivals are copied.
#pragma once

#include <optional>
#include <vector>

#include "analysis/calibration/observe.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

class LogReplay {
  public:
    LogReplay(const EngineLog& log, const ObserveOptions& options);

    [[nodiscard]] std::vector<serving::RequestRow> run(
        const serving::LinearCoefficients& coefficients, Duration front_end);
    /// Simulations so far.
    [[nodiscard]] int runs() const { return runs_; }

  private:
    std::optional<serving::MixtureOfExperts> moe_;
    SimulationSpec spec_;
    RunOptions run_options_;
    int runs_ = 0;
};

}  // namespace headroom::analysis
