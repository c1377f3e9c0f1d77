#include "sim/control/deletion_order.hpp"

#include <functional>

#include "tests/catch.hpp"

namespace headroom::control {

namespace {

constexpr Time kNow = Time::zero() + Duration::seconds(1000);

Time ago(std::int64_t s) {
    return kNow - Duration::seconds(s);
}

/// Running and ready for 100 s on node 1.
DeletionCandidate pod(std::uint64_t uid) {
    DeletionCandidate candidate;
    candidate.node = 1;
    candidate.phase = DeletionPhase::running;
    candidate.ready = true;
    candidate.ready_since = ago(100);
    candidate.created = ago(200);
    candidate.uid = uid;
    return candidate;
}

DeletionCandidate pod_with(std::uint64_t uid,
                           const std::function<void(DeletionCandidate&)>& change) {
    DeletionCandidate candidate = pod(uid);
    change(candidate);
    return candidate;
}

/// Only in this direction.
void check_before(const DeletionCandidate& a, const DeletionCandidate& b,
                  const DeletionRules& rules = {}) {
    CHECK(deleted_before(a, b, kNow, rules));
    CHECK_FALSE(deleted_before(b, a, kNow, rules));
}

}  // namespace

TEST_CASE("Deletion order: each criterion outweighs all that follow") {
    const DeletionCandidate plain = pod(5);
    const auto unassigned = pod_with(9, [](auto& p) { p.node = DeletionCandidate::kNoNode; });
    const auto pending = pod_with(9, [](auto& p) { p.phase = DeletionPhase::pending; });
    const auto unknown = pod_with(9, [](auto& p) { p.phase = DeletionPhase::unknown; });
    const auto starting = pod_with(9, [](auto& p) { p.ready = false; });
    const auto cheap = pod_with(9, [](auto& p) { p.deletion_cost = -1; });
    const auto crowded = pod_with(9, [](auto& p) { p.rank = 3; });
    const auto fresh = pod_with(9, [](auto& p) { p.ready_since = ago(20); });
    const auto broken = pod_with(9, [](auto& p) { p.restarts = 2; });
    const auto young = pod_with(9, [](auto& p) { p.created = ago(110); });
    const std::vector<DeletionCandidate> order = {unassigned, pending, unknown, starting, cheap,
                                                  crowded,    fresh,   broken,  young,    plain};
    for (std::size_t i = 0; i < order.size(); ++i) {
        for (std::size_t j = i + 1; j < order.size(); ++j) {
            INFO(i << " and " << j);
            check_before(order[i], order[j]);
        }
    }
}

TEST_CASE("Deletion order: ages are compared by powers of two of nanoseconds, then by uid") {
    // 2^36 ns are 68.7 s.
    const auto s65 = pod_with(2, [](auto& p) { p.ready_since = ago(65); });
    const auto s70 = pod_with(3, [](auto& p) { p.ready_since = ago(70); });
    const auto s100 = pod_with(1, [](auto& p) { p.ready_since = ago(100); });
    check_before(s65, s70);
    check_before(s65, s100);
    check_before(s100, s70);  // one class, the lower uid
    const DeletionRules plain{.deletion_cost = true, .logarithmic_ages = false};
    check_before(s70, s100, plain);
    // Now and in the future are a class of their own.
    const auto now = pod_with(8, [](auto& p) { p.ready_since = kNow; });
    const auto nanosecond =
        pod_with(4, [](auto& p) { p.ready_since = kNow - Duration::nanoseconds(1); });
    check_before(now, nanosecond);
    // What was never set goes first.
    const auto never = pod_with(9, [](auto& p) { p.ready_since.reset(); });
    check_before(never, now);
    check_before(never, now, plain);
    // Without any difference neither goes first, whatever the uids.
    CHECK_FALSE(deleted_before(pod(1), pod(2), kNow));
    CHECK_FALSE(deleted_before(pod(2), pod(1), kNow));
}

TEST_CASE("Deletion order: costs count only behind their gate") {
    const auto cheap = pod_with(9, [](auto& p) { p.deletion_cost = -5; });
    const auto crowded = pod_with(1, [](auto& p) { p.rank = 2; });
    check_before(cheap, crowded);
    check_before(crowded, cheap, {.deletion_cost = false, .logarithmic_ages = true});
}

TEST_CASE("Deletion order: the rank counts the pods of sibling sets on the node") {
    // Three of their kind on node 1, two on node 2; a pod that waits for a node has none.
    std::vector<DeletionCandidate> pods = {
        pod_with(1, [](auto& p) { p.node = 2; }), pod(2),
        pod_with(3, [](auto& p) { p.node = DeletionCandidate::kNoNode; }),
        pod_with(4, [](auto& p) { p.node = 3; })};
    const std::vector<std::int64_t> related = {2, 1, DeletionCandidate::kNoNode, 3, 1, 1, 2};
    CHECK(deletion_order(pods, related, kNow) == std::vector<std::size_t>{2, 1, 0, 3});
    CHECK(pods[1].rank == 3);
    CHECK(pods[0].rank == 2);
    CHECK(pods_to_delete(pods, related, 2, kNow) == std::vector<std::size_t>{2, 1});
    // When all go, nobody asks for an order.
    CHECK(pods_to_delete(pods, related, 4, kNow) == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(pods_to_delete(pods, related, 0, kNow).empty());
}

TEST_CASE("Deletion order: three pods that go round in a circle still get an order") {
    // a before b and b before c by uid in one class of ages; c before a, equally long ready, by
    // restarts.
    const auto a = pod_with(1, [](auto& p) { p.ready_since = ago(100); });
    const auto b = pod_with(2, [](auto& p) { p.ready_since = ago(90); });
    const auto c = pod_with(3, [](auto& p) { p.restarts = 1; });
    check_before(a, b);
    check_before(b, c);
    check_before(c, a);
    std::vector<DeletionCandidate> pods;
    for (int i = 0; i < 40; ++i) pods.push_back(i % 3 == 0 ? a : i % 3 == 1 ? b : c);
    std::vector<std::size_t> order = deletion_order(pods, {}, kNow);
    CHECK(order == deletion_order(pods, {}, kNow));
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == i);
}

TEST_CASE("Slow start: batches double until one has a failure") {
    const auto run = [](std::int64_t count, std::int64_t first, std::int64_t succeed) {
        std::int64_t next = 0;
        const SlowStartResult result = slow_start_batch(count, first, [&](std::int64_t i) {
            CHECK(i == next++);
            return i < succeed;
        });
        return std::pair(result.calls, result.successes);
    };
    using Pair = std::pair<std::int64_t, std::int64_t>;
    CHECK(run(20, 1, 100) == Pair{20, 20});
    CHECK(run(20, 1, 0) == Pair{1, 0});
    CHECK(run(20, 1, 3) == Pair{7, 3});     // 1, 2 and 4, of which none succeeds
    CHECK(run(20, 1, 12) == Pair{15, 12});  // 1, 2, 4 and 8
    CHECK(run(10, 4, 9) == Pair{10, 9});    // 4 and the last 6
    CHECK(run(0, 1, 9) == Pair{0, 0});
    CHECK(run(5, 0, 9) == Pair{0, 0});
}

}  // namespace headroom::control
