/// How a launch is timed: as calls in a captured CUDA graph, as a serving engine replays its
/// iteration, so that the host's time for a launch does not count.
///
///     const Timing timing = time_case(context, *prepared);    // 3 warm-ups, graph, 15 replays
///     timing.median_s                                         // seconds a launch
///
/// A graph holds enough launches for 2 ms, over the case's copies in turn, and at least one on each
/// copy where that takes less than 20 ms; events on the stream time each replay. What remains
/// between two launches of a graph (about a microsecond) is part of the time, as it is in an
/// engine. Seconds throughout. DeviceError: a call failed; the stream is then not left capturing.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

struct Timing {
    double median_s = 0;  ///< of the replays, each divided by its launches
    double p10_s = 0;
    double p90_s = 0;
    int replays = 0;
};

/// `calls` launches, captured once: launch(0), launch(1), ... launch(calls - 1).
class LaunchGraph {
  public:
    LaunchGraph(const Context& context, int calls, const std::function<void(int)>& launch);
    ~LaunchGraph();
    LaunchGraph(const LaunchGraph&) = delete;
    LaunchGraph& operator=(const LaunchGraph&) = delete;

    void replay() const;  ///< asynchronous
    [[nodiscard]] int calls() const { return calls_; }

  private:
    cudaStream_t stream_;
    int calls_;
    cudaGraphExec_t executable_ = nullptr;
};

/// An event that times, destroyed with the object.
class Event {
  public:
    Event();
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    void record(cudaStream_t stream) const;
    void wait() const;
    [[nodiscard]] double seconds_since(const Event& before) const;  ///< both have been waited for

  private:
    cudaEvent_t event_ = nullptr;
};

/// Seconds a launch, of each replay, after one replay that is not counted. All replays are queued
/// before the first is waited for.
[[nodiscard]] std::vector<double> time_replays(const Context& context, const LaunchGraph& graph,
                                               int replays);
[[nodiscard]] Timing time_case(const Context& context, Case& prepared);
/// The graph that time_case() times; the case is warm afterwards.
[[nodiscard]] std::unique_ptr<LaunchGraph> graph_of(const Context& context, Case& prepared,
                                                    double seconds);

}  // namespace headroom::kernels
