/// Timeline: what happened to each workload of a stored run, and to the cluster behind them, as
/// entries in the order of time: what autoscalers changed or wished for in vain, pods that got a
/// node, found none, were deleted, stand by in a warm pool or were promoted from it, faults, and
/// the ready replicas that came of it all.
///
///     const RunTimeline all = build_timeline(run);
///     all.workloads[0]           // entries of run.workloads[0]
///
/// Decisions at one instant that differ only in their pod are one entry. Left out are ticks that
/// changed nothing, and what is_repeat() of the one before it: a run with `--decisions all` reads
/// like one without. At one instant the order is that of Kind, then that of the decisions.
/// O((decisions + points) log of both).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/results/read_results.hpp"

namespace headroom::analysis {

struct TimelineEntry {
    enum class Kind : std::uint8_t {
        fault,          ///< of the scenario, on a pod or a node
        desired,        ///< the desired number of replicas changed
        blocked,        ///< an autoscaler wanted `wanted` and got `after`, which there was
        pods_deleted,   ///< `pods`, of the workload or of its warm pool
        pods_promoted,  ///< `pods` of the warm pool became active ones
        pods_standby,   ///< `pods` came to the warm pool
        pods_unplaced,  ///< no node has room for `pods`
        pods_bound,     ///< `pods` got the nodes in `places`
        pods_loaded,    ///< `pods` of the warm pool could be promoted from here on
        restarted,      ///< the container of a pod starts again
        rollout,        ///< of a new revision: `after` of `wanted` pods have it
        other,          ///< anything else that changed or was blocked
        ready,          ///< the number of ready replicas changed
    };
    Time time;
    Kind kind = Kind::other;
    std::string actor{};    ///< empty where nobody said so
    std::string subject{};  ///< of faults and others
    std::int64_t before = 0;
    std::int64_t wanted = 0;
    std::int64_t after = 0;
    std::vector<std::string> pods{};
    std::vector<std::string> places{};  ///< of pods_bound, one a pod, in the scheduler's words
    std::string reason{};
    std::string inputs{};
};

[[nodiscard]] std::string_view to_string(TimelineEntry::Kind kind);
/// Whether it was the warm pool of a workload that decided.
[[nodiscard]] bool is_of_warm_pool(const std::string& actor);

struct RunTimeline {
    std::vector<std::vector<TimelineEntry>> workloads;  ///< by index of StoredRun::workloads
    std::vector<TimelineEntry> cluster;
};

[[nodiscard]] RunTimeline build_timeline(const StoredRun& run);

/// Which workload a decision is told under: the one it is about, or whose pod
/// ("<workload>-<number>") it is about; else the cluster.
class DecisionTargets {
  public:
    static constexpr std::size_t kCluster = ~std::size_t{0};
    struct Target {
        std::size_t workload = kCluster;  ///< index of StoredRun::workloads
        bool is_pod = false;
    };

    explicit DecisionTargets(const std::vector<StoredWorkload>& workloads);
    [[nodiscard]] Target of(const control::Decision& decision) const;

  private:
    [[nodiscard]] Target workload_of_pod(const std::string& subject) const;

    std::map<std::string, std::size_t, std::less<>> by_name_;
};

[[nodiscard]] TimelineEntry::Kind kind_of(const control::Decision& decision,
                                          const DecisionTargets::Target& target);

/// Blocked like `earlier`, which its actor decided last about the same: the same number, the same
/// direction, a reason that differs in figures only.
[[nodiscard]] bool is_repeat(const control::Decision& earlier, const control::Decision& later);

}  // namespace headroom::analysis
