// The endpoint picker that remembers which prefixes it sent where.
#include <algorithm>
#include <deque>
#include <map>

#include "policies/routing/prefix_aware/prefix_blocks.hpp"
#include "policies/routing/prefix_aware/prefix_index.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/routing/hand_made_view.hpp"
#include "tests/unit/serving/token_contents.hpp"

namespace headroom::tests {
namespace {

using policies::PrefixBlocks;
using policies::PrefixIndex;
using Hashes = std::vector<std::uint64_t>;

/// A request whose prompt is exactly the pieces given.
struct Prompt {
    Prompt(std::vector<std::uint64_t> ids, std::int64_t tokens_per_id = 16)
        : contents(contents_of(std::move(ids), tokens_per_id)) {
        request.prompt = static_cast<std::int64_t>(contents->ids.size()) * tokens_per_id;
        request.contents = contents.get();
    }
    serving::ContentsRef contents;
    serving::RoutedRequest request;
};

PrefixBlocks blocks_of(const serving::RoutedRequest& request, std::int64_t block = 16,
                       std::int64_t most = 131'072) {
    PrefixBlocks blocks;
    blocks.assign(request, block, most);
    return blocks;
}

std::int64_t pick(serving::RoutingPolicy& policy, const serving::RouterView& view,
                  std::uint64_t number, Prompt prompt) {
    prompt.request.request = number;
    return policy.pick(view, prompt.request);
}

std::vector<std::uint64_t> pieces(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> ids;
    for (std::uint64_t i = 0; i < count; ++i) ids.push_back(first + i);
    return ids;
}

/// The index without any cleverness: a list of blocks per server, the newest last.
class SlowIndex {
  public:
    explicit SlowIndex(std::int64_t capacity) : capacity_(capacity) {}
    [[nodiscard]] std::map<std::uint32_t, std::int64_t> match(const Hashes& hashes) const {
        std::map<std::uint32_t, std::int64_t> matched;
        for (const std::uint64_t hash : hashes) {
            bool anybody = false;
            for (const auto& [server, blocks] : servers_) {
                if (std::count(blocks.begin(), blocks.end(), hash) == 0) continue;
                anybody = true;
                ++matched[server];
            }
            if (!anybody) break;
        }
        return matched;
    }
    void add(std::uint32_t server, const Hashes& hashes, std::int64_t tokens_each) {
        std::deque<std::uint64_t>& blocks = servers_[server];
        for (const std::uint64_t hash : hashes) {
            blocks.erase(std::remove(blocks.begin(), blocks.end(), hash), blocks.end());
            blocks.push_back(hash);
            while (static_cast<std::int64_t>(blocks.size()) * tokens_each > capacity_) {
                blocks.pop_front();
            }
        }
    }
    void remove(std::uint32_t server) { servers_.erase(server); }

