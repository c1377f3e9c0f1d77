#include "sim/cluster/image_cache.hpp"

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::cluster {
namespace {

using tests::at;

TEST_CASE("ImageCache: the least recently used goes first, and never what is in use") {
    ImageCache cache{Bytes{100}};
    REQUIRE(cache.insert("a", Bytes{40}, at(1)));
    REQUIRE(cache.insert("b", Bytes{40}, at(2)));
    REQUIRE(cache.acquire("a", at(3)));
    REQUIRE(cache.insert("c", Bytes{40}, at(4)));
    CHECK(cache.contains("a"));
    CHECK_FALSE(cache.contains("b"));
    CHECK(cache.used() == Bytes{80});
    CHECK(cache.size() == 2);
    REQUIRE(cache.insert("d", Bytes{60}, at(5)));  // a is pinned, so c goes
    CHECK(cache.contains("a"));
    CHECK_FALSE(cache.contains("c"));
    CHECK(cache.used() == Bytes{100});
}

TEST_CASE("ImageCache: what cannot fit beside the pinned is refused and evicts nothing") {
    ImageCache cache{Bytes{100}};
    REQUIRE(cache.insert("pinned", Bytes{50}, at(1)));
    REQUIRE(cache.acquire("pinned", at(1)));
    REQUIRE(cache.insert("idle", Bytes{50}, at(2)));
    CHECK_FALSE(cache.insert("big", Bytes{51}, at(3)));
    CHECK(cache.contains("idle"));
    cache.release("pinned", at(4));
    CHECK(cache.pinned() == Bytes{0});
    CHECK(cache.insert("big", Bytes{100}, at(5)));
    CHECK(cache.size() == 1);
}

TEST_CASE("ImageCache: use, not arrival, makes an entry young, and ties go by name") {
    ImageCache cache{Bytes{100}};
    REQUIRE(cache.insert("a", Bytes{50}, at(1)));
    REQUIRE(cache.insert("b", Bytes{50}, at(2)));
    REQUIRE(cache.acquire("a", at(3)));
    cache.release("a", at(4));
    REQUIRE(cache.insert("c", Bytes{50}, at(5)));
    CHECK_FALSE(cache.contains("b"));
    ImageCache tie{Bytes{100}};
    REQUIRE(tie.insert("z", Bytes{50}, at(1)));
    REQUIRE(tie.insert("y", Bytes{50}, at(1)));
    REQUIRE(tie.insert("x", Bytes{50}, at(2)));
    CHECK_FALSE(tie.contains("y"));
}

TEST_CASE("ImageCache: several users pin one entry") {
    ImageCache cache;
    CHECK_FALSE(cache.acquire("a", at(1)));
    REQUIRE(cache.insert("a", gibibytes(9), at(2)));
    CHECK(cache.acquire("a", at(2)));
    CHECK(cache.acquire("a", at(3)));
    CHECK(cache.pinned() == gibibytes(9));
    cache.release("a", at(4));
    CHECK(cache.pinned() == gibibytes(9));
    cache.release("a", at(5));
    CHECK(cache.pinned() == Bytes{0});
    CHECK(cache.insert("a", gibibytes(9), at(6)));
    CHECK(cache.used() == gibibytes(9));
}

}  // namespace
}  // namespace headroom::cluster
