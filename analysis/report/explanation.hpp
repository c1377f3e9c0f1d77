/// explain: the state of a run at one moment and why it is so, out of what the run left behind
/// (read_results): for each workload what is desired, ready and starting, the decision behind the
/// desired number, what is held back, which pods got a node last, what happened before and what
/// comes next; and where the run kept its requests, how many were in flight.
///
///     const Explanation told = explain(run, {.at = Time::zero() + Duration::minutes(12)});
///     std::cout << render_explanation(told, {.utf8 = true});       // or explanation_json(told)
///
/// State at `at` is after everything that happened at that instant. Starting are the replicas that
/// are desired and not ready. A run records when a pod got its node or started again, not which pod
/// became ready, so the pods named as starting are those that did so last or were promoted from a
/// warm pool, as many as are starting. Pods of a warm pool are no replicas and are told apart.
/// A wish is held back when the last decision of its actor was blocked; a run keeps ticks that
/// changed nothing only with `--decisions all`, so without them that decision may be some time ago
/// (Blocked::ticks_kept). O(size of the run, times log).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/text_block.hpp"
#include "analysis/report/timeline.hpp"
#include "analysis/results/read_results.hpp"

namespace headroom::analysis {

struct ExplainOptions {
    Time at;  ///< not after the run's end
    /// How far back events are told, and forward.
    Duration around = Duration::minutes(10);
    std::optional<std::string> service{};  ///< one of the run's; nothing: all
};

/// Calls of a service.
struct RequestState {
    std::int64_t in_flight = 0;
    std::int64_t waiting = 0;  ///< of them not yet taken up by an instance
    Duration longest_wait;     ///< of those
    double arrived_per_s = 0;  ///< over the last minute
};

struct Blocked {
    control::Decision decision;  ///< the last one
    Time since;                  ///< of the first of an unbroken row like it, if ticks are kept
    bool ticks_kept = false;     ///< every tick of its actor was
};

/// A pod of the warm pool.
struct StandbyPod {
    enum class State : std::uint8_t { pending, loading, loaded };
    std::string name;
    State state = State::pending;
};
[[nodiscard]] std::string_view to_string(StandbyPod::State state);

struct WorkloadState {
    std::string name;
    std::int64_t desired = 0;
    std::int64_t ready = 0;
    Time desired_since;
    Time ready_since;
    std::optional<control::Decision> cause;   ///< nothing: as the run began
    std::vector<Blocked> blocked;             ///< one an actor, by name
    std::vector<control::Decision> starts;    ///< of the starting pods, see above, in their order
    std::vector<control::Decision> unplaced;  ///< pods for which there is no node
    std::vector<StandbyPod> standby;          ///< in the order in which they came to the pool
    /// Where some start: when as many are ready as are desired now, unless fewer are desired first,
    /// and when those are. Nothing: not in this run.
    std::optional<Time> ready_at;
    std::optional<Time> lowered_at;
    std::vector<TimelineEntry> before;  ///< of the last `around`
    std::vector<TimelineEntry> next;    ///< of the next `around`, or the first there is

    [[nodiscard]] std::int64_t starting() const { return desired > ready ? desired - ready : 0; }
};

struct ServiceState {
    std::string name;
    std::optional<RequestState> requests;  ///< nothing: the run did not keep them
    std::vector<WorkloadState> workloads;
};

struct Explanation {
    std::string scenario;
    std::string digest;
    std::int64_t seed = 0;
    Time at;
    Time end;
    Duration around;
    std::vector<ServiceState> services;
    std::vector<TimelineEntry> cluster_before;
    std::vector<TimelineEntry> cluster_next;
};

[[nodiscard]] Explanation explain(const StoredRun& run, const ExplainOptions& options);

[[nodiscard]] std::string render_explanation(const Explanation& told, const TextStyle& style);
/// The same for programs: times in seconds, services and workloads by name, nulls for what is not.
[[nodiscard]] nlohmann::ordered_json explanation_json(const Explanation& told);

}  // namespace headroom::analysis
