/// ControlPlane: pods, nodes, scheduler, metrics, autoscalers and faults of one simulation, behind
/// four calls. Its parts are files of their own; this one puts them together and hands out events.
///
///     ControlPlane control(spec, data_plane, seed, measure_from, all_decisions);
///     control.start();                              // time 0: nodes, the first pods
///     while (control.next_event_time() <= t) control.run_next(control.next_event_time());
///     control.notify(notification);                 // at its time; may make an event of that time
///     ControlResults results = control.finish(end);
///
/// Events of one instant run in (class, entity, ordinal) order (control_event.hpp), also those that
/// come to it meanwhile. A notification never acts inside the call: it becomes an event of its
/// time, so the data plane may send one from inside drain_instance; it is to be handed over before
/// the next event runs, for that may look at an instance which is gone. Everything is a function of
/// the spec, the seed and the data plane's answers. Cost: O(log events) a step, plus what the parts
/// state. Memory: O(nodes + pods + decisions kept), and a name for every endpoint there ever was.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/control/control_results.hpp"
#include "sim/control/control_spec.hpp"
#include "sim/core/time.hpp"
#include "sim/metrics/digest.hpp"
#include "sim/serving/data_plane.hpp"

namespace headroom::control {

struct ControlState;

class ControlPlane {
  public:
    /// Copies the spec. The data plane must outlive it.
    ControlPlane(const ControlSpec& spec, serving::DataPlane& data_plane, std::uint64_t seed,
                 Time measure_from, bool record_all_decisions);
    ~ControlPlane();
    ControlPlane(const ControlPlane&) = delete;
    ControlPlane& operator=(const ControlPlane&) = delete;

    /// Builds nodes and initial pods at time 0. Once, before anything else. Once `stop` is set, it
    /// stops looking for nodes for the first pods; the caller must then end the run.
    void start(const std::atomic<bool>* stop = nullptr);
    /// Time::max() when there is none.
    [[nodiscard]] Time next_event_time() const;
    /// Runs the next event, which is due now.
    void run_next(Time now);
    void notify(const serving::Notification& notification);
    /// Closes all books at `end`. Once, last.
    [[nodiscard]] ControlResults finish(Time end);
    /// Of the decisions so far.
    [[nodiscard]] metrics::Digest digest() const;

    /// For tests and tools that look inside.
    [[nodiscard]] const ControlState& state() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Workloads whose pod no node of any pool could ever hold, each as "<name>: <why>": their pods
/// would wait for ever, so the scenario is wrong. A pod that only has to wait is not one.
[[nodiscard]] std::vector<std::string> unschedulable_workloads(const ControlSpec& spec);
/// The names of the labels that some node has, sorted.
[[nodiscard]] std::vector<std::string> node_label_names(const ControlSpec& spec);

}  // namespace headroom::control
