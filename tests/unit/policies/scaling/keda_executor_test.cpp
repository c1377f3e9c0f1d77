#include "policies/scaling/keda/keda_executor.hpp"

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::policies {
namespace {

using tests::at;

using Reason = KedaScaleReason;

constexpr bool kActive = true;
constexpr bool kError = true;

/// At 1000 s; never active before, created long ago.
KedaScale fresh_keda_scale(const KedaScaleRules& rules, std::int64_t current, bool active,
                           bool error = false) {
    return keda_scale(rules, {current, active, error}, {}, {}, at(1000));
}

KedaScaleRules replica_rules(std::int64_t min, std::optional<std::int64_t> idle = {}) {
    KedaScaleRules out;
    out.min_replicas = min;
    out.idle_replica_count = idle;
    return out;
}

TEST_CASE("KedaExecutor: an active trigger lifts from zero and from idle, and leaves the rest") {
    CHECK(fresh_keda_scale(replica_rules(0), 0, kActive).replicas == 1);
    CHECK(fresh_keda_scale(replica_rules(3), 0, kActive).replicas == 3);
    CHECK(fresh_keda_scale(replica_rules(5, 2), 2, kActive).replicas == 5);
    CHECK(fresh_keda_scale(replica_rules(5), 2, kActive).replicas == 2);  // the HPA's
    CHECK(fresh_keda_scale(replica_rules(0), 7, kActive).replicas == 7);
    CHECK(fresh_keda_scale(replica_rules(0), 7, kActive).sets_last_active);
    CHECK(fresh_keda_scale(replica_rules(0), 0, kActive, kError).sets_last_active);
    CHECK_FALSE(fresh_keda_scale(replica_rules(0), 7, kActive, kError).sets_last_active);
}

TEST_CASE("KedaExecutor: without one it goes to zero or idle, or up to the minimum") {
    CHECK(fresh_keda_scale(replica_rules(0), 7, false).replicas == 0);
    CHECK(fresh_keda_scale(replica_rules(5, 0), 7, false).replicas == 0);
    CHECK(fresh_keda_scale(replica_rules(5, 2), 7, false).replicas == 2);
    CHECK(fresh_keda_scale(replica_rules(5, 2), 2, false).replicas == 2);
    CHECK(fresh_keda_scale(replica_rules(5, 2), 1, false).replicas == 1);
    CHECK(fresh_keda_scale(replica_rules(5), 7, false).replicas == 7);
    CHECK(fresh_keda_scale(replica_rules(5), 2, false).replicas == 5);
    CHECK_FALSE(fresh_keda_scale(replica_rules(0), 7, false).sets_last_active);
}

TEST_CASE("KedaExecutor: the cooldown is over strictly after its end") {
    const KedaScaleRules zero = replica_rules(0);
    const auto scaled = [&](std::optional<Time> last, std::optional<Time> created, Time now) {
        return keda_scale(zero, {7, false, false}, last, created, now).replicas;
    };
    CHECK(scaled(at(100), {}, at(400)) == 7);
    CHECK(scaled(at(100), {}, at(401)) == 0);
    CHECK(scaled({}, at(1000), at(1000)) == 7);
    CHECK(scaled({}, at(1000), at(1001)) == 0);
    CHECK(scaled({}, {}, at(0)) == 0);
}

TEST_CASE("KedaExecutor: with an error nothing happens, unless the fallback is no replicas") {
    KedaScaleRules r = replica_rules(0);
    CHECK(fresh_keda_scale(r, 7, false, kError).reason == Reason::failed);
    r.fallback_replicas = 3;
    CHECK(fresh_keda_scale(r, 7, false, kError).replicas == 7);
    r.fallback_replicas = 0;
    CHECK(fresh_keda_scale(r, 7, false, kError).replicas == 0);
    CHECK(fresh_keda_scale(replica_rules(5), 2, false, kError).replicas == 2);
}

TEST_CASE("KedaExecutor: pauses and force") {
    KedaScaleRules r = replica_rules(0);
    r.paused_scale_in = r.paused_scale_out = true;
    CHECK(fresh_keda_scale(r, 7, false).reason == Reason::scale_in_paused);
    CHECK(fresh_keda_scale(r, 7, false).replicas == 7);
    CHECK(fresh_keda_scale(r, 0, kActive).reason == Reason::scale_out_paused);
    CHECK(fresh_keda_scale(r, 0, kActive).replicas == 0);
    CHECK_FALSE(fresh_keda_scale(r, 0, kActive).sets_last_active);
    KedaScaleRules forced = replica_rules(0);
    forced.force_activation = true;
    CHECK(fresh_keda_scale(forced, 0, false).replicas == 1);
    CHECK(fresh_keda_scale(forced, 4, false).replicas == 4);
    KedaScaleRules fixed = replica_rules(2);
    fixed.paused_replicas = 0;
    CHECK(fresh_keda_scale(fixed, 9, kActive).replicas == 0);
}

}  // namespace
}  // namespace headroom::policies
