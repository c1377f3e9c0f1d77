#include "policies/scaling/cron/cron_schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "sim/core/ascii.hpp"
#include "sim/core/civil_time.hpp"

namespace headroom::policies {

namespace {

constexpr std::int64_t kLatest = 1'000'000'000'000'000;
constexpr std::int64_t kMinutesPerDay = 1440;
constexpr int kMonthsSearched = 97;  // this one and those of 8 years: the longest gap of Feb 29

struct FieldRules {
    std::string_view name;
    int least;
    int most;
    std::array<std::string_view, 12> value_names = {};
    int first_named = 0;  ///< the value of value_names[0]
    std::string_view help = {};
    int star_most = most;  ///< where `*` and `N/step` end
};

constexpr std::array<FieldRules, 5> kFields = {
    {{"minute", 0, 59},
     {"hour", 0, 23},
     {"day of month", 1, 31},
     {"month",
      1,
      12,
      {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
      1,
      " or jan..dec"},
     {"day of week",
      0,
      7,
      {"sun", "mon", "tue", "wed", "thu", "fri", "sat"},
      0,
      " or sun..sat",
      6}}};
constexpr std::size_t kDayOfWeek = 4;

struct Field {
    std::uint64_t bits = 0;
    bool any = false;  ///< a `*` without a step: the field restricts nothing
};

/// nullopt when it is not all digits, or too many of them for any field.
std::optional<int> parse_number(std::string_view text) {
    if (text.empty() || text.size() > 9) return std::nullopt;
    int value = 0;
    for (const char c : text) {
        if (!is_digit(c)) return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::optional<int> parse_value(const FieldRules& rules, std::string_view text) {
    for (std::size_t i = 0; i < rules.value_names.size() && !text.empty(); ++i) {
        if (equal_in_any_case(rules.value_names[i], text)) {
            return rules.first_named + static_cast<int>(i);
        }
    }
    const std::optional<int> value = parse_number(text);
    if (!value || *value < rules.least || *value > rules.most) return std::nullopt;
    return value;
}

std::string expected_value(const FieldRules& rules, std::string_view found) {
    return fmt::format("expected a value in {}..{}{}, found \"{}\"", rules.least, rules.most,
                       rules.help, found);
}

/// One element of a field's list, into `field`. Returns what is wrong, or nothing.
std::string parse_element(const FieldRules& rules, std::string_view text, Field& field) {
    const std::size_t slash = text.find('/');
    const bool stepped = slash != std::string_view::npos;
    const std::string_view range = text.substr(0, slash);
    const std::optional<int> step = stepped ? parse_number(text.substr(slash + 1)) : 1;
    if (!step || *step < 1) {
        return fmt::format("expected a step of at least 1 after \"/\", found \"{}\"", text);
    }
    int first = rules.least;
    int last = rules.star_most;
    if (range == "*" || range == "?") {
        field.any = field.any || *step == 1;
    } else {
        const std::size_t hyphen = range.find('-');
        const std::string_view low = range.substr(0, hyphen);
        const std::optional<int> from = parse_value(rules, low);
        if (!from) return expected_value(rules, low);
        first = *from;
        last = stepped ? std::max(first, rules.star_most) : first;
        if (hyphen != std::string_view::npos) {
            const std::string_view high = range.substr(hyphen + 1);
            const std::optional<int> to = parse_value(rules, high);
            if (!to) return expected_value(rules, high);
            last = *to;
            // Sunday ends a week as well as it begins one.
            if (rules.most == 7 && last == 0 && first > 0) last = 7;
            if (first > last) {
                return fmt::format("expected a range that ascends, found \"{}\"", range);
            }
        }
    }
    // A step may be past the field's end, where only the first value is left.
    for (int value = first; value <= last; value += std::min(*step, 64)) {
        field.bits |= std::uint64_t{1} << value;
    }
    return {};
}

std::string parse_field(const FieldRules& rules, std::string_view text, Field& field) {
    while (true) {
        const std::size_t comma = text.find(',');
        std::string wrong = parse_element(rules, text.substr(0, comma), field);
        if (!wrong.empty()) return fmt::format("{}: {}", rules.name, wrong);
        if (comma == std::string_view::npos) return {};
        text.remove_prefix(comma + 1);
    }
}

std::vector<std::string_view> split_at_blanks(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t at = text.find_first_not_of(" \t"); at != std::string_view::npos;
         at = text.find_first_not_of(" \t", at)) {
        const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

/// The five fields that a descriptor stands for; empty: there is none of that name.
std::string_view expand(std::string_view descriptor) {
    constexpr std::array<std::array<std::string_view, 2>, 7> kDescriptors = {
        {{"@hourly", "0 * * * *"},
         {"@daily", "0 0 * * *"},
         {"@midnight", "0 0 * * *"},
         {"@weekly", "0 0 * * 0"},
         {"@monthly", "0 0 1 * *"},
         {"@yearly", "0 0 1 1 *"},
         {"@annually", "0 0 1 1 *"}}};
    for (const auto& [name, fields] : kDescriptors) {
        if (name == descriptor) return fields;
    }
    return {};
}

int lowest(std::uint64_t bits) {
    return bits == 0 ? -1 : std::countr_zero(bits);
}
int highest(std::uint64_t bits) {
    return bits == 0 ? -1 : 63 - std::countl_zero(bits);
}
/// The bits of values at or above `value`, at or below it. `value` is in 0..62.
std::uint64_t from(std::uint64_t bits, int value) {
    return bits & (~std::uint64_t{0} << value);
}
std::uint64_t until(std::uint64_t bits, int value) {
    return bits & ((std::uint64_t{2} << value) - 1);
}

std::int64_t unix_time(const CivilDate& date, int minute) {
    return days_from_civil(date) * kSecondsPerDay + std::int64_t{60} * minute;
}

}  // namespace

std::optional<CronSchedule> CronSchedule::parse(std::string_view five_fields, std::string& error) {
    std::vector<std::string_view> words = split_at_blanks(five_fields);
    if (words.size() == 1 && words[0].front() == '@') {
        const std::string_view fields = expand(words[0]);
        if (fields.empty()) {
            error = fmt::format(
                "expected @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually, "
                "found \"{}\"",
                words[0]);
            return std::nullopt;
        }
        words = split_at_blanks(fields);
    }
    if (words.size() != kFields.size()) {
        error = fmt::format(
            "expected five fields (minute, hour, day of month, month, day of week), found {}",
            words.size());
        return std::nullopt;
    }
    std::array<Field, kFields.size()> fields;
    std::string wrong;
    for (std::size_t i = 0; i < kFields.size(); ++i) {
        const std::string mistake = parse_field(kFields[i], words[i], fields[i]);
        if (mistake.empty()) continue;
        if (!wrong.empty()) wrong += "; ";
        wrong += mistake;
    }
    if (!wrong.empty()) {
        error = std::move(wrong);
        return std::nullopt;
    }
    CronSchedule cron;
    cron.minutes_ = fields[0].bits;
    cron.hours_ = fields[1].bits;
    cron.days_of_month_ = fields[2].bits;
    cron.months_ = fields[3].bits;
    const std::uint64_t week = fields[kDayOfWeek].bits;
    cron.days_of_week_ = (week | week >> 7) & 0x7F;  // 7 is Sunday too
    cron.any_day_of_month_ = fields[2].any;
    cron.any_day_of_week_ = fields[kDayOfWeek].any;
    return cron;
}

std::uint64_t CronSchedule::days_of(std::int64_t year, int month) const {
    if ((months_ >> month & 1) == 0) return 0;
    const int first_weekday = weekday_of(days_from_civil({year, month, 1}));
    // The week's bits six times in a row, begun at the weekday of day 1.
    std::uint64_t weeks = days_of_week_;
    for (int i = 1; i < 6; ++i) weeks |= days_of_week_ << (7 * i);
    const std::uint64_t by_week = weeks >> first_weekday << 1;
    const bool either = !any_day_of_month_ && !any_day_of_week_;
    const std::uint64_t days = either ? (days_of_month_ | by_week) : (days_of_month_ & by_week);
    return until(from(days, 1), days_in_month(year, month));
}

int CronSchedule::minute_from(int minute) const {
    const int hour = minute / 60;
    if (hour < 24 && (hours_ >> hour & 1) != 0) {
        const int found = lowest(from(minutes_, minute % 60));
        if (found >= 0) return hour * 60 + found;
    }
    const int later = lowest(from(hours_, hour + 1));
    return later < 0 ? -1 : later * 60 + lowest(minutes_);
}

int CronSchedule::minute_until(int minute) const {
    const int hour = minute / 60;
    if ((hours_ >> hour & 1) != 0) {
        const int found = highest(until(minutes_, minute % 60));
        if (found >= 0) return hour * 60 + found;
    }
    const int earlier = hour == 0 ? -1 : highest(until(hours_, hour - 1));
    return earlier < 0 ? -1 : earlier * 60 + highest(minutes_);
}

std::int64_t CronSchedule::next_after(std::int64_t unix_s) const {
    if (unix_s > kLatest || unix_s < -kLatest) return -1;
    const std::int64_t minute = floor_divide(unix_s, 60) + 1;
    const std::int64_t day = floor_divide(minute, kMinutesPerDay);
    CivilDate date = civil_from_days(day);
    std::uint64_t days = days_of(date.year, date.month);
    if ((days >> date.day & 1) != 0) {
        const int found = minute_from(static_cast<int>(minute - day * kMinutesPerDay));
        if (found >= 0) return unix_time(date, found);
    }
    days = from(days, date.day + 1);
    for (int month = 0; month < kMonthsSearched; ++month) {
        if (days != 0) {
            date.day = lowest(days);
            return unix_time(date, minute_from(0));
        }
        date.year += date.month == 12 ? 1 : 0;
        date.month = date.month % 12 + 1;
        days = days_of(date.year, date.month);
    }
    return -1;
}

std::int64_t CronSchedule::last_at_or_before(std::int64_t unix_s) const {
    if (unix_s > kLatest || unix_s < -kLatest) return -1;
    const std::int64_t minute = floor_divide(unix_s, 60);
    const std::int64_t day = floor_divide(minute, kMinutesPerDay);
    CivilDate date = civil_from_days(day);
    std::uint64_t days = days_of(date.year, date.month);
    if ((days >> date.day & 1) != 0) {
        const int found = minute_until(static_cast<int>(minute - day * kMinutesPerDay));
        if (found >= 0) return unix_time(date, found);
    }
    days = until(days, date.day - 1);
    for (int month = 0; month < kMonthsSearched; ++month) {
        if (days != 0) {
            date.day = highest(days);
            return unix_time(date, minute_until(static_cast<int>(kMinutesPerDay) - 1));
        }
        date.year -= date.month == 1 ? 1 : 0;
        date.month = date.month == 1 ? 12 : date.month - 1;
        days = days_of(date.year, date.month);
    }
    return -1;
}

}  // namespace headroom::policies
