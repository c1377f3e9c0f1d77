#include "sim/control/deletion_order.hpp"

#include <bit>
#include <map>
#include <numeric>
#include <tuple>

namespace headroom::control {

namespace {

/// floor(log2) of an age in nanoseconds; -1 for none.
std::int64_t age_class(Duration age) {
    const std::int64_t ns = age / Duration::nanoseconds(1);
    return ns > 0 ? std::bit_width(static_cast<std::uint64_t>(ns)) - 1 : -1;
}

/// Of two pods whose times differ: whether `a` goes first by them, or by uid in one class of them.
bool younger_first(const std::optional<Time>& since_a, const std::optional<Time>& since_b,
                   const DeletionCandidate& a, const DeletionCandidate& b, Time now,
                   const DeletionRules& rules) {
    if (!since_a || !since_b) return !since_a;
    if (!rules.logarithmic_ages) return *since_a > *since_b;
    const std::int64_t class_a = age_class(now - *since_a);
    const std::int64_t class_b = age_class(now - *since_b);
    return class_a != class_b ? class_a < class_b : a.uid < b.uid;
}

}  // namespace

bool deleted_before(const DeletionCandidate& a, const DeletionCandidate& b, Time now,
                    const DeletionRules& rules) {
    const auto state = [&](const DeletionCandidate& c) {
        const bool assigned = c.node != DeletionCandidate::kNoNode;
        return std::tuple(assigned, c.phase, c.ready, rules.deletion_cost ? c.deletion_cost : 0,
                          -c.rank);
    };
    if (state(a) != state(b)) return state(a) < state(b);
    if (a.ready && a.ready_since != b.ready_since) {
        return younger_first(a.ready_since, b.ready_since, a, b, now, rules);
    }
    if (a.restarts != b.restarts) return a.restarts > b.restarts;
    if (a.created != b.created) return younger_first(a.created, b.created, a, b, now, rules);
    return false;
}

std::vector<std::size_t> deletion_order(std::span<DeletionCandidate> candidates,
                                        std::span<const std::int64_t> related_nodes, Time now,
                                        const DeletionRules& rules) {
    std::map<std::int64_t, std::int64_t> on_node;
    for (const std::int64_t node : related_nodes) ++on_node[node];
    for (DeletionCandidate& candidate : candidates) {
        const auto found = on_node.find(candidate.node);
        candidate.rank = found == on_node.end() ? 0 : found->second;
    }
    std::vector<std::size_t> order(candidates.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return deleted_before(candidates[i], candidates[j], now, rules);
    });
    return order;
}

std::vector<std::size_t> pods_to_delete(std::span<DeletionCandidate> candidates,
                                        std::span<const std::int64_t> related_nodes,
                                        std::size_t count, Time now, const DeletionRules& rules) {
    std::vector<std::size_t> order(candidates.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (count >= order.size()) return order;
    order = deletion_order(candidates, related_nodes, now, rules);
    order.resize(count);
    return order;
}

}  // namespace headroom::control
