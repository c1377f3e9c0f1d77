#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "sim/core/hash.hpp"
#include "sim/core/id.hpp"
#include "sim/core/slab.hpp"
#include "tests/catch.hpp"

namespace headroom {
namespace {

using ThingId = Id<struct ThingTag>;
template <class T>
using Things = Slab<T, ThingTag>;

TEST_CASE("Id: is none by default and ordered by index, then generation") {
    static_assert(sizeof(ThingId) == 8 && std::is_trivially_copyable_v<ThingId>);
    CHECK_FALSE(ThingId{}.valid());
    CHECK(ThingId{} == ThingId::none());
    CHECK(ThingId{0, 0}.valid());
    CHECK(ThingId{1, 9} < ThingId{2, 0});
    CHECK(ThingId{1, 1} < ThingId{1, 2});
}

TEST_CASE("Slab: a freed place is used again under another generation") {
    Things<std::string> slab;
    const ThingId first = slab.emplace("first");
    const ThingId second = slab.emplace("second");
    slab.erase(first);
    CHECK_FALSE(slab.contains(first));
    CHECK(slab.size() == 1);

    const ThingId third = slab.emplace("third");
    CHECK(third.index == first.index);
    CHECK(third.generation != first.generation);
    CHECK_FALSE(slab.contains(first));
    CHECK(slab.contains(third));
    CHECK(slab[third] == "third");
    CHECK(slab[second] == "second");
}

TEST_CASE("Slab: the place freed last is used first") {
    Things<int> slab;
    const ThingId a = slab.emplace(1);
    const ThingId b = slab.emplace(2);
    slab.erase(a);
    slab.erase(b);
    CHECK(slab.emplace(3).index == b.index);
    CHECK(slab.emplace(4).index == a.index);
    CHECK(slab.emplace(5).index == 2);
}

TEST_CASE("Slab: records do not move while the slab grows") {
    Things<int> slab;
    const ThingId id = slab.emplace(7);
    const int* const place = &slab[id];
    for (int i = 0; i < 2000; ++i) slab.emplace(i);
    CHECK(&slab[id] == place);
    CHECK(slab[id] == 7);
}

TEST_CASE("Slab: visits what lives in index order") {
    Things<int> slab;
    std::vector<ThingId> ids;
    for (int i = 0; i < 600; ++i) ids.push_back(slab.emplace(i));
    for (std::size_t i = 0; i < 600; i += 3) slab.erase(ids[i]);
    slab.emplace(-1);  // takes the place erased last
    std::vector<std::uint32_t> visited;
    const auto& constant = slab;
    constant.for_each([&](ThingId id, const int& value) {
        visited.push_back(id.index);
        CHECK((value == -1 ? id.index == 597 : id.index == static_cast<std::uint32_t>(value)));
    });
    CHECK(visited.size() == slab.size());
    CHECK(slab.size() == 401);
    CHECK(std::is_sorted(visited.begin(), visited.end()));
}

TEST_CASE("Slab: destroys each record once, at erase or at its own end") {
    auto owned = std::make_shared<int>(1);
    {
        Things<std::shared_ptr<int>> slab;
        const ThingId id = slab.emplace(owned);
        slab.emplace(owned);
        CHECK(owned.use_count() == 3);
        slab.erase(id);
        CHECK(owned.use_count() == 2);
    }
    CHECK(owned.use_count() == 1);
}

TEST_CASE("Slab: an id of nothing is not contained") {
    Things<int> slab;
    CHECK_FALSE(slab.contains(ThingId::none()));
    CHECK_FALSE(slab.contains(ThingId{0, 0}));
    slab.emplace(1);
    CHECK_FALSE(slab.contains(ThingId{300, 0}));
}

TEST_CASE("hash: names and integers have fixed hashes") {
    static_assert(mix64(0) == 0);
    CHECK(mix64(1) == 0x5692161d100b05e5ULL);
    CHECK(mix64(0x9e3779b97f4a7c15ULL) == 0xe220a8397b1dcdafULL);  // first output of SplitMix64(0)
    CHECK(hash_name("") == mix64(0xcbf29ce484222325ULL));
    CHECK(hash_name("a") == mix64(0xaf63dc4c8601ec8cULL));  // FNV-1a of "a"
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 10000; ++i) seen.insert(hash_name("service/" + std::to_string(i)));
    CHECK(seen.size() == 10000);
}

}  // namespace
}  // namespace headroom
