// Consistent hashing: the hash, the two tables, bounded loads, and the policy.
#include <algorithm>
#include <map>
#include <set>

#include "policies/routing/consistent_hash/bounded_load.hpp"
#include "policies/routing/consistent_hash/hash_table.hpp"
#include "policies/routing/consistent_hash/xx_hash.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/routing/hand_made_view.hpp"
#include "tests/unit/serving/token_contents.hpp"

namespace headroom::tests {
namespace {

using policies::bounded_slots;
using policies::choose_bounded;
using policies::HashedEndpoint;
using policies::HashRing;
using policies::MaglevTable;
using policies::prime_from;
using policies::ProbeOrder;
using policies::xx_hash64;

std::vector<HashedEndpoint> named(const std::vector<std::int64_t>& weights) {
    std::vector<HashedEndpoint> endpoints;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        endpoints.push_back({"instance-" + std::to_string(i), weights[i]});
    }
    return endpoints;
}

std::map<std::uint32_t, int> points_each(const HashRing& ring) {
    std::map<std::uint32_t, int> counts;
    for (const HashRing::Point& point : ring.points()) ++counts[point.endpoint];
    return counts;
}

ParameterValue text(const char* value) {
    return {std::string(value)};
}

constexpr std::uint32_t kSessions = 4000;

/// Where each session goes, by ordinal.
std::vector<std::uint32_t> homes_of(serving::RoutingPolicy& policy, const HandMadeView& view) {
    std::vector<std::uint32_t> homes;
    for (std::uint32_t session = 1; session <= kSessions; ++session) {
        homes.push_back(view.ordinal(policy.pick(view, of_session(session, session))));
    }
    return homes;
}

}  // namespace

TEST_CASE("xx_hash64: the values of its specification") {
    CHECK(xx_hash64("") == 0xef46db3751d8e999ULL);
    CHECK(xx_hash64("a") == 0xd24ec4f1a98c6e5bULL);
    CHECK(xx_hash64("abc") == 0x44bc2cf5ad770999ULL);
    CHECK(xx_hash64("", 1) == 0xd5afba1336a3be4bULL);
    // 43 bytes: four lanes, then words, then bytes.
    CHECK(xx_hash64("The quick brown fox jumps over the lazy dog") == 0x0b242d361fda71bcULL);
    CHECK(xx_hash64(std::vector<std::uint64_t>{0x6867666564636261ULL}) == xx_hash64("abcdefgh"));
}

TEST_CASE("HashRing: each endpoint has points by its weight, in a whole number for the lightest") {
    CHECK(HashRing(named({1, 1, 1}), 1024, 8'388'608).points().size() == 1026);
    CHECK(points_each(HashRing(named({1, 1, 1}), 1024, 8'388'608)) ==
          std::map<std::uint32_t, int>{{0, 342}, {1, 342}, {2, 342}});
    CHECK(points_each(HashRing(named({1, 2, 5}), 16, 8'388'608)) ==
          std::map<std::uint32_t, int>{{0, 2}, {1, 4}, {2, 10}});
    // Six points for four: one and a half each.
    CHECK(points_each(HashRing(named({1, 1, 1, 1}), 1024, 6)) ==
          std::map<std::uint32_t, int>{{0, 2}, {1, 1}, {2, 2}, {3, 1}});
}

TEST_CASE(
    "HashRing: a hash belongs to the first point at or after it, and past the last to the "
    "first") {
    const HashRing ring(named({1, 1, 1}), 12, 12);
    const auto& points = ring.points();
    REQUIRE(points.size() == 12);
    CHECK(ring.lookup(0) == points[0].endpoint);
    for (std::size_t i = 0; i < points.size(); ++i) {
        CHECK(ring.lookup(points[i].hash) == points[i].endpoint);
        CHECK(ring.lookup(points[i].hash + 1) == points[(i + 1) % 12].endpoint);
    }
    CHECK(ring.lookup(~0ULL) == points[0].endpoint);
    CHECK(points[0].hash == 2'215'129'574'473'883'711ULL);
}

TEST_CASE("MaglevTable: fills every slot, by weight, whatever the order of the list") {
    const MaglevTable table(named({1, 2, 5}), 8009);
    std::map<std::uint32_t, int> counts;
    for (const std::uint32_t endpoint : table.table()) ++counts[endpoint];
    CHECK(counts[0] == Approx(1001).margin(2));
    CHECK(counts[1] == Approx(2002).margin(2));
    CHECK(counts[2] == Approx(5005).margin(2));

    std::vector<HashedEndpoint> reversed = named({1, 2, 5});
    std::reverse(reversed.begin(), reversed.end());
    const MaglevTable other(reversed, 8009);
    bool equal = true;
    for (std::uint64_t slot = 0; slot < 8009; ++slot) {
        equal = equal && table.lookup(slot) == 2 - other.lookup(slot);
    }
    CHECK(equal);
    CHECK(MaglevTable(named({1, 1, 1}), 7).table() ==
          std::vector<std::uint32_t>{2, 0, 0, 1, 2, 1, 0});
}

