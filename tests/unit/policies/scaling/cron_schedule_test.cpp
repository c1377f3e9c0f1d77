#include "policies/scaling/cron/cron_schedule.hpp"

#include <array>
#include <limits>
#include <string>

#include "sim/core/civil_time.hpp"
#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

CronSchedule cron(const std::string& text) {
    std::string error;
    const auto parsed = CronSchedule::parse(text, error);
    INFO(text << ": " << error);
    REQUIRE(parsed.has_value());
    return *parsed;
}

std::string error_of(const std::string& text) {
    std::string error;
    INFO(text);
    CHECK_FALSE(CronSchedule::parse(text, error).has_value());
    return error;
}

/// Unix time of a UTC date and time.
std::int64_t unix_time(std::int64_t year, int month, int day, int hour = 0, int minute = 0,
                       int second = 0) {
    return days_from_civil({year, month, day}) * kSecondsPerDay + hour * 3600 + minute * 60 +
           second;
}

std::string next(const std::string& text, std::int64_t after) {
    return civil_text(cron(text).next_after(after));
}

std::string last(const std::string& text, std::int64_t until) {
    return civil_text(cron(text).last_at_or_before(until));
}

TEST_CASE("CronSchedule: the next time is strictly after, the last one at or before") {
    const std::int64_t eight = unix_time(2023, 11, 16, 8);
    CHECK(next("0 8 * * *", eight - 1) == "Thu 2023-11-16 08:00:00");
    CHECK(next("0 8 * * *", eight) == "Fri 2023-11-17 08:00:00");
    CHECK(last("0 8 * * *", eight) == "Thu 2023-11-16 08:00:00");
    CHECK(last("0 8 * * *", eight - 1) == "Wed 2023-11-15 08:00:00");
    CHECK(last("0 8 * * *", eight + 59) == "Thu 2023-11-16 08:00:00");
    CHECK(next("* * * * *", eight + 59) == "Thu 2023-11-16 08:01:00");
    CHECK(next("59 23 31 12 *", unix_time(2023, 12, 31, 23, 59)) == "Tue 2024-12-31 23:59:00");
    CHECK(last("59 23 31 12 *", unix_time(2023, 1, 1)) == "Sat 2022-12-31 23:59:00");
    // Before 1970 the divisions must round down.
    CHECK(next("* * * * *", -1) == "Thu 1970-01-01 00:00:00");
    CHECK(last("* * * * *", -1) == "Wed 1969-12-31 23:59:00");
}

TEST_CASE("CronSchedule: lists, ranges and steps") {
    const std::int64_t midnight = unix_time(2023, 11, 16) - 1;
    CHECK(next("*/15 * * * *", midnight + 1) == "Thu 2023-11-16 00:15:00");
    CHECK(next("5/20 * * * *", unix_time(2023, 11, 16, 0, 26)) == "Thu 2023-11-16 00:45:00");
    CHECK(next("5/20 * * * *", unix_time(2023, 11, 16, 0, 45)) == "Thu 2023-11-16 01:05:00");
    CHECK(next("10-40/10 6 * * *", unix_time(2023, 11, 16, 6, 40)) == "Fri 2023-11-17 06:10:00");
    CHECK(next("0 9,12-13,18 * * *", unix_time(2023, 11, 16, 9)) == "Thu 2023-11-16 12:00:00");
    CHECK(next("0 9,12-13,18 * * *", unix_time(2023, 11, 16, 13)) == "Thu 2023-11-16 18:00:00");
    CHECK(last("0 9,12-13,18 * * *", unix_time(2023, 11, 16, 17, 59)) == "Thu 2023-11-16 13:00:00");
    CHECK(next("7 */400 * * *", unix_time(2023, 11, 16, 0, 7)) == "Fri 2023-11-17 00:07:00");
    CHECK(next("  0\t8  * * ?  ", midnight) == "Thu 2023-11-16 08:00:00");
}

TEST_CASE("CronSchedule: names of months and weekdays, and Sunday by three names") {
    const std::int64_t thursday = unix_time(2023, 11, 16);
    CHECK(next("0 0 1 FEB *", thursday) == "Thu 2024-02-01 00:00:00");
    CHECK(next("0 0 1 jan-mar/2 *", unix_time(2024, 1, 1)) == "Fri 2024-03-01 00:00:00");
    CHECK(next("0 8 * * Mon-Fri", unix_time(2023, 11, 17, 8)) == "Mon 2023-11-20 08:00:00");
    for (const char* sunday : {"0", "7", "sun", "SUN"}) {
        CHECK(next(std::string("0 0 * * ") + sunday, thursday) == "Sun 2023-11-19 00:00:00");
    }
    CHECK(next("0 0 * * 5-7", unix_time(2023, 11, 18)) == "Sun 2023-11-19 00:00:00");
    CHECK(next("0 0 * * fri-sun", unix_time(2023, 11, 19)) == "Fri 2023-11-24 00:00:00");
    CHECK(next("0 0 * * 0-7", thursday) == "Fri 2023-11-17 00:00:00");
    // Monday, Wednesday, Friday; never the 7 that means Sunday.
    CHECK(next("0 0 * * 1/2", unix_time(2023, 11, 17)) == "Mon 2023-11-20 00:00:00");
}