  private:
    std::int64_t capacity_;
    std::map<std::uint32_t, std::deque<std::uint64_t>> servers_;
};

}  // namespace

TEST_CASE("PrefixBlocks: equal hashes up to the first difference, and none after it") {
    const PrefixBlocks one = blocks_of(Prompt({1, 2, 3, 4}).request);
    const PrefixBlocks two = blocks_of(Prompt({1, 2, 7, 4}).request);
    CHECK(one.total == 4);
    REQUIRE(one.hashes.size() == 4);
    CHECK(one.hashes[0] == two.hashes[0]);
    CHECK(one.hashes[1] == two.hashes[1]);
    CHECK(one.hashes[2] != two.hashes[2]);
    CHECK(one.hashes[3] != two.hashes[3]);
    CHECK(one.hashes[0] != blocks_of(Prompt({2}).request).hashes[0]);
    CHECK(one.hashes == blocks_of(Prompt({1, 2, 3, 4}).request).hashes);
}

TEST_CASE("PrefixBlocks: adapters share no prefix") {
    const Prompt prompt({1, 2});
    serving::RoutedRequest adapted = prompt.request;
    adapted.attributes.adapter = 1;
    CHECK(blocks_of(adapted).hashes[0] != blocks_of(prompt.request).hashes[0]);
}

TEST_CASE("PrefixBlocks: a block is some whole pieces, or the piece where that is larger") {
    CHECK(blocks_of(Prompt({1, 2, 3, 4, 5}, 4).request).total == 1);  // four pieces a block
    CHECK(blocks_of(Prompt({1, 2, 3, 4, 5}, 4).request).tokens_each == 16);
    CHECK(blocks_of(Prompt({1, 2, 3, 4}, 10).request).total == 2);  // two pieces, 20 tokens
    CHECK(blocks_of(Prompt({1, 2}, 512).request).total == 2);
    CHECK(blocks_of(Prompt({1, 2}, 512).request).tokens_each == 512);
}

TEST_CASE("PrefixBlocks: only whole blocks of the prompt count, named or not, up to the cap") {
    const serving::ContentsRef contents = contents_of({1, 2, 3});
    serving::RoutedRequest request = routed(0);
    request.contents = contents.get();
    request.prompt = 47;  // the third piece reaches into the answer
    CHECK(blocks_of(request).total == 2);
    CHECK(blocks_of(request).hashes.size() == 2);
    request.prompt = 100;
    CHECK(blocks_of(request).total == 6);
    CHECK(blocks_of(request).hashes.size() == 3);
    CHECK(blocks_of(request, 16, 40).total == 2);
    request.prompt = 15;
    CHECK(blocks_of(request).total == 0);
    CHECK(blocks_of(routed(0)).total == 0);
}

TEST_CASE("PrefixIndex: counts for each server the blocks that it was sent") {
    PrefixIndex index(1000);
    index.match({1, 2, 3});
    CHECK(index.matched(0) == 0);
    index.add(0, {1, 2, 3, 4}, 16);
    index.add(5, {1, 2}, 16);
    index.match({1, 2, 3, 9});
    CHECK(index.matched(0) == 3);
    CHECK(index.matched(5) == 2);
    CHECK(index.matched(1) == 0);
    CHECK(index.matched(99) == 0);
    index.match({8, 1});
    CHECK(index.matched(0) == 0);
    index.remove(0);
    CHECK(index.tokens(0) == 0);
    index.match({1, 2, 3});
    CHECK(index.matched(0) == 0);
    CHECK(index.matched(5) == 2);
}

TEST_CASE("PrefixIndex: forgets what was sent longest ago, by tokens") {
    PrefixIndex index(64);
    index.add(0, {1, 2, 3, 4}, 16);
    CHECK(index.tokens(0) == 64);
    index.add(0, {1}, 16);  // it is young again
    index.add(0, {5}, 32);  // takes the place of 2 and 3
    CHECK(index.tokens(0) == 64);
    for (const auto& [hash, there] :
         std::map<std::uint64_t, int>{{1, 1}, {2, 0}, {3, 0}, {4, 1}, {5, 1}}) {
        INFO(hash);
        index.match({hash});
        CHECK(index.matched(0) == there);
    }
    index.add(0, {6}, 65);  // larger than all the room there is
    CHECK(index.tokens(0) == 0);
}

TEST_CASE("PrefixIndex: agrees with a list of blocks per server") {
    const RandomStream random{3, "prefix index"};
    PrefixIndex index(12 * 16);
    SlowIndex slow(12 * 16);
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        Hashes hashes;
        const std::uint64_t chain = random.below(9, i, 0);
        const std::uint64_t length = random.below(8, i, 1);
        for (std::uint64_t k = 0; k < length; ++k) hashes.push_back(chain * 100 + k);
        index.match(hashes);
        auto expected = slow.match(hashes);
        bool equal = true;
        for (std::uint32_t s = 0; s < 5; ++s) equal = equal && index.matched(s) == expected[s];
        if (!equal) FAIL("case " << i);
        const auto server = static_cast<std::uint32_t>(random.below(5, i, 2));
        if (random.below(50, i, 3) == 0) {
            index.remove(server);
            slow.remove(server);
        } else {
            index.add(server, hashes, 16);
            slow.add(server, hashes, 16);
        }
    }
}

