// Routers that go by the engines' queues and caches: shortest-queue and kv-aware.
#include <map>

#include "policies/routing/endpoint_scores.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/routing/hand_made_view.hpp"

namespace headroom::tests {
namespace {

HandMadeView queues(const std::vector<std::int64_t>& waiting) {
    HandMadeView view = HandMadeView::of_size(waiting.size());
    for (std::size_t i = 0; i < waiting.size(); ++i) view.endpoints[i].waiting = waiting[i];
    return view;
}

HandMadeView caches(const std::vector<std::int64_t>& kv_used) {
    HandMadeView view = HandMadeView::of_size(kv_used.size());
    for (std::size_t i = 0; i < kv_used.size(); ++i) view.endpoints[i].kv_used = kv_used[i];
    return view;
}

ParameterValue seconds(double s) {
    return {Duration::from_seconds(s)};
}

}  // namespace

TEST_CASE("ShortestQueue: takes the first of the shortest queues, whatever is running") {
    const auto policy = make_router("shortest-queue");
    CHECK(policy->observes_every() == Duration::zero());
    HandMadeView view = queues({3, 1, 2, 1});
    CHECK(policy->pick(view, routed(1)) == 1);
    view.endpoints[1].in_flight = 100;
    CHECK(policy->pick(view, routed(2)) == 1);
    view.endpoints[1].waiting = 4;
    CHECK(policy->pick(view, routed(3)) == 3);
    CHECK(policy->pick(queues({0, 0}), routed(4)) == 0);
}

TEST_CASE("ShortestQueue: with an interval goes by its last look alone") {
    const auto policy = make_router("shortest-queue", {{"metrics_refresh", seconds(0.2)}});
    CHECK(policy->observes_every() == Duration::milliseconds(200));
    HandMadeView view = queues({3, 1, 2});
    CHECK(policy->pick(view, routed(1)) == 0);  // it has not looked: all queues seem empty
    policy->observe(view);
    view.endpoints[1].waiting = 50;
    view.loads = 0;
    for (std::uint64_t i = 0; i < 5; ++i) CHECK(policy->pick(view, routed(i)) == 1);
    CHECK(view.loads == 0);
    policy->observe(view);
    CHECK(policy->pick(view, routed(9)) == 2);
}

TEST_CASE("ShortestQueue: what it saw stays with the instance when positions shift") {
    const auto policy = make_router("shortest-queue", {{"metrics_refresh", seconds(1)}});
    HandMadeView view = queues({5, 4, 3, 2});
    policy->observe(view);
    view.remove(0);
    CHECK(policy->pick(view, routed(1)) == 2);  // ordinal 3
    view.endpoints.push_back({.ordinal = 9, .waiting = 7});
    ++view.changes;
    CHECK(policy->pick(view, routed(2)) == 3);  // new: it was never looked at
}

TEST_CASE("KvAware: takes the emptiest cache of its last look") {
    const auto policy = make_router("kv-aware");
    CHECK(policy->observes_every() == Duration::milliseconds(50));
    HandMadeView view = caches({900, 300, 301, 500});
    policy->observe(view);
    view.endpoints[1].kv_used = 1000;
    CHECK(policy->pick(view, routed(1)) == 1);
    policy->observe(view);
    CHECK(policy->pick(view, routed(2)) == 2);
}

TEST_CASE("KvAware: among equal caches goes by what is in flight now, then draws") {
    const auto policy = make_router("kv-aware", {{"metrics_refresh", seconds(0)}});
    HandMadeView view = caches({500, 200, 200, 200, 200});
    view.endpoints[2].in_flight = 1;
    std::map<std::int64_t, int> picks;
    for (std::uint64_t i = 0; i < 3000; ++i) ++picks[policy->pick(view, routed(i))];
    CHECK(picks.size() == 3);
    for (const std::int64_t position : {1, 3, 4}) {
        CHECK(picks[position] == Approx(1000).epsilon(0.1));
    }
}

TEST_CASE("KvAware: weighs the queue where it is told to") {
    // Scores with weights 2 and 2: 2 * (0.2 + 1), 2 * (0.8 + 0), 2 * (0.5 + 0.75).
    HandMadeView view = caches({800, 200, 500});
    view.endpoints[1].waiting = 4;
    view.endpoints[2].waiting = 1;
    const auto both =
        make_router("kv-aware", {{"kv_cache_utilization_weight", {2.0}}, {"queue_weight", {2.0}}});
    both->observe(view);
    CHECK(both->pick(view, routed(1)) == 2);
    const auto cache = make_router("kv-aware");
    cache->observe(view);
    CHECK(cache->pick(view, routed(1)) == 1);
}

TEST_CASE("EndpointScores: each lies between 0 and 1") {
    policies::QueueScorer queue;
    queue.begin(4);
    CHECK(queue.score(4) == 1.0);
    queue.include(12);
    queue.include(6);
    CHECK(queue.score(12) == 0.0);
    CHECK(queue.score(6) == 0.75);
    CHECK(queue.score(4) == 1.0);
    CHECK(policies::kv_cache_score(0.25) == 0.75);
    CHECK(policies::prefix_score(3, 4) == 0.75);
    CHECK(policies::prefix_score(0, 0) == 0.0);
    CHECK(policies::weighted_score(3.0, 0.5) == 1.5);
    CHECK(policies::weighted_score(3.0, 1.5) == 3.0);
    CHECK(policies::weighted_score(3.0, -0.5) == 0.0);
}

}  // namespace headroom::tests
