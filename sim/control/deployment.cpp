#include "sim/control/deployment.hpp"

#include <algorithm>
#include <charconv>

namespace headroom::control {

namespace {

/// A percentage of `total`, rounded up or down, towards greater or lesser numbers.
std::int64_t scaled(const IntOrPercent& value, std::int64_t total, bool up) {
    if (!value.percent) return value.value;
    const std::int64_t product = value.value * total;
    const std::int64_t whole = product / 100;
    const std::int64_t rest = product % 100;
    if (up) return whole + (rest > 0 ? 1 : 0);
    return whole - (rest < 0 ? 1 : 0);
}

std::int64_t total_replicas(const ReplicaSetList& sets) {
    std::int64_t total = 0;
    for (const ReplicaSetState* set : sets) total += set->replicas;
    return total;
}

std::int64_t total_available(const ReplicaSetList& sets) {
    std::int64_t total = 0;
    for (const ReplicaSetState* set : sets) total += set->available;
    return total;
}

ReplicaSetList by_creation(ReplicaSetList sets) {
    std::stable_sort(sets.begin(), sets.end(),
                     [](const auto* a, const auto* b) { return a->created < b->created; });
    return sets;
}

/// Those that shall have pods, the first created first.
ReplicaSetList active_sets(ReplicaSetState* new_set, const ReplicaSetList& old_sets) {
    ReplicaSetList sets = old_sets;
    if (new_set != nullptr) sets.push_back(new_set);
    sets = by_creation(std::move(sets));
    sets.erase(std::remove_if(sets.begin(), sets.end(),
                              [](const auto* set) { return set->replicas <= 0; }),
               sets.end());
    return sets;
}

/// As size_replica_set; whether the number or a note changed.
bool size_changed(const DeploymentSpec& deployment, ReplicaSetState& set, std::int64_t replicas) {
    const ReplicaSetState before = set;
    size_replica_set(deployment, set, replicas);
    return before.replicas != set.replicas || before.desired_annotation != set.desired_annotation ||
           before.max_annotation != set.max_annotation;
}

/// The one set that scaling is about: the only active one, or the newest where none is.
ReplicaSetState* active_or_latest(ReplicaSetState* new_set, const ReplicaSetList& old_sets) {
    const ReplicaSetList active = active_sets(new_set, old_sets);
    if (active.size() > 1) return nullptr;
    if (active.size() == 1) return active.front();
    if (new_set != nullptr) return new_set;
    return old_sets.empty() ? nullptr : by_creation(old_sets).back();
}

bool is_saturated(const DeploymentSpec& deployment, const ReplicaSetState* set) {
    return set != nullptr && set->replicas == deployment.replicas &&
           set->desired_annotation == deployment.replicas && set->available == deployment.replicas;
}

/// What a set gains or loses by its share of the whole, rounded half away from zero.
std::int64_t fraction_of(const DeploymentSpec& deployment, const ReplicaSetState& set,
                         std::int64_t existing) {
    if (deployment.replicas == 0) return -set.replicas;
    const std::int64_t sized_for = set.max_annotation.value_or(existing);
    if (sized_for <= 0) return 0;
    const std::int64_t most = deployment.replicas + max_surge(deployment);
    return (2 * set.replicas * most + sized_for) / (2 * sized_for) - set.replicas;
}

bool scale_proportionally(const DeploymentSpec& deployment, ReplicaSetList sets,
                          std::int64_t existing) {
    const std::int64_t allowed =
        deployment.replicas > 0 ? deployment.replicas + max_surge(deployment) : 0;
    const std::int64_t to_add = allowed - total_replicas(sets);
    if (to_add > 0) std::reverse(sets.begin(), sets.end());  // of equal sizes the newer first
    std::stable_sort(sets.begin(), sets.end(),
                     [](const auto* a, const auto* b) { return a->replicas > b->replicas; });
    std::vector<std::int64_t> sizes;
    std::int64_t added = 0;
    for (const ReplicaSetState* set : sets) {
        const std::int64_t left = to_add - added;
        const std::int64_t fraction = left == 0 ? 0 : fraction_of(deployment, *set, existing);
        const std::int64_t share = to_add > 0 ? std::min(fraction, left) : std::max(fraction, left);
        sizes.push_back(set->replicas + share);
        added += share;
    }
    if (to_add != 0 && !sets.empty())
        sizes[0] = std::max<std::int64_t>(0, sizes[0] + to_add - added);
    bool changed = false;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        changed = size_changed(deployment, *sets[i], sizes[i]) || changed;
    }
    return changed;
}

}  // namespace

std::optional<IntOrPercent> parse_percent(std::string_view text) {
    if (text.empty() || text.back() != '%') return std::nullopt;
    text.remove_suffix(1);
    if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
    IntOrPercent parsed{0, true};
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, parsed.value);
    if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return parsed;
}

Fenceposts resolve_fenceposts(const DeploymentStrategy& strategy, std::int64_t replicas) {
    Fenceposts posts{scaled(strategy.max_surge, replicas, true),
                     scaled(strategy.max_unavailable, replicas, false)};
    // Without either nothing could ever move.
    if (posts.surge == 0 && posts.unavailable == 0) posts.unavailable = 1;
    return posts;
}

std::int64_t max_surge(const DeploymentSpec& deployment) {
    if (deployment.strategy.type != RolloutType::rolling_update) return 0;
    return resolve_fenceposts(deployment.strategy, deployment.replicas).surge;
}

