/// Civil time: dates of the proleptic Gregorian calendar from days since 1970-01-01 and back, in
/// integers, without the system's time functions and without leap seconds (as Unix time has none).
/// All O(1).
///
///     civil_from_days(19'782)                {2024, 2, 29}
///     days_from_civil({2024, 2, 29})         19'782
///     weekday_of(19'782)                     4, a Thursday; 0 is Sunday
///     civil_text(1'709'200'800)              "Thu 2024-02-29 10:00:00"
///
/// Exact for the years -2^31 .. 2^31. Source: H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms" (https://howardhinnant.github.io/date_algorithms.html): the year begins in March, so
/// that the day that comes and goes is its last.
#pragma once

#include <cstdint>
#include <string>

namespace headroom::inline core {

inline constexpr std::int64_t kSecondsPerDay = 86'400;

struct CivilDate {
    std::int64_t year = 1970;
    int month = 1;  ///< 1..12
    int day = 1;    ///< 1..31

    bool operator==(const CivilDate&) const = default;
};

/// The quotient rounded towards minus infinity; `divisor` is positive.
[[nodiscard]] constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

[[nodiscard]] std::int64_t days_from_civil(const CivilDate& date);
[[nodiscard]] CivilDate civil_from_days(std::int64_t days);
/// Days of the month, 28 to 31.
[[nodiscard]] int days_in_month(std::int64_t year, int month);
/// 0 is Sunday, 6 Saturday.
[[nodiscard]] int weekday_of(std::int64_t days);
/// For messages: weekday, date and time of a Unix time.
[[nodiscard]] std::string civil_text(std::int64_t unix_s);

}  // namespace headroom::inline core