TEST_CASE("MaglevTable: sizes are primes") {
    CHECK(prime_from(2) == 2);
    CHECK(prime_from(65'536) == 65'537);
    CHECK(prime_from(65'537) == 65'537);
    CHECK(prime_from(5'000'000) == 5'000'011);
    CHECK(prime_from(9) == 11);
    CHECK(prime_from(25) == 29);
}

TEST_CASE("BoundedLoad: slots are the share of what is in flight, enlarged, and never none") {
    CHECK(bounded_slots(0, 100, 0.01) == 1);
    CHECK(bounded_slots(9, 150, 0.25) == 4);   // 15 in all
    CHECK(bounded_slots(99, 125, 0.5) == 63);  // 125 in all
    CHECK(bounded_slots(10, 125, 1.0) == 14);  // 13.75 rounded up before it is shared
    CHECK(bounded_slots(999, 100, 0.1) == 100);
}

TEST_CASE("BoundedLoad: the probes are a shuffle that depends on the hash's low half") {
    const auto order_of = [](std::uint64_t hash, std::uint32_t count) {
        ProbeOrder order(hash, count);
        std::vector<std::uint32_t> probes;
        for (std::uint32_t i = 0; i < count; ++i) probes.push_back(order.next());
        return probes;
    };
    CHECK(order_of(5489, 6) == std::vector<std::uint32_t>{4, 1, 5, 2, 0, 3});
    CHECK(order_of(5489, 6) == order_of(5489 + (7ULL << 32), 6));
    CHECK(order_of(5489, 6) != order_of(5490, 6));
    std::vector<std::uint32_t> sorted = order_of(99, 100);
    std::sort(sorted.begin(), sorted.end());
    for (std::uint32_t i = 0; i < 100; ++i) CHECK(sorted[i] == i);
}

TEST_CASE("BoundedLoad: an overloaded choice gives way to the first that is not, or to the least") {
    std::vector<double> loads = {2.0, 1.0, 1.0, 3.0};
    const auto choose = [&loads](std::uint32_t first) {
        return choose_bounded(first, 77, 4, [&loads](std::uint32_t i) { return loads[i]; });
    };
    CHECK(choose(1) == 1);
    CHECK(choose(2) == 2);
    const std::uint32_t elsewhere = choose(0);
    CHECK((elsewhere == 1 || elsewhere == 2));
    CHECK(choose(3) == elsewhere);
    loads = {2.0, 1.5, 4.0, 1.5};
    CHECK((choose(0) == 1 || choose(0) == 3));
    CHECK(choose(1) == 1);  // as good as another: stays
    CHECK(choose(3) == 3);
}

TEST_CASE("ConsistentHash: a session keeps its endpoint, and the sessions spread") {
    const char* algorithm = GENERATE("ring", "maglev");
    INFO(algorithm);
    const auto policy = make_router("consistent-hash", {{"algorithm", text(algorithm)}});
    const HandMadeView view = HandMadeView::of_size(8);
    const auto homes = homes_of(*policy, view);
    CHECK(homes == homes_of(*policy, view));
    std::map<std::uint32_t, int> counts;
    for (const std::uint32_t home : homes) ++counts[home];
    CHECK(counts.size() == 8);
    for (const auto& [home, count] : counts) {
        CHECK(count > 500 * 0.7);
        CHECK(count < 500 * 1.3);
    }
}

TEST_CASE("ConsistentHash: an endpoint that leaves moves its own sessions and few others") {
    struct Case {
        const char* algorithm;
        std::int64_t ring;
        std::uint32_t most_others;
    };
    // With one point each on the ring nothing else moves. With a ring of a size, those who stay get
    // more points, and with them sessions; Maglev's table is rearranged a little.
    const auto c = GENERATE(Case{"ring", 1, 0}, Case{"ring", 1024, kSessions / 10},
                            Case{"maglev", 1024, kSessions / 20});
    INFO(c.algorithm << " " << c.ring);
    const auto policy = make_router(
        "consistent-hash", {{"algorithm", text(c.algorithm)}, {"minimum_ring_size", {c.ring}}});
    HandMadeView view = HandMadeView::of_size(8);
    const auto before = homes_of(*policy, view);
    view.remove(3);
    const auto after = homes_of(*policy, view);
    CHECK(std::count(after.begin(), after.end(), 3U) == 0);
    std::uint32_t others_moved = 0;
    for (std::size_t i = 0; i < kSessions; ++i) {
        others_moved += before[i] != 3 && after[i] != before[i];
    }
    CHECK(others_moved <= c.most_others);
    view = HandMadeView::of_size(8);
    view.changes = 99;
    CHECK(homes_of(*policy, view) == before);
}

TEST_CASE("ConsistentHash: weights by ordinal give sessions in proportion") {
    const auto policy = make_router("consistent-hash",
                                    {{"algorithm", text("maglev")}, {"weights", list_of({1, 3})}});
    const auto homes = homes_of(*policy, HandMadeView::of_size(2));
    CHECK(std::count(homes.begin(), homes.end(), 1U) == Approx(3000).epsilon(0.05));
}

TEST_CASE("ConsistentHash: what has no key is spread at random") {
    const HandMadeView view = HandMadeView::of_size(4);
    for (const char* key : {"session", "tenant", "adapter", "prefix"}) {
        INFO(key);
        const auto policy = make_router("consistent-hash", {{"key", text(key)}});
        std::map<std::int64_t, int> counts;
        for (std::uint64_t i = 0; i < 4000; ++i) {
            const std::int64_t pick = policy->pick(view, routed(i));
            CHECK(pick == policy->pick(view, routed(i)));
            ++counts[pick];
        }
        CHECK(counts.size() == 4);
        for (const auto& [position, count] : counts) CHECK(count == Approx(1000).epsilon(0.25));
    }
}

TEST_CASE("ConsistentHash: each key looks at its own attribute") {
    const HandMadeView view = HandMadeView::of_size(50);
    const auto picks_with = [&view](const char* key, auto set) {
        const auto policy = make_router("consistent-hash", {{"key", text(key)}});
        std::set<std::int64_t> picks;
        for (std::uint64_t i = 0; i < 30; ++i) {
            serving::RoutedRequest request = routed(i);
            set(request);
            picks.insert(policy->pick(view, request));
        }
        return picks.size();
    };
    const auto set_session = [](serving::RoutedRequest& r) { r.attributes.session = 5; };
    const auto set_tenant = [](serving::RoutedRequest& r) { r.attributes.tenant = 5; };
    const auto set_adapter = [](serving::RoutedRequest& r) { r.attributes.adapter = 5; };
    CHECK(picks_with("session", set_session) == 1);
    CHECK(picks_with("tenant", set_tenant) == 1);
    CHECK(picks_with("adapter", set_adapter) == 1);
    CHECK(picks_with("session", set_tenant) > 10);
    CHECK(picks_with("adapter", set_session) > 10);
}

TEST_CASE("ConsistentHash: a prefix is the first pieces that lie within the prompt") {
    const HandMadeView view = HandMadeView::of_size(97);
    const auto policy = make_router(
        "consistent-hash", {{"key", text("prefix")}, {"prefix_blocks", {std::int64_t{2}}}});
    std::uint64_t number = 0;
    const auto pick_of = [&](std::vector<std::uint64_t> ids, std::int64_t prompt) {
        const serving::ContentsRef contents = contents_of(std::move(ids));
        serving::RoutedRequest request = routed(++number);
        request.prompt = prompt;
        request.contents = contents.get();
        return policy->pick(view, request);
    };
    const std::int64_t home = pick_of({1, 2, 3}, 48);
    CHECK(pick_of({1, 2, 9, 9}, 64) == home);
    CHECK(pick_of({1, 2}, 32) == home);
    CHECK(pick_of({2, 1}, 32) != home);
    const std::int64_t shorter = pick_of({1}, 16);
    CHECK(shorter != home);
    CHECK(pick_of({1, 2}, 31) == shorter);  // the second piece reaches into the answer
    std::set<std::int64_t> picks;
    for (int i = 0; i < 30; ++i) picks.insert(pick_of({1, 2}, 15));
    CHECK(picks.size() > 10);
}

TEST_CASE("ConsistentHash: with a balance factor a hot session overflows its endpoint") {
    const auto run = [](std::int64_t factor) {
        const auto policy = make_router("consistent-hash", {{"hash_balance_factor", {factor}}});
        HandMadeView view = HandMadeView::of_size(4);
        for (std::uint64_t i = 0; i < 400; ++i) {
            ++view.endpoints[static_cast<std::size_t>(policy->pick(view, of_session(i, 7)))]
                  .in_flight;
        }
        std::int64_t most = 0;
        for (const HandMadeEndpoint& endpoint : view.endpoints) {
            most = std::max(most, endpoint.in_flight);
        }
        return most;
    };
    CHECK(run(0) == 400);
    CHECK(run(150) == 150 + 1);  // a quarter of 400, times 1.5; one more may be over it
    CHECK(run(100) == 100 + 1);
    CHECK(run(50) == 100 + 1);  // below 100 there would be no room for all
}

}  // namespace headroom::tests
