/// The rules of a Deployment, through the functions that the workload controller uses.
#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "sim/control/deployment.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {
namespace {

using namespace control;

/// A number, a text that should be a percentage, or nothing, which counts as 0. nullopt: neither.
std::optional<IntOrPercent> parse_amount(const Json& test, const char* key) {
    const Json amount = test.value(key, Json());
    if (amount.is_null()) return IntOrPercent{0, false};
    if (amount.is_string()) return parse_percent(amount.get_ref<const std::string&>());
    return IntOrPercent{amount.get<std::int64_t>(), false};
}

/// nullopt: an amount is neither a number nor a percentage.
std::optional<DeploymentSpec> parse_deployment(const Json& test, const char* replicas) {
    const auto surge = parse_amount(test, "max_surge");
    const auto unavailable = parse_amount(test, "max_unavailable");
    if (!surge || !unavailable) return std::nullopt;
    const auto type = value_or(test, "strategy", std::string("RollingUpdate"));
    DeploymentSpec deployment;
    deployment.replicas = value_or(test, replicas, std::int64_t{0});
    deployment.strategy = {type == "Recreate" ? RolloutType::recreate : RolloutType::rolling_update,
                           *surge, *unavailable};
    return deployment;
}

DeploymentSpec deployment_of(const Json& test, const char* replicas = "deployment_replicas") {
    const auto deployment = parse_deployment(test, replicas);
    if (!deployment) throw std::runtime_error("expected a number or a percentage");
    return *deployment;
}

std::int64_t count_or_zero(const Json& test, const char* key) {
    return value_or(test, key, std::int64_t{0});
}

/// The only old set of a case that counts old pods.
ReplicaSetState old_set_of(const Json& test) {
    ReplicaSetState set;
    set.replicas = count_or_zero(test, "old_replicas");
    set.available = count_or_zero(test, "available_old");
    return set;
}

std::string run_resolve_fenceposts(const Json& test) {
    const auto deployment = parse_deployment(test, "replicas");
    Differences differences;
    differences.compare("error", value_or(test, "expected_error", false), !deployment.has_value());
    if (!deployment || !differences.none()) return differences.text();
    const Fenceposts posts = resolve_fenceposts(deployment->strategy, deployment->replicas);
    differences.compare("surge", test.at("expected_surge"), posts.surge);
    differences.compare("unavailable", test.at("expected_unavailable"), posts.unavailable);
    return differences.text();
}

std::string run_max_unavailable(const Json& test) {
    Differences differences;
    differences.compare("max unavailable", test.at("expected"),
                        max_unavailable(deployment_of(test, "replicas")));
    return differences.text();
}

std::string run_min_available(const Json& test) {
    Differences differences;
    differences.compare("min available", test.at("expected"),
                        min_available(deployment_of(test, "replicas")));
    return differences.text();
}

std::string run_new_rs_new_replicas(const Json& test) {
    Differences differences;
    // Upstream's test leaves the new set out of the list of all sets.
    differences.compare(
        "replicas", test.at("expected"),
        new_replica_set_replicas(deployment_of(test), count_or_zero(test, "new_rs_replicas"),
                                 count_or_zero(test, "other_rs_replicas")));
    return differences.text();
}

std::string run_deployment_complete(const Json& test) {
    DeploymentStatus status;
    status.replicas = count_or_zero(test, "status_replicas");
    status.updated = count_or_zero(test, "updated_replicas");
    status.available = count_or_zero(test, "available_replicas");
    Differences differences;
    differences.compare("complete", test.at("expected"),
                        deployment_complete(status, count_or_zero(test, "spec_replicas")));
    return differences.text();
}

std::string run_reconcile_new_rs(const Json& test) {
    ReplicaSetState new_set;
    new_set.replicas = count_or_zero(test, "new_replicas");
    const std::int64_t total = count_or_zero(test, "old_replicas") + new_set.replicas;
    const bool scaled = reconcile_new_replica_set(deployment_of(test), new_set, total);
    Differences differences;
    differences.compare("scaled", test.at("expected_scaled"), scaled);
    differences.compare("new replicas", test.at("expected_new_replicas"), new_set.replicas);
    return differences.text();
}

std::string run_reconcile_old_rs(const Json& test) {
    ReplicaSetState old_set = old_set_of(test);
    ReplicaSetState new_set;
    new_set.created = 1;
    new_set.replicas = count_or_zero(test, "new_replicas");
    new_set.available = count_or_zero(test, "available_new");
    const bool scaled = reconcile_old_replica_sets(deployment_of(test), new_set, {&old_set});
    Differences differences;
    differences.compare("scaled", test.at("expected_scaled"), scaled);
    differences.compare("old replicas", test.at("expected_old_replicas"), old_set.replicas);
    return differences.text();
}

std::string run_cleanup_unhealthy(const Json& test) {
    ReplicaSetState old_set = old_set_of(test);
    const std::int64_t before = old_set.replicas;
    DeploymentSpec deployment;
    deployment.replicas = before;
    const auto cleaned =
        clean_up_unhealthy_replicas(deployment, {&old_set}, count_or_zero(test, "max_cleanup"));
    Differences differences;
    const bool error = value_or(test, "expected_error", false);
    differences.compare("error", error, !cleaned.has_value());
    if (error) return differences.text();
    differences.compare("cleaned up", test.at("expected_cleaned"), cleaned.value_or(0));
    differences.compare("fewer replicas", test.at("expected_cleaned"), before - old_set.replicas);
    return differences.text();
}

std::string run_scale_down_old_rs(const Json& test) {
    ReplicaSetState old_set = old_set_of(test);
    scale_down_old_replica_sets(deployment_of(test), {&old_set},
                                count_or_zero(test, "available_total"));
    Differences differences;
    differences.compare("old replicas", test.at("expected_old_replicas"), old_set.replicas);
    return differences.text();
}

/// A replica set as written; `created` is its place in the order of (time, name).
struct NamedSet {
    std::string name;
    std::string created;
    bool is_new = false;
    ReplicaSetState state;
};

NamedSet parse_set(const Json& json, bool is_new) {
    NamedSet set;
    set.name = json.at("name");
    set.created = value_or(json, "created", std::string());  // RFC 3339 in UTC sorts as text
    set.is_new = is_new;
    set.state.replicas = count_or_zero(json, "replicas");
    set.state.available = count_or_zero(json, "available");
    const auto annotation = [&](const char* key) -> std::optional<std::int64_t> {
        const Json value = json.value(key, Json());
        return value.is_null() ? std::nullopt : std::optional(value.get<std::int64_t>());
    };
    set.state.desired_annotation = annotation("desired_replicas_annotation");
    set.state.max_annotation = annotation("max_replicas_annotation");
    return set;
}

std::string run_proportional_scale(const Json& test) {
    std::vector<NamedSet> sets;
    const Json new_json = test.value("new_rs", Json());
    if (!new_json.is_null()) sets.push_back(parse_set(new_json, true));
    const Json old_json = test.value("old_rss", Json());
    for (const Json& json : old_json) sets.push_back(parse_set(json, false));
    std::sort(sets.begin(), sets.end(), [](const NamedSet& a, const NamedSet& b) {
        return std::tie(a.created, a.name) < std::tie(b.created, b.name);
    });
    ReplicaSetState* new_set = nullptr;
    ReplicaSetList old_sets;
    std::int64_t existing = 0;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        sets[i].state.created = static_cast<std::int64_t>(i);
        existing += sets[i].state.replicas;
        if (sets[i].is_new) {
            new_set = &sets[i].state;
        } else {
            old_sets.push_back(&sets[i].state);
        }
    }
    scale(deployment_of(test), new_set, old_sets, value_or(test, "status_replicas", existing));
    Json found = Json::object();
    for (const NamedSet& set : sets) found[set.name] = set.state.replicas;
    Differences differences;
    differences.compare("replicas", test.at("expected_replicas"), found);
    return differences.text();
}

const CaseKind kResolveFenceposts{"resolve_fenceposts", run_resolve_fenceposts};
const CaseKind kMaxUnavailable{"max_unavailable", run_max_unavailable};
const CaseKind kMinAvailable{"min_available", run_min_available};
const CaseKind kNewRsNewReplicas{"new_rs_new_replicas", run_new_rs_new_replicas};
const CaseKind kDeploymentComplete{"deployment_complete", run_deployment_complete};
const CaseKind kReconcileNewRs{"reconcile_new_rs", run_reconcile_new_rs};
const CaseKind kReconcileOldRs{"reconcile_old_rs", run_reconcile_old_rs};
const CaseKind kCleanupUnhealthy{"cleanup_unhealthy", run_cleanup_unhealthy};
const CaseKind kScaleDownOldRs{"scale_down_old_rs", run_scale_down_old_rs};
const CaseKind kProportionalScale{"proportional_scale", run_proportional_scale};

}  // namespace
}  // namespace headroom::conformance
