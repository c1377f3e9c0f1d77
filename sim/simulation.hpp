/// Simulation: puts one simulation together (cells of services, a control plane, a cluster) and
/// runs it. Knows no file format and no concrete policy; the scenario loader fills SimulationSpec,
/// the analysis reads SimulationResult.
///
///     Simulation simulation(spec);
///     SimulationResult result = simulation.run(options);
///
/// The meaning of a run is one sequential merge, by time, of the control plane's events and all
/// cells' events; at one instant control events come first. Cells that can neither notify nor be
/// touched before the next control event run ahead, on several threads if asked, and that changes
/// no bit of the result. Memory is O(requests in flight + instances); `rows` are kept only when
/// asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/control/control_results.hpp"
#include "sim/control/control_spec.hpp"
#include "sim/core/time.hpp"
#include "sim/metrics/digest.hpp"
#include "sim/serving/service_spec.hpp"
#include "sim/serving/service_stats.hpp"

namespace headroom {

struct SimulationSpec {
    std::string name;
    std::uint64_t seed = 1;
    Time end = Time::horizon_limit();  ///< the run stops here at the latest
    bool drain = false;                ///< run on until every request has ended (up to `end`)
    Time measure_from;                 ///< cuts only the statistics
    std::vector<serving::ServiceSpec> services;
    std::vector<serving::SourceSpec> sources;
    control::ControlSpec control;
};

struct RunOptions {
    bool exact_steps = false;  ///< the slow twin: one iteration, one token at a time
    int threads = 1;
    bool keep_rows = false;      ///< fill SimulationResult::rows
    bool all_decisions = false;  ///< also ticks that changed nothing
    /// Set from outside (a signal handler) to end the run early, as `interrupted`.
    const std::atomic<bool>* stop = nullptr;
    /// Called now and then from the running thread with the simulated time and requests so far.
    std::function<void(Time now, std::int64_t arrived)> progress;
};

/// A cell: services that may touch each other. Found at load, printed with the results.
struct CellInfo {
    std::vector<std::uint32_t> services;
};

struct ServiceResult {
    std::string name;
    serving::ServiceStats stats;
    bool saturated = false;  ///< its backlog grows over the window: latencies mean nothing
};

enum class RunStatus : std::uint8_t {
    finished,
    interrupted,  ///< RunOptions::stop was set
    bad_input,    ///< a streamed trace turned out bad: `error` says where and why
};

struct SimulationResult {
    RunStatus status = RunStatus::finished;
    std::string error;
    Time end;  ///< when the run stopped
    Time measure_from;
    metrics::Digest digest;
    std::vector<ServiceResult> services;
    serving::ServiceStats total;  ///< over all services; e2e, ttft ... of root services only
    bool saturated = false;
    std::vector<CellInfo> cells;
    control::ControlResults control;
    std::vector<serving::RequestRow> rows;  ///< sorted by (source, id, service)
};

/// The cells of a spec: connected components of "calls" and "shares a device".
[[nodiscard]] std::vector<CellInfo> find_cells(const SimulationSpec& spec);

class Simulation {
  public:
    /// Keeps a copy of the spec; run() may be called once per object.
    explicit Simulation(SimulationSpec spec);
    [[nodiscard]] SimulationResult run(const RunOptions& options);

  private:
    SimulationSpec spec_;
};

}  // namespace headroom
