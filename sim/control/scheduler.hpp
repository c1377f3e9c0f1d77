/// Scheduler: gives pending pods a node and devices, one pod a cycle, as kube-scheduler does.
///
/// A cycle: filter nodes from where the last scan stopped, until enough feasible ones are found;
/// score them with every plugin of the profile, normalise to 0..100, add up with weights; take the
/// best, ties by reservoir sampling; choose devices; bind. A cycle takes no simulated time.
/// Which pod comes next is SchedulingQueue's affair. There is no preemption.
///
/// Nodes scored at most, of n: all below 100; else (50 - n/125) per cent, at least 5 per cent, and
/// at least 100 nodes. Source: kubernetes v1.28 pkg/scheduler/schedule_one.go
/// (numFeasibleNodesToFind, findNodesThatPassFilters, selectHost).
///
/// Random draws: stream "scheduler", indexed by cycle. A bind is recorded as a decision about the
/// pod (before -1, after = index of the node); a failure once, until its reasons change.
/// A cycle is O(nodes scanned * filters + feasible * scores) and what plugins prepare: of the
/// registered ones pod-topology-spread looks at all pods of the workload, and at all nodes where
/// the pod states a DoNotSchedule constraint.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "sim/control/scheduling_queue.hpp"
#include "sim/core/random.hpp"

namespace headroom::control {

class Scheduler {
  public:
    explicit Scheduler(ControlState& state);

    /// Nodes in the order of the scan; called whenever nodes were added.
    void add_node(NodeId node) { nodes_.push_back(node); }

    SchedulingQueue& queue() { return queue_; }

    /// One cycle: tries the first active pod. A pod that was bound gets its pod_step event now.
    void run_cycle();

    /// How many feasible nodes a cycle looks for (see above). `percentage` 0: adaptive.
    [[nodiscard]] static std::size_t feasible_nodes_to_find(std::size_t nodes,
                                                            std::int64_t percentage);

  private:
    struct NamedFilter {
        std::string name;
        std::unique_ptr<FilterPlugin> plugin;
        bool active = true;  ///< takes part for this pod
    };
    struct WeightedScore {
        std::unique_ptr<ScorePlugin> plugin;
        std::int64_t weight = 1;
    };
    struct Failure {
        std::string reason;
        std::int64_t nodes = 0;
    };

    void find_feasible(const SchedulingContext& context);
    void count_failure(std::string_view reason);
    [[nodiscard]] NodeId pick(const SchedulingContext& context);
    void bind(PodId pod, NodeId node);
    void record_bind(PodId pod, NodeId node);
    void record_failure(PodId pod);

    ControlState& state_;
    SchedulingQueue queue_;
    RandomStream random_;
    std::vector<NamedFilter> filters_;
    std::vector<WeightedScore> scores_;
    std::unique_ptr<DeviceChooser> chooser_;
    std::int64_t percentage_ = 0;

    std::vector<NodeId> nodes_;
    std::size_t scan_start_ = 0;
    std::uint64_t cycle_ = 0;

    // Of the present cycle; kept for their memory.
    std::vector<NodeId> feasible_;
    std::vector<std::int64_t> totals_;
    std::vector<std::int64_t> plugin_scores_;
    std::vector<Failure> failures_;
};

}  // namespace headroom::control
