#include "policies/scaling/sliding_maximum.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

TEST_CASE("SlidingMaximum: a value counts up to and at the age of the window") {
    SlidingMaximum maximum(60);
    CHECK(maximum.empty(0));
    maximum.note(0, 7);
    maximum.note(30, 5);
    CHECK(maximum.maximum(60) == 7);
    CHECK(maximum.maximum(61) == 5);
    maximum.note(61, 6);
    CHECK(maximum.maximum(61) == 6);
    CHECK(maximum.empty(122));
    SlidingMaximum present(0);
    present.note(5, 9);
    present.note(6, 1);
    CHECK(present.maximum(6) == 1);
}

TEST_CASE("SlidingMaximum: of several values at one position the largest counts") {
    SlidingMaximum maximum(2);
    const auto noted = [&](std::int64_t at, std::int64_t value) {
        maximum.note(at, value);
        return maximum.maximum(at);
    };
    CHECK(noted(0, 5) == 5);
    CHECK(noted(1, 3) == 5);
    CHECK(noted(2, 4) == 5);
    CHECK(noted(3, 1) == 4);  // 0 is out; 3 was hidden by 4
    CHECK(noted(3, 2) == 4);
    CHECK(noted(3, 1) == 4);
    CHECK(noted(5, 0) == 2);
    CHECK(noted(9, 0) == 0);
}

TEST_CASE("SlidingMaximum: agrees with a search through all that was noted") {
    constexpr std::uint64_t kSeed = 77;
    const RandomStream random{kSeed, "maximum"};
    for (const std::int64_t window : {0, 1, 10, 100}) {
        SlidingMaximum maximum(window);
        std::vector<std::pair<std::int64_t, std::int64_t>> all;
        std::int64_t now = 0;
        for (std::uint64_t i = 0; i < 3000; ++i) {
            now += static_cast<std::int64_t>(random.below(8, i, 0));
            const auto value = static_cast<std::int64_t>(random.below(50, i, 1));
            maximum.note(now, value);
            all.emplace_back(now, value);
            std::int64_t expected = 0;
            for (const auto& [when, noted] : all) {
                if (now - when <= window) expected = std::max(expected, noted);
            }
            if (maximum.maximum(now) != expected) FAIL("round " << i << ", window " << window);
        }
    }
}

}  // namespace
}  // namespace headroom::policies
