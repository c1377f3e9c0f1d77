/// NodePools: the nodes of fixed pools, from time 0 on, what they cost and how much they were used.
///
/// Node i of a pool is called "<name>-<i>" and lies in zone i modulo the pool's zones. A node is
/// paid for while it is not lost. Cost is exact: micro-units an hour times picoseconds, summed in
/// 128 bits and rounded half up to a micro-unit once, at the end.
///
/// A lost node takes no pods until it is restored; it comes back with what its disk held. O(1) a
/// change, O(nodes) at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/control/artifact_fetcher.hpp"
#include "sim/control/control_state.hpp"
#include "sim/control/scheduler.hpp"

namespace headroom::control {

class NodePools {
  public:
    explicit NodePools(ControlState& state) : state_(state) {}

    /// Builds the nodes of all pools, in the order of the spec.
    void build(Scheduler& scheduler, ArtifactFetcher& fetcher);
    /// Changes the node's state; false when it was lost (or was there) already.
    bool lose(NodeId node);
    bool restore(NodeId node);
    /// Closes the books at state.now.
    [[nodiscard]] std::vector<NodePoolResult> finish();

    /// The spec of node i of a pool.
    [[nodiscard]] static cluster::NodeSpec node_spec(const NodePoolSpec& pool, std::int64_t i);

  private:
    struct Member {
        NodeId node;
        std::size_t pool = 0;
        Time paid_from;  ///< Time::max(): lost
    };
    void settle(Member& member);
    [[nodiscard]] Member& member_of(NodeId node);

    ControlState& state_;
    std::vector<Member> members_;  ///< in node id order
    std::vector<NodePoolResult> results_;
    std::vector<Int128> cost_numerators_;  ///< by pool: micro-units an hour, times ps
};

/// Micro-units from (micro-units an hour) * ps, to the nearest, halves up.
[[nodiscard]] Money money_from(Int128 price_per_hour_times_ps);

}  // namespace headroom::control
