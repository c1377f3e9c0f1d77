#include "analysis/statistics/moments.hpp"

#include <limits>
#include <vector>

#include "tests/aborts.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {

TEST_CASE("Moments: of hand-worked numbers") {
    const Moments moments = moments_of(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
    CHECK(moments.count == 8);
    CHECK(moments.mean == 5);
    CHECK(moments.squares == 32);
    CHECK(moments.variance() == 32.0 / 7);
}

TEST_CASE("Moments: none and one have no variance") {
    CHECK(moments_of({}).count == 0);
    CHECK(moments_of({}).mean == 0);
    CHECK(moments_of({}).variance() == 0);
    CHECK(moments_of(std::vector<double>{3.5}).mean == 3.5);
    CHECK(moments_of(std::vector<double>{3.5}).variance() == 0);
}

TEST_CASE("Moments: equal values are exactly their mean, however many") {
    for (const double value : {0.1, 1.0 / 3, -1e-300, 12345.678, 1e300}) {
        for (std::size_t n = 1; n <= 300; ++n) {
            const Moments moments = moments_of(std::vector<double>(n, value));
            INFO(n << " times " << value);
            REQUIRE(moments.mean == value);
            REQUIRE(moments.squares == 0);
        }
    }
}

TEST_CASE("Moments: neither a large offset nor terms that cancel cost digits") {
    const Moments offset = moments_of(std::vector<double>{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16});
    CHECK(offset.mean == 1e9 + 10);
    CHECK(offset.variance() == 30);
    CHECK(moments_of(std::vector<double>{1e16, 1, -1e16}).mean == 1.0 / 3);
}

TEST_CASE("Moments: a value that is not finite is refused") {
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        CHECK(tests::aborts([&] { static_cast<void>(moments_of(std::vector<double>{1, value})); }));
    }
    CHECK_FALSE(tests::aborts([] { static_cast<void>(moments_of(std::vector<double>{1, 2})); }));
}

}  // namespace headroom::analysis
