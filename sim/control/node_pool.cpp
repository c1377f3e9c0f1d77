#include "sim/control/node_pool.hpp"

#include <algorithm>
#include <utility>

namespace headroom::control {

Money money_from(Int128 price_per_hour_times_ps) {
    const Int128 hour = Duration::hours(1).ps();
    return Money{static_cast<std::int64_t>((price_per_hour_times_ps + hour / 2) / hour)};
}

cluster::NodeSpec NodePools::node_spec(const NodePoolSpec& pool, std::int64_t i) {
    cluster::NodeSpec spec = pool.node;
    spec.name = (spec.name.empty() ? pool.name : spec.name) + "-" + std::to_string(i);
    spec.pool = pool.name;
    const std::string zone_label(cluster::kZoneLabel);
    if (!pool.zones.empty()) {
        spec.labels[zone_label] = pool.zones[static_cast<std::size_t>(i) % pool.zones.size()];
    } else {
        spec.labels.emplace(zone_label, "zone-a");
    }
    return spec;
}

void NodePools::build(Scheduler& scheduler, ArtifactFetcher& fetcher) {
    for (const NodePoolSpec& pool : state_.spec.pools) {
        NodePoolResult result;
        result.name = pool.name;
        result.nodes = pool.count;
        for (std::int64_t i = 0; i < pool.count; ++i) {
            const NodeId node = state_.cluster.add_node(node_spec(pool, i), state_.now);
            members_.push_back({node, results_.size(), state_.now});
            scheduler.add_node(node);
            fetcher.add_node(node);
        }
        results_.push_back(std::move(result));
    }
    cost_numerators_.assign(results_.size(), 0);
    state_.node_device_milli_time.assign(members_.size(), 0);
}

NodePools::Member& NodePools::member_of(NodeId node) {
    const auto at = std::lower_bound(members_.begin(), members_.end(), node,
                                     [](const Member& m, NodeId id) { return m.node < id; });
    HEADROOM_CHECK(at != members_.end() && at->node == node, "a node of no pool");
    return *at;
}

void NodePools::settle(Member& member) {
    if (member.paid_from == Time::max()) return;
    const cluster::NodeSpec& spec = *state_.cluster.node(member.node).spec;
    const Duration held = state_.measured(member.paid_from, state_.now);
    NodePoolResult& result = results_[member.pool];
    result.node_time += held;
    result.device_time.add(static_cast<std::int64_t>(spec.devices.size()), held);
    cost_numerators_[member.pool] += static_cast<Int128>(spec.price_per_hour.count()) * held.ps();
    member.paid_from = state_.now;
}

bool NodePools::lose(NodeId node) {
    Member& member = member_of(node);
    if (member.paid_from == Time::max()) return false;
    settle(member);
    member.paid_from = Time::max();
    state_.cluster.set_node_state(node, cluster::NodeState::lost, state_.now);
    return true;
}

bool NodePools::restore(NodeId node) {
    Member& member = member_of(node);
    if (member.paid_from != Time::max()) return false;
    member.paid_from = state_.now;
    state_.cluster.set_node_state(node, cluster::NodeState::ready, state_.now);
    state_.announce_room();
    return true;
}

std::vector<NodePoolResult> NodePools::finish() {
    std::vector<Int128> allocated(results_.size(), 0);
    for (Member& member : members_) {
        settle(member);
        allocated[member.pool] += state_.node_device_milli_time[member.node.index];
    }
    for (std::size_t i = 0; i < results_.size(); ++i) {
        results_[i].device_allocated_time.add_ps(allocated[i] / cluster::kWholeDevice.count());
        results_[i].cost = money_from(cost_numerators_[i]);
    }
    return std::move(results_);
}

}  // namespace headroom::control
