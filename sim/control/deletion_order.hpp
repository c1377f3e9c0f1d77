/// Which pods a ReplicaSet controller deletes first, and how it starts creating.
///
/// Deleted first: without a node; pending, then unknown, then running; not ready; of lower deletion
/// cost; on a node with more pods of its kind; ready for a shorter time; more often restarted;
/// younger. A time that is not known goes before every one that is. The two ages are compared by
/// floor(log2(nanoseconds)), and pods of one class by uid; with plain ages the later time goes
/// first. "Of its kind" are the active pods of all replica sets of the same Deployment.
///
/// deleted_before is upstream's comparison: two pods may be equal in it, and by its classes three
/// may form a circle. deletion_order therefore merges (no comparison, however odd, leads it astray)
/// and leaves equal pods in the order given, as upstream's insertion sort of a few pods does. O(1);
/// O(pods log pods).
///
/// Creation goes in batches of 1, 2, 4, ... and ends with the first batch in which a call fails, so
/// that a template nobody can create costs few calls. Source: kubernetes v1.28
/// pkg/controller/controller_utils.go (ActivePodsWithRanks), pkg/controller/replicaset/
/// replica_set.go (getPodsToDelete, getPodsRankedByRelatedPodsOnSameNode, slowStartBatch).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::control {

enum class DeletionPhase : std::uint8_t { pending, unknown, running };

struct DeletionCandidate {
    static constexpr std::int64_t kNoNode = -1;

    std::int64_t node = kNoNode;  ///< any number that tells nodes apart
    DeletionPhase phase = DeletionPhase::pending;
    bool ready = false;
    std::int64_t deletion_cost = 0;
    std::int64_t rank = 0;  ///< pods of its kind on its node; set by deletion_order
    std::optional<Time> ready_since{};
    std::int64_t restarts = 0;  ///< of its most restarted container
    std::optional<Time> created{};
    std::uint64_t uid = 0;
};

/// Feature gates; all are on by default since 1.22.
struct DeletionRules {
    bool deletion_cost = true;
    bool logarithmic_ages = true;
};

[[nodiscard]] bool deleted_before(const DeletionCandidate& a, const DeletionCandidate& b, Time now,
                                  const DeletionRules& rules = {});

/// All candidates as positions, the first to be deleted first. `related_nodes`: the node of each
/// active pod of their kind, the candidates' among them. Sets the candidates' ranks.
[[nodiscard]] std::vector<std::size_t> deletion_order(std::span<DeletionCandidate> candidates,
                                                      std::span<const std::int64_t> related_nodes,
                                                      Time now, const DeletionRules& rules = {});
/// The first `count` of them. When all are to go, upstream asks for no order: they go as given.
[[nodiscard]] std::vector<std::size_t> pods_to_delete(std::span<DeletionCandidate> candidates,
                                                      std::span<const std::int64_t> related_nodes,
                                                      std::size_t count, Time now,
                                                      const DeletionRules& rules = {});

inline constexpr std::int64_t kSlowStartFirstBatch = 1;

struct SlowStartResult {
    std::int64_t calls = 0;
    std::int64_t successes = 0;
};

/// Calls create(i) for i = 0, 1, ..., which says whether it succeeded.
template <class Create>
SlowStartResult slow_start_batch(std::int64_t count, std::int64_t first_batch, Create&& create) {
    SlowStartResult result;
    std::int64_t batch = std::min(count, first_batch);
    while (batch > 0) {
        // The calls of a batch are made at once: all of them, whatever becomes of one.
        for (std::int64_t i = 0; i < batch; ++i) {
            if (create(result.calls++)) ++result.successes;
        }
        if (result.successes < result.calls) break;
        batch = std::min(2 * batch, count - result.calls);
    }
    return result;
}

}  // namespace headroom::control
