#include "sim/core/civil_time.hpp"

#include <fmt/format.h>

#include <array>

namespace headroom::inline core {

namespace {

// The calendar repeats after 400 years, which begin with a March here.
constexpr std::int64_t kDaysOfEra = 146'097;
constexpr std::int64_t kDaysToEpoch = 719'468;  // from 0000-03-01 to 1970-01-01

}  // namespace

std::int64_t days_from_civil(const CivilDate& date) {
    const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
    const std::int64_t era = floor_divide(year, 400);
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t month = date.month + (date.month > 2 ? -3 : 9);
    const std::int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * kDaysOfEra + day_of_era - kDaysToEpoch;
}

CivilDate civil_from_days(std::int64_t days) {
    const std::int64_t shifted = days + kDaysToEpoch;
    const std::int64_t era = floor_divide(shifted, kDaysOfEra);
    const std::int64_t day_of_era = shifted - era * kDaysOfEra;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month = (5 * day_of_year + 2) / 153;
    const auto day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
    const auto civil_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
    return {year_of_era + era * 400 + (civil_month <= 2 ? 1 : 0), civil_month, day};
}

int days_in_month(std::int64_t year, int month) {
    constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

int weekday_of(std::int64_t days) {
    constexpr std::int64_t kWeekdayOfEpoch = 4;  // 1970-01-01 was a Thursday
    const std::int64_t shifted = days + kWeekdayOfEpoch;
    return static_cast<int>(shifted - floor_divide(shifted, 7) * 7);
}

std::string civil_text(std::int64_t unix_s) {
    constexpr std::array<const char*, 7> kNames = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    const std::int64_t days = floor_divide(unix_s, kSecondsPerDay);
    const std::int64_t second = unix_s - days * kSecondsPerDay;
    const CivilDate date = civil_from_days(days);
    return fmt::format("{} {:04}-{:02}-{:02} {:02}:{:02}:{:02}",
                       kNames[static_cast<std::size_t>(weekday_of(days))], date.year, date.month,
                       date.day, second / 3600, second / 60 % 60, second % 60);
}

}  // namespace headroom::inline core
