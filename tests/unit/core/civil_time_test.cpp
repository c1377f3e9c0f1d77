#include "sim/core/civil_time.hpp"

#include "tests/catch.hpp"

namespace headroom {

TEST_CASE("CivilTime: dates and days are the same, leap years included") {
    CHECK(days_from_civil({1970, 1, 1}) == 0);
    CHECK(days_from_civil({1969, 12, 31}) == -1);
    // 30 years of 365 days, with Feb 29 in 1972, 76, 80, 84, 88, 92, 96: 10'957 days to 2000-01-01.
    CHECK(days_from_civil({2000, 1, 1}) == 10'957);
    CHECK(days_from_civil({2000, 3, 1}) == 10'957 + 31 + 29);
    CHECK(days_in_month(2000, 2) == 29);
    CHECK(days_in_month(1900, 2) == 28);
    CHECK(days_in_month(2100, 2) == 28);
    CHECK(days_in_month(2024, 2) == 29);
    CHECK(weekday_of(0) == 4);
    CHECK(weekday_of(-5) == 6);
    CHECK(civil_text(1'709'201'107) == "Thu 2024-02-29 10:05:07");
    CHECK(civil_text(-1) == "Wed 1969-12-31 23:59:59");
    CivilDate date{1890, 1, 1};
    for (std::int64_t days = days_from_civil(date); date.year < 2110; ++days) {
        if (civil_from_days(days) != date || days_from_civil(date) != days) {
            FAIL(date.year << "-" << date.month << "-" << date.day);
        }
        if (++date.day <= days_in_month(date.year, date.month)) continue;
        date.day = 1;
        date.year += date.month == 12 ? 1 : 0;
        date.month = date.month % 12 + 1;
    }
}

}  // namespace headroom
