#include "sim/core/ascii.hpp"

#include "tests/catch.hpp"

namespace headroom {

TEST_CASE("ASCII: case is that of its letters only, and length counts") {
    CHECK(equal_in_any_case("Mon", "mON"));
    CHECK(equal_in_any_case("", ""));
    CHECK_FALSE(equal_in_any_case("mon", "mond"));
    CHECK_FALSE(equal_in_any_case("mond", "mon"));
    CHECK_FALSE(equal_in_any_case("[", "{"));  // letters would be so far apart
    CHECK_FALSE(equal_in_any_case("\xC4", "\xE4"));
}

}  // namespace headroom
