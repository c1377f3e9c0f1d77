#include "sim/metrics/digest.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::metrics {
namespace {

enum class Kind : std::uint8_t { arrived = 1, finished = 2 };

std::pair<std::uint64_t, std::uint64_t> halves(Uint128 x) {
    return {static_cast<std::uint64_t>(x >> 64), static_cast<std::uint64_t>(x)};
}

template <class T>
concept Addable = requires(DigestRecord record, T value) {
    record.add(value);
};

TEST_CASE("Digest: an empty one is 32 zeros") {
    CHECK(Digest{}.hex() == std::string(32, '0'));
}

TEST_CASE("Digest: hashes are fixed for all time") {
    Digest digest;
    digest.add(DigestRecord{Kind::arrived}.add(1).add(Time::picoseconds(123456789)));
    digest.add(DigestRecord{Kind::finished}.add(1).add(Duration::seconds(3)).add(-1));
    CHECK(digest.hex() == "df8c1cf1ac116c0683da6b39e2ce7cc3");
    Digest list;
    list.add(Digest::hash({1, 2, 3}));
    CHECK(list.hex() == "c9a525df4ac462222d667b8c0ee2375c");
}

TEST_CASE("Digest: hex shows all 128 bits, the highest first") {
    Digest digest;
    digest.add(static_cast<Uint128>(0x0123456789abcdefULL) << 64 | 0xfedcba9876543210ULL);
    CHECK(digest.hex() == "0123456789abcdeffedcba9876543210");
}

TEST_CASE("Digest: neither order nor the split into cells matters") {
    Digest forward, backward, left, right;
    for (int i = 0; i < 1000; ++i) {
        forward.add(DigestRecord{Kind::arrived}.add(i).add(i * i));
        const int j = 999 - i;
        backward.add(DigestRecord{Kind::arrived}.add(j).add(j * j));
        (i % 7 == 0 ? left : right).add(DigestRecord{Kind::arrived}.add(i).add(i * i));
    }
    CHECK(forward == backward);
    CHECK_FALSE(left == forward);
    left.merge(right);
    CHECK(left == forward);
    CHECK(left.hex() == forward.hex());
}

TEST_CASE("Digest: depends on kind, place, count and each word") {
    const auto hash = [](Kind kind, std::vector<std::int64_t> words) {
        DigestRecord record{kind};
        for (const std::int64_t word : words) record.add(word);
        return halves(record.hash());
    };
    const auto base = hash(Kind::arrived, {1, 2, 3});
    CHECK(base == hash(Kind::arrived, {1, 2, 3}));
    CHECK(base != hash(Kind::finished, {1, 2, 3}));
    CHECK(base != hash(Kind::arrived, {2, 1, 3}));
    CHECK(base != hash(Kind::arrived, {1, 3, 2}));
    CHECK(base != hash(Kind::arrived, {1, 2, 4}));
    CHECK(base != hash(Kind::arrived, {1, 2, 3, 0}));
    CHECK(hash(Kind::arrived, {}) != hash(Kind::arrived, {0}));
    CHECK(hash(Kind::arrived, {0}) != hash(Kind::arrived, {0, 0}));
    CHECK(hash(Kind::arrived, {1, 0}) != hash(Kind::arrived, {0, 1}));
}

TEST_CASE("Digest: a repeated record does not cancel") {
    Digest digest;
    for (int i = 0; i < 2; ++i) digest.add(DigestRecord{Kind::arrived}.add(5));
    CHECK(digest.value() != 0);
    Digest once;
    once.add(DigestRecord{Kind::arrived}.add(5));
    CHECK_FALSE(digest == once);
}

TEST_CASE("Digest: no two of many similar records share a hash in either half") {
    std::set<std::uint64_t> high, low;
    std::size_t records = 0;
    for (std::uint64_t a = 0; a < 60; ++a) {
        for (std::uint64_t b = 0; b < 60; ++b) {
            for (std::uint64_t c = 0; c < 20; ++c, ++records) {
                const auto [h, l] =
                    halves(DigestRecord{Kind::arrived}.add(a).add(b).add(c << 40).hash());
                high.insert(h);
                low.insert(l);
            }
        }
    }
    CHECK(high.size() == records);
    CHECK(low.size() == records);
}

TEST_CASE("Digest: a flipped bit of any word flips each bit of the hash half of the time") {
    const RandomStream random{1, "avalanche"};
    std::vector<int> flips(128, 0);
    int trials = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
        std::uint64_t words[3] = {random.bits(i, 0) >> random.below(64, i, 4), random.bits(i, 1),
                                  random.below(100, i, 2)};
        const auto hash = [&] {
            return DigestRecord{Kind::finished}.add(words[0]).add(words[1]).add(words[2]).hash();
        };
        const Uint128 before = hash();
        for (auto& word : words) {
            for (int bit = 0; bit < 64; bit += 3) {
                word ^= 1ULL << bit;
                const Uint128 changed = before ^ hash();
                word ^= 1ULL << bit;
                ++trials;
                for (std::size_t k = 0; k < 128; ++k)
                    flips[k] += static_cast<int>(changed >> k & 1U);
            }
        }
    }
    for (const int n : flips) CHECK(n == Approx(trials / 2.0).epsilon(0.07));
}

TEST_CASE("Digest: strong types enter, doubles do not") {
    using Thing = Id<struct DigestThingTag>;
    CHECK(DigestRecord{1}.add(Tokens{7}).hash() == DigestRecord{1}.add(7).hash());
    CHECK(DigestRecord{1}.add(Time::picoseconds(7)).hash() == DigestRecord{1}.add(7).hash());
    CHECK(DigestRecord{1}.add(Kind::finished).hash() == DigestRecord{1}.add(2).hash());
    CHECK(DigestRecord{1}.add(Thing{3, 0}).hash() != DigestRecord{1}.add(Thing{3, 1}).hash());
    CHECK(DigestRecord{1}.add(-1).hash() == DigestRecord{1}.add(std::int64_t{-1}).hash());
    static_assert(Addable<int> && Addable<bool> && Addable<Duration>);
    static_assert(!Addable<double> && !Addable<float>);
}

}  // namespace
}  // namespace headroom::metrics
