#include "sim/serving/prefix_lru.hpp"

#include <algorithm>
#include <list>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::serving {
namespace {

/// The slow, obvious twin.
class ListLru {
  public:
    explicit ListLru(std::size_t capacity) : capacity_(capacity) {}
    bool touch(std::uint64_t key) {
        const bool held = erase(key);
        keys_.push_front(key);
        if (keys_.size() > capacity_) keys_.pop_back();
        return held;
    }
    bool erase(std::uint64_t key) {
        const auto at = std::find(keys_.begin(), keys_.end(), key);
        if (at == keys_.end()) return false;
        keys_.erase(at);
        return true;
    }
    [[nodiscard]] bool contains(std::uint64_t key) const {
        return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
    }
    void clear() { keys_.clear(); }
    [[nodiscard]] const std::list<std::uint64_t>& keys() const { return keys_; }

  private:
    std::size_t capacity_;
    std::list<std::uint64_t> keys_;
};

TEST_CASE("PrefixLru: gives up the key touched longest ago") {
    PrefixLru lru(3);
    CHECK_FALSE(lru.oldest().has_value());
    CHECK_FALSE(lru.touch(0));
    CHECK_FALSE(lru.touch(1));
    CHECK_FALSE(lru.touch(2));
    CHECK(lru.touch(0));
    CHECK(lru.oldest() == 1U);
    CHECK_FALSE(lru.touch(3));
    CHECK_FALSE(lru.contains(1));
    CHECK(lru.contains(0));
    CHECK(lru.size() == 3);
    CHECK(lru.erase(2));
    CHECK_FALSE(lru.erase(2));
    CHECK(lru.size() == 2);
    CHECK(lru.oldest() == 0U);
    lru.clear();
    CHECK(lru.size() == 0);
    CHECK_FALSE(lru.contains(0));
    CHECK_FALSE(lru.touch(0));
}

TEST_CASE("PrefixLru: a capacity of one holds the last key") {
    PrefixLru lru(1);
    CHECK_FALSE(lru.touch(7));
    CHECK(lru.touch(7));
    CHECK_FALSE(lru.touch(8));
    CHECK_FALSE(lru.contains(7));
    CHECK(lru.oldest() == 8U);
}

TEST_CASE("PrefixLru: a match is the leading run, and touches nothing") {
    PrefixLru lru(4);
    for (const std::uint64_t key : {1, 2, 4}) lru.touch(key);
    CHECK(lru.match(std::vector<std::uint64_t>{1, 2, 3, 4}) == 2);
    CHECK(lru.match(std::vector<std::uint64_t>{3, 1}) == 0);
    CHECK(lru.match(std::vector<std::uint64_t>{4, 2}) == 2);
    CHECK(lru.match({}) == 0);
    CHECK(lru.oldest() == 1U);
}

TEST_CASE("PrefixLru: does in random cases what a list does") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const RandomStream random(seed, "prefix-lru");
        // Few keys above the capacity, many, and no limit that is met; some close together.
        const std::uint64_t capacity = 1 + random.below(90, 0);
        const std::uint64_t range = 1 + random.below(3 * capacity + 10, 1);
        const std::uint64_t spread = seed % 2 == 0 ? 1 : 0x123456789abcdefULL;
        PrefixLru lru(static_cast<std::uint32_t>(capacity));
        ListLru twin(capacity);
        CAPTURE(seed, capacity, range);
        for (std::uint64_t step = 2; step < 6'000; ++step) {
            const std::uint64_t key = random.below(range, step) * spread;
            const std::uint64_t action = random.below(1000, step, 1);
            if (action < 700) {
                REQUIRE(lru.touch(key) == twin.touch(key));
            } else if (action < 850) {
                REQUIRE(lru.erase(key) == twin.erase(key));
            } else if (action < 999) {
                REQUIRE(lru.contains(key) == twin.contains(key));
            } else {
                lru.clear();
                twin.clear();
            }
            REQUIRE(lru.size() == twin.keys().size());
            REQUIRE(lru.oldest().has_value() == !twin.keys().empty());
            if (lru.oldest()) REQUIRE(*lru.oldest() == twin.keys().back());
        }
        // Emptied from the oldest on: the whole order.
        while (lru.oldest()) {
            REQUIRE(*lru.oldest() == twin.keys().back());
            lru.erase(*lru.oldest());
            twin.erase(twin.keys().back());
        }
    }
}

TEST_CASE("PrefixLru: a prefix's key depends on every id of it and on their order") {
    CHECK(prefix_key(0, 0) != 0);
    CHECK(prefix_key(prefix_key(0, 0), 0) != prefix_key(0, 0));
    CHECK(prefix_key(prefix_key(0, 1), 2) != prefix_key(prefix_key(0, 2), 1));
    CHECK(prefix_key(prefix_key(0, 1), 2) == prefix_key(prefix_key(0, 1), 2));
}

}  // namespace
}  // namespace headroom::serving