std::int64_t max_unavailable(const DeploymentSpec& deployment) {
    if (deployment.strategy.type != RolloutType::rolling_update || deployment.replicas == 0) {
        return 0;
    }
    return std::min(resolve_fenceposts(deployment.strategy, deployment.replicas).unavailable,
                    deployment.replicas);
}

std::int64_t min_available(const DeploymentSpec& deployment) {
    if (deployment.strategy.type != RolloutType::rolling_update) return 0;
    return deployment.replicas - max_unavailable(deployment);
}

std::int64_t new_replica_set_replicas(const DeploymentSpec& deployment, std::int64_t replicas,
                                      std::int64_t total) {
    if (deployment.strategy.type == RolloutType::recreate) return deployment.replicas;
    const std::int64_t room = deployment.replicas + max_surge(deployment) - total;
    if (room <= 0) return replicas;
    return replicas + std::min(room, deployment.replicas - replicas);
}

bool deployment_complete(const DeploymentStatus& status, std::int64_t replicas) {
    return status.updated == replicas && status.replicas == replicas &&
           status.available == replicas;
}

bool deployment_progressed(const DeploymentStatus& before, const DeploymentStatus& after) {
    return after.updated > before.updated ||
           after.replicas - after.updated < before.replicas - before.updated ||
           after.ready > before.ready || after.available > before.available;
}

void size_replica_set(const DeploymentSpec& deployment, ReplicaSetState& set,
                      std::int64_t replicas) {
    set.replicas = replicas;
    set.desired_annotation = deployment.replicas;
    set.max_annotation = deployment.replicas + max_surge(deployment);
}

bool reconcile_new_replica_set(const DeploymentSpec& deployment, ReplicaSetState& new_set,
                               std::int64_t total) {
    const std::int64_t before = new_set.replicas;
    if (before == deployment.replicas) return false;
    const std::int64_t after = before > deployment.replicas
                                   ? deployment.replicas
                                   : new_replica_set_replicas(deployment, before, total);
    if (after == before) return false;
    size_replica_set(deployment, new_set, after);
    return true;
}

bool reconcile_old_replica_sets(const DeploymentSpec& deployment, const ReplicaSetState& new_set,
                                const ReplicaSetList& old_sets) {
    const std::int64_t old_replicas = total_replicas(old_sets);
    if (old_replicas == 0) return false;
    // New pods that are not available yet are not to be made up for by old ones: they would let the
    // old sets shrink further, and fewer would be available.
    const std::int64_t limit = old_replicas + new_set.replicas -
                               (deployment.replicas - max_unavailable(deployment)) -
                               (new_set.replicas - new_set.available);
    if (limit <= 0) return false;
    const auto cleaned = clean_up_unhealthy_replicas(deployment, old_sets, limit);
    if (!cleaned) return false;
    const std::int64_t available = total_available(old_sets) + new_set.available;
    return *cleaned + scale_down_old_replica_sets(deployment, old_sets, available) > 0;
}

std::optional<std::int64_t> clean_up_unhealthy_replicas(const DeploymentSpec& deployment,
                                                        const ReplicaSetList& old_sets,
                                                        std::int64_t limit) {
    std::int64_t cleaned = 0;
    for (ReplicaSetState* set : by_creation(old_sets)) {
        if (cleaned >= limit) break;
        if (set->replicas == 0 || set->replicas == set->available) continue;
        if (set->available > set->replicas) return std::nullopt;
        const std::int64_t count = std::min(limit - cleaned, set->replicas - set->available);
        size_replica_set(deployment, *set, set->replicas - count);
        cleaned += count;
    }
    return cleaned;
}

std::int64_t scale_down_old_replica_sets(const DeploymentSpec& deployment,
                                         const ReplicaSetList& old_sets, std::int64_t available) {
    const std::int64_t surplus = available - (deployment.replicas - max_unavailable(deployment));
    std::int64_t taken = 0;
    for (ReplicaSetState* set : by_creation(old_sets)) {
        if (taken >= surplus) break;
        if (set->replicas == 0) continue;
        const std::int64_t count = std::min(set->replicas, surplus - taken);
        size_replica_set(deployment, *set, set->replicas - count);
        taken += count;
    }
    return taken;
}

bool roll(const DeploymentSpec& deployment, ReplicaSetState& new_set,
          const ReplicaSetList& old_sets) {
    const std::int64_t total = total_replicas(old_sets) + new_set.replicas;
    if (reconcile_new_replica_set(deployment, new_set, total)) return true;
    return reconcile_old_replica_sets(deployment, new_set, old_sets);
}

bool is_scaling_event(const DeploymentSpec& deployment, const ReplicaSetList& sets) {
    return std::any_of(sets.begin(), sets.end(), [&](const ReplicaSetState* set) {
        return set->replicas > 0 && set->desired_annotation &&
               *set->desired_annotation != deployment.replicas;
    });
}

bool scale(const DeploymentSpec& deployment, ReplicaSetState* new_set,
           const ReplicaSetList& old_sets, std::int64_t existing) {
    if (ReplicaSetState* set = active_or_latest(new_set, old_sets)) {
        if (set->replicas == deployment.replicas) return false;
        size_replica_set(deployment, *set, deployment.replicas);
        return true;
    }
    bool changed = false;
    if (is_saturated(deployment, new_set)) {
        for (ReplicaSetState* set : old_sets) {
            if (set->replicas > 0) changed = size_changed(deployment, *set, 0) || changed;
        }
        return changed;
    }
    if (deployment.strategy.type != RolloutType::rolling_update) return false;
    return scale_proportionally(deployment, active_sets(new_set, old_sets), existing);
}

}  // namespace headroom::control
