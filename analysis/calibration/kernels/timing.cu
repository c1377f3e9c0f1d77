#include "analysis/calibration/kernels/timing.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "analysis/calibration/kernels/quantile.hpp"

namespace headroom::kernels {

namespace {

constexpr int kWarmUps = 3;
constexpr int kReplays = 15;
constexpr double kGraphS = 2e-3;
constexpr int kMostCalls = 2000;
constexpr double kMostForCopies = 10;  // times kGraphS, to reach every copy

/// Seconds a launch takes when the host launches it: an upper bound of what it takes in a graph.
double launch_seconds(const Context& context, Case& prepared) {
    const Event begin;
    const Event end;
    constexpr int kLaunches = 2;
    begin.record(context.stream);
    for (int i = 0; i < kLaunches; ++i) prepared.launch(i % prepared.copies());
    end.record(context.stream);
    end.wait();
    return std::max(end.seconds_since(begin) / kLaunches, 1e-7);  // what an event can tell
}

int calls_for(double seconds, double launch_s, int copies) {
    const double wanted = std::ceil(seconds / launch_s);
    const double for_copies =
        std::min<double>(copies, std::ceil(kMostForCopies * seconds / launch_s));
    return static_cast<int>(std::clamp<double>(std::max(wanted, for_copies), 1, kMostCalls));
}

}  // namespace

LaunchGraph::LaunchGraph(const Context& context, int calls, const std::function<void(int)>& launch)
    : stream_(context.stream), calls_(calls) {
    // Thread-local: what other threads do (NVML, a library's own) does not end the capture.
    HEADROOM_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    cudaGraph_t graph = nullptr;
    try {
        for (int i = 0; i < calls; ++i) launch(i);
    } catch (...) {
        static_cast<void>(cudaStreamEndCapture(stream_, &graph));
        if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
        static_cast<void>(cudaGetLastError());
        throw;
    }
    HEADROOM_CUDA(cudaStreamEndCapture(stream_, &graph));
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    require(status, "cudaGraphInstantiate");
}

LaunchGraph::~LaunchGraph() {
    if (executable_ != nullptr) static_cast<void>(cudaGraphExecDestroy(executable_));
}

void LaunchGraph::replay() const {
    HEADROOM_CUDA(cudaGraphLaunch(executable_, stream_));
}

Event::Event() {
    HEADROOM_CUDA(cudaEventCreate(&event_));
}

Event::~Event() {
    static_cast<void>(cudaEventDestroy(event_));
}

void Event::record(cudaStream_t stream) const {
    HEADROOM_CUDA(cudaEventRecord(event_, stream));
}

void Event::wait() const {
    HEADROOM_CUDA(cudaEventSynchronize(event_));
}

double Event::seconds_since(const Event& before) const {
    float milliseconds = 0;
    HEADROOM_CUDA(cudaEventElapsedTime(&milliseconds, before.event_, event_));
    return static_cast<double>(milliseconds) * 1e-3;
}

std::vector<double> time_replays(const Context& context, const LaunchGraph& graph, int replays) {
    std::vector<Event> marks(static_cast<std::size_t>(replays) + 1);
    graph.replay();
    marks.front().record(context.stream);
    for (int i = 0; i < replays; ++i) {
        graph.replay();
        marks[static_cast<std::size_t>(i) + 1].record(context.stream);
    }
    marks.back().wait();
    std::vector<double> seconds;
    for (std::size_t i = 1; i < marks.size(); ++i) {
        seconds.push_back(marks[i].seconds_since(marks[i - 1]) / graph.calls());
    }
    return seconds;
}

std::unique_ptr<LaunchGraph> graph_of(const Context& context, Case& prepared, double seconds) {
    const int copies = prepared.copies();
    for (int i = 0; i < kWarmUps; ++i) prepared.launch(i % copies);
    const auto capture = [&](double launch_s) {
        return std::make_unique<LaunchGraph>(context, calls_for(seconds, launch_s, copies),
                                             [&](int i) { prepared.launch(i % copies); });
    };
    std::unique_ptr<LaunchGraph> graph = capture(launch_seconds(context, prepared));
    // A short launch takes longer from the host than in a graph: then once more, with its own time.
    const double in_graph_s = quantile(time_replays(context, *graph, 1), 0.5);
    if (in_graph_s * graph->calls() < 0.75 * seconds && graph->calls() < kMostCalls) {
        graph = capture(in_graph_s);
    }
    return graph;
}

Timing time_case(const Context& context, Case& prepared) {
    const std::unique_ptr<LaunchGraph> graph = graph_of(context, prepared, kGraphS);
    const std::vector<double> seconds = time_replays(context, *graph, kReplays);
    return {.median_s = quantile(seconds, 0.5),
            .p10_s = quantile(seconds, 0.1),
            .p90_s = quantile(seconds, 0.9),
            .replays = kReplays};
}

}  // namespace headroom::kernels
