/// The rules of a Deployment: how many pods each of its replica sets shall have while a new
/// template rolls out, and while the number of replicas changes in the midst of that. Pure
/// functions over plain data; WorkloadController carries them out.
///
/// Terms are Kubernetes': `surge` is how many pods there may be above the wanted number,
/// `unavailable` how many of it may be missing; of percentages the first is rounded up, the second
/// down, and when both come to 0 one pod may be missing. A pod counts as available when it has been
/// ready for min_ready_seconds. A replica set remembers ("annotates") for which number of replicas,
/// and at most how many pods, it was last sized; a difference to the present number is a scaling
/// event, and scaling goes before rolling.
///
/// Everything is O(replica sets log replica sets). Nothing fails on numbers that validation would
/// have refused; the answers are then those that upstream gives. Source: kubernetes v1.28
/// pkg/controller/deployment/{rolling,sync,recreate,progress}.go and util/deployment_util.go,
/// apimachinery pkg/util/intstr/intstr.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace headroom::control {

/// A number of pods, or a percentage of the wanted ones.
struct IntOrPercent {
    std::int64_t value = 0;
    bool percent = false;

    bool operator==(const IntOrPercent&) const = default;
};

/// "25%"; nullopt for anything else, a number without the sign among it.
[[nodiscard]] std::optional<IntOrPercent> parse_percent(std::string_view text);

enum class RolloutType : std::uint8_t { rolling_update, recreate };

struct DeploymentStrategy {
    RolloutType type = RolloutType::rolling_update;
    IntOrPercent max_surge{25, true};
    IntOrPercent max_unavailable{25, true};
};

struct DeploymentSpec {
    std::int64_t replicas = 0;  ///< wanted
    DeploymentStrategy strategy;
};

/// What is observed of a deployment; pods being deleted do not count.
struct DeploymentStatus {
    std::int64_t replicas = 0;  ///< pods that exist
    std::int64_t updated = 0;   ///< of the newest template
    std::int64_t ready = 0;
    std::int64_t available = 0;
};

struct ReplicaSetState {
    std::int64_t created = 0;    ///< only its order counts; of equal ones the order given
    std::int64_t replicas = 0;   ///< that it shall have
    std::int64_t available = 0;  ///< that it has
    /// What it was last sized for; nullopt: never.
    std::optional<std::int64_t> desired_annotation{};
    std::optional<std::int64_t> max_annotation{};
};
using ReplicaSetList = std::vector<ReplicaSetState*>;

struct Fenceposts {
    std::int64_t surge = 0;
    std::int64_t unavailable = 0;
};
[[nodiscard]] Fenceposts resolve_fenceposts(const DeploymentStrategy& strategy,
                                            std::int64_t replicas);
/// 0, all three, for Recreate.
[[nodiscard]] std::int64_t max_surge(const DeploymentSpec& deployment);
[[nodiscard]] std::int64_t max_unavailable(const DeploymentSpec& deployment);
[[nodiscard]] std::int64_t min_available(const DeploymentSpec& deployment);

/// How many pods the new set, which has `replicas`, may have when all sets together have `total`.
[[nodiscard]] std::int64_t new_replica_set_replicas(const DeploymentSpec& deployment,
                                                    std::int64_t replicas, std::int64_t total);
/// Every wanted pod is new and available, and no other exists.
[[nodiscard]] bool deployment_complete(const DeploymentStatus& status, std::int64_t replicas);
/// More new pods, fewer old ones, or more ready or available ones.
[[nodiscard]] bool deployment_progressed(const DeploymentStatus& before,
                                         const DeploymentStatus& after);

/// Gives a set its number, and notes what for.
void size_replica_set(const DeploymentSpec& deployment, ReplicaSetState& set,
                      std::int64_t replicas);

/// Grows the new set as far as the surge allows, or shrinks it to what is wanted. `total`: the
/// replicas of all sets. Whether its number changed.
bool reconcile_new_replica_set(const DeploymentSpec& deployment, ReplicaSetState& new_set,
                               std::int64_t total);
/// Shrinks old sets: first by pods that are not available, then by as many available ones as are
/// not needed. Whether a number changed.
bool reconcile_old_replica_sets(const DeploymentSpec& deployment, const ReplicaSetState& new_set,
                                const ReplicaSetList& old_sets);
/// Of the old sets, the first created first, takes unavailable pods away, `limit` at most. How
/// many; nullopt when a set has more available pods than it shall have, which ends it.
std::optional<std::int64_t> clean_up_unhealthy_replicas(const DeploymentSpec& deployment,
                                                        const ReplicaSetList& old_sets,
                                                        std::int64_t limit);
/// Takes pods of the old sets away, the first created first, as long as `available`, which counts
/// all sets, is above the minimum. How many.
std::int64_t scale_down_old_replica_sets(const DeploymentSpec& deployment,
                                         const ReplicaSetList& old_sets, std::int64_t available);
/// One round of a rolling update: up if anything goes up, else down. Whether a number changed.
bool roll(const DeploymentSpec& deployment, ReplicaSetState& new_set,
          const ReplicaSetList& old_sets);

/// Whether a set that has pods was sized for another number of replicas than the present one.
[[nodiscard]] bool is_scaling_event(const DeploymentSpec& deployment, const ReplicaSetList& sets);
/// Brings the sets to another number of replicas: the only one that has pods (the newest where none
/// has) gets them all; a complete new set leaves the old ones nothing; in the midst of a rolling
/// update every set grows or shrinks in proportion, the bigger ones first, of equal ones the newer
/// when growing and the older when shrinking, and the first takes what rounding left over.
/// `new_set` may be null; `existing`: pods that exist, for sets that were never sized. Whether a
/// number or a note changed.
bool scale(const DeploymentSpec& deployment, ReplicaSetState* new_set,
           const ReplicaSetList& old_sets, std::int64_t existing);

}  // namespace headroom::control