TEST_CASE("PrefixAware: a prefix goes where it went before") {
    const auto policy = make_router("prefix-aware");
    CHECK(policy->observes_every() == Duration::milliseconds(50));
    const HandMadeView view = HandMadeView::of_size(20);
    std::map<std::uint64_t, std::int64_t> homes;
    for (std::uint64_t user = 0; user < 10; ++user) {
        homes[user] = pick(*policy, view, user, Prompt(pieces(100 * user, 8)));
    }
    for (std::uint64_t turn = 1; turn < 5; ++turn) {
        for (std::uint64_t user = 0; user < 10; ++user) {
            CHECK(pick(*policy, view, 10 * turn + user, Prompt(pieces(100 * user, 8 + 4 * turn))) ==
                  homes[user]);
        }
    }
}

TEST_CASE(
    "PrefixAware: weighs the prefix against queues and caches, as they were at the last look") {
    const auto policy = make_router("prefix-aware");
    HandMadeView view = HandMadeView::of_size(3);
    const Prompt shared(pieces(0, 10));
    const std::int64_t home = pick(*policy, view, 1, shared);
    const auto at_home = static_cast<std::size_t>(home);
    // With half of it known there: 1.5 + 2 + 2 at home, 0 + 2 + 2 elsewhere.
    view.endpoints[at_home].waiting = 9;  // not looked at yet
    std::vector<std::uint64_t> half = pieces(0, 5);
    for (std::uint64_t id = 900; id < 905; ++id) half.push_back(id);
    CHECK(pick(*policy, view, 2, Prompt(half)) == home);
    policy->observe(view);
    // Now all of it is known at home: 3 + 0 + 2 there, 0 + 2 + 2 elsewhere.
    CHECK(pick(*policy, view, 3, shared) == home);
    view.endpoints[at_home].kv_used = 600;  // 3 + 0 + 0.8
    policy->observe(view);
    CHECK(pick(*policy, view, 4, shared) != home);
}

TEST_CASE("PrefixAware: a request without contents goes by queues and caches alone") {
    const auto policy = make_router("prefix-aware", {{"metrics_refresh", {Duration::zero()}}});
    HandMadeView view = HandMadeView::of_size(3);
    view.endpoints[0].waiting = view.endpoints[2].waiting = 1;
    view.endpoints[1].kv_used = 999;  // 2 + 0.002 is more than 0 + 2
    CHECK(policy->pick(view, routed(1)) == 1);
    view.endpoints[1].kv_used = 0;
    std::map<std::int64_t, int> counts;
    view.endpoints[0].waiting = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) ++counts[policy->pick(view, routed(i))];
    CHECK(counts.size() == 2);
    CHECK(counts[0] == Approx(500).epsilon(0.15));
}

TEST_CASE("PrefixAware: forgets an instance only when it stays away") {
    const auto policy = make_router("prefix-aware");
    HandMadeView whole = HandMadeView::of_size(4);
    const Prompt prompt(pieces(0, 10));
    const auto home = static_cast<std::size_t>(pick(*policy, whole, 1, prompt));
    // Half of its cache in use: 3 + 2 + 1 with the prefix, 0 + 2 + 1 without; 4 elsewhere.
    whole.endpoints[home].kv_used = 500;
    policy->observe(whole);
    HandMadeView without = whole;
    without.remove(home);
    const auto go_on = [&](HandMadeView& view, std::int64_t minutes, std::uint64_t number) {
        view.time = Time::zero() + Duration::minutes(minutes);
        static_cast<void>(pick(*policy, view, number, Prompt({})));
    };
    go_on(whole, 2, 2);
    go_on(without, 4, 3);
    whole.time = Time::zero() + Duration::minutes(5);
    CHECK(pick(*policy, whole, 4, prompt) == static_cast<std::int64_t>(home));
    go_on(without, 6, 5);
    go_on(without, 8, 6);
    whole.time = Time::zero() + Duration::minutes(9);
    CHECK(pick(*policy, whole, 7, prompt) != static_cast<std::int64_t>(home));
}

}  // namespace headroom::tests