TEST_CASE("CronSchedule: with both day fields restricted either of them names a day") {
    // The 1st, the 15th and every Friday.
    const std::string both = "0 0 1,15 * fri";
    CHECK(next(both, unix_time(2023, 11, 10)) == "Wed 2023-11-15 00:00:00");
    CHECK(next(both, unix_time(2023, 11, 15)) == "Fri 2023-11-17 00:00:00");
    CHECK(last(both, unix_time(2023, 12, 7)) == "Fri 2023-12-01 00:00:00");
    CHECK(last(both, unix_time(2023, 11, 16)) == "Wed 2023-11-15 00:00:00");
    // One of them a star, with or without a step of 1: the other alone.
    CHECK(next("0 0 13 * *", unix_time(2023, 11, 10)) == "Mon 2023-11-13 00:00:00");
    CHECK(next("0 0 */1 * fri", unix_time(2023, 11, 10)) == "Fri 2023-11-17 00:00:00");
    // A step restricts: every other day from the 1st, or a Friday.
    CHECK(next("0 0 */2 * fri", unix_time(2023, 11, 9)) == "Fri 2023-11-10 00:00:00");
    CHECK(next("0 0 */2 * fri", unix_time(2023, 11, 11)) == "Mon 2023-11-13 00:00:00");
}

TEST_CASE("CronSchedule: ends of months, leap days and days that never come") {
    CHECK(next("0 0 31 * *", unix_time(2023, 1, 31)) == "Fri 2023-03-31 00:00:00");
    CHECK(next("0 0 31 * *", unix_time(2023, 3, 31)) == "Wed 2023-05-31 00:00:00");
    CHECK(last("0 0 30 * *", unix_time(2023, 3, 1)) == "Mon 2023-01-30 00:00:00");
    CHECK(next("0 12 29 2 *", unix_time(2023, 3, 1)) == "Thu 2024-02-29 12:00:00");
    CHECK(next("0 12 29 2 *", unix_time(2024, 2, 29, 12)) == "Tue 2028-02-29 12:00:00");
    CHECK(last("0 12 29 2 *", unix_time(2024, 2, 29, 11)) == "Sat 2020-02-29 12:00:00");
    // 2100 is no leap year: eight years without a Feb 29.
    CHECK(next("0 0 29 2 *", unix_time(2096, 2, 29)) == "Fri 2104-02-29 00:00:00");
    CHECK(last("0 0 29 2 *", unix_time(2104, 2, 28)) == "Wed 2096-02-29 00:00:00");
    CHECK(cron("0 0 30 2 *").next_after(0) == -1);
    CHECK(cron("0 0 30 2 *").last_at_or_before(0) == -1);
    CHECK(cron("0 0 31 4,6,9,11 *").next_after(unix_time(2023, 1, 1)) == -1);
    // Restricted by both, the 30th of February is saved by its Sundays.
    CHECK(next("0 0 30 2 sun", unix_time(2023, 3, 1)) == "Sun 2024-02-04 00:00:00");
    const std::int64_t far = std::numeric_limits<std::int64_t>::max();
    CHECK(cron("* * * * *").next_after(far) == -1);
    CHECK(cron("* * * * *").last_at_or_before(-far - 1) == -1);
}

TEST_CASE("CronSchedule: descriptors stand for five fields") {
    const std::int64_t now = unix_time(2023, 11, 16, 10, 30);
    CHECK(next("@hourly", now) == "Thu 2023-11-16 11:00:00");
    CHECK(next("@daily", now) == "Fri 2023-11-17 00:00:00");
    CHECK(next("@midnight", now) == "Fri 2023-11-17 00:00:00");
    CHECK(next("@weekly", now) == "Sun 2023-11-19 00:00:00");
    CHECK(next("@monthly", now) == "Fri 2023-12-01 00:00:00");
    CHECK(next("@yearly", now) == "Mon 2024-01-01 00:00:00");
    CHECK(last("@annually", now) == "Sun 2023-01-01 00:00:00");
}

TEST_CASE("CronSchedule: says which field is wrong, all of them at once") {
    CHECK(error_of("60 * * * *") == "minute: expected a value in 0..59, found \"60\"");
    CHECK(error_of("0 24 32 * *") ==
          "hour: expected a value in 0..23, found \"24\"; "
          "day of month: expected a value in 1..31, found \"32\"");
    CHECK(error_of("0 0 * foo *") == "month: expected a value in 1..12 or jan..dec, found \"foo\"");
    CHECK(error_of("0 0 * * 8") ==
          "day of week: expected a value in 0..7 or sun..sat, found \"8\"");
    CHECK(error_of("*/0 * * * *") ==
          "minute: expected a step of at least 1 after \"/\", found \"*/0\"");
    CHECK(error_of("0 17-9 * * *") == "hour: expected a range that ascends, found \"17-9\"");
    CHECK(error_of("0 0 * *").find("found 4") != std::string::npos);
    CHECK(error_of("0 0 0 * * *").find("found 6") != std::string::npos);
    CHECK(error_of("").find("found 0") != std::string::npos);
    CHECK(error_of("@fortnightly").find("@weekly") != std::string::npos);
    for (const char* bad :
         {", * * * *", "1, * * * *", "1-2-3 * * * *", "*-5 * * * *", "1/2/3 * * * *", "- * * * *",
          "-1 * * * *", "+1 * * * *", "1.5 * * * *", "*/ * * * *", "/5 * * * *", "1- * * * *",
          "99999999999 * * * *", "*/99999999999 * * * *", "jan * * * *", "@every 5m", "@"}) {
        CHECK_FALSE(error_of(bad).empty());
    }
}

/// A field with its values written out, for the slow twin.
struct Field {
    std::string text;
    std::array<bool, 60> has = {};
    bool any = false;
};

Field draw_field(const RandomStream& random, std::uint64_t index, std::uint64_t field, int least,
                 int most) {
    Field out;
    const auto span = static_cast<std::uint64_t>(most - least + 1);
    if (random.below(3, index, field) == 0) {
        out.text = "*";
        out.any = true;
        for (int v = least; v <= most; ++v) out.has[static_cast<std::size_t>(v)] = true;
        return out;
    }
    const std::uint64_t parts = 1 + random.below(3, index, 10 + field);
    for (std::uint64_t part = 0; part < parts; ++part) {
        const std::uint64_t draw = 100 * (part + 1) + field;
        const int first = least + static_cast<int>(random.below(span, index, draw));
        const auto rest = static_cast<std::uint64_t>(most - first + 1);
        const int last = first + static_cast<int>(random.below(rest, index, draw + 10));
        const int step = 1 + static_cast<int>(random.below(5, index, draw + 20));
        out.text += std::string(part == 0 ? "" : ",") + std::to_string(first) + "-" +
                    std::to_string(last) + "/" + std::to_string(step);
        for (int v = first; v <= last; v += step) out.has[static_cast<std::size_t>(v)] = true;
    }
    return out;
}

TEST_CASE("CronSchedule: agrees with a clock that is watched minute by minute") {
    constexpr std::uint64_t kSeed = 20'231'116;
    const RandomStream random{kSeed, "cron"};
    for (std::uint64_t index = 0; index < 60; ++index) {
        const Field minute = draw_field(random, index, 0, 0, 59);
        const Field hour = draw_field(random, index, 1, 0, 23);
        const Field day = draw_field(random, index, 2, 1, 31);
        const Field month = draw_field(random, index, 3, 1, 12);
        const Field weekday = draw_field(random, index, 4, 0, 6);
        const std::string text =
            minute.text + " " + hour.text + " " + day.text + " " + month.text + " " + weekday.text;
        INFO(text << ", seed " << kSeed << ", case " << index);
        const CronSchedule schedule = cron(text);
        const std::int64_t begin =
            unix_time(2023, 12, 1) + 86'400 * static_cast<std::int64_t>(index);
        std::int64_t expected_last = -1;
        for (std::int64_t t = begin; t < begin + 100 * kSecondsPerDay; t += 60) {
            const CivilDate date = civil_from_days(t / kSecondsPerDay);
            const bool by_day = day.has[static_cast<std::size_t>(date.day)];
            const auto week = static_cast<std::size_t>((t / kSecondsPerDay + 4) % 7);
            const bool either = !day.any && !weekday.any;
            const bool matches =
                minute.has[static_cast<std::size_t>(t / 60 % 60)] &&
                hour.has[static_cast<std::size_t>(t / 3600 % 24)] &&
                month.has[static_cast<std::size_t>(date.month)] &&
                (either ? by_day || weekday.has[week] : by_day && weekday.has[week]);
            if (!matches) continue;
            if (expected_last >= 0) {
                if (schedule.next_after(expected_last) != t) FAIL(civil_text(t));
                if (schedule.next_after(t - 1) != t) FAIL(civil_text(t));
                if (schedule.last_at_or_before(t - 1) != expected_last) FAIL(civil_text(t));
            }
            expected_last = t;
        }
        if (expected_last >= 0) CHECK(schedule.last_at_or_before(expected_last) == expected_last);
    }
}

}  // namespace
}  // namespace headroom::policies
