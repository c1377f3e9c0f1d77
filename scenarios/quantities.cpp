#include "scenarios/quantities.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "sim/core/ascii.hpp"
#include "sim/core/civil_time.hpp"

namespace headroom::scenarios {

namespace {

constexpr Int128 kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kLongest = 100;  // characters of a quantity

/// digits * 10^-decimals, the digits as written.
struct Decimal {
    std::string digits;
    int decimals = 0;
    bool has_point = false;
};

/// Reads digits with at most one point from the front of `text`; empty digits: there were none.
Decimal take_decimal(std::string_view& text) {
    Decimal out;
    while (!text.empty() && (is_digit(text.front()) || (text.front() == '.' && !out.has_point))) {
        if (text.front() == '.') {
            out.has_point = true;
        } else {
            out.digits += text.front();
            if (out.has_point) ++out.decimals;
        }
        text.remove_prefix(1);
    }
    return out;
}

struct Scaled {
    Int128 value = 0;  ///< rounded down
    bool exact = true;
    bool fits = true;  ///< below 2^63 when false is not said
};

/// decimal * unit * 10^exponent, by long multiplication on a value that must stay below 2^63.
Scaled scale(const Decimal& decimal, std::int64_t unit, int exponent) {
    Scaled out;
    std::string digits = decimal.digits;
    int shift = exponent - decimal.decimals;
    const std::size_t first = digits.find_first_not_of('0');
    if (first == std::string::npos) return out;
    digits.erase(0, first);
    // Factors of ten of the unit first, so that only true fractions are left behind the point.
    std::int64_t factor = unit;
    while (shift < 0 && factor % 10 == 0) {
        factor /= 10;
        ++shift;
    }
    while (shift < 0 && digits.size() > 1 && digits.back() == '0') {
        digits.pop_back();
        ++shift;
    }
    if (shift > 0) {
        if (shift > 40) return {0, true, false};
        digits.append(static_cast<std::size_t>(shift), '0');
        shift = 0;
    }
    // Whole part and fraction apart: whole * factor + fraction * factor / 10^f.
    const auto places = static_cast<std::size_t>(-shift);
    if (digits.size() < places + 1) digits.insert(0, places + 1 - digits.size(), '0');
    const std::string whole = digits.substr(0, digits.size() - places);
    std::string fraction = digits.substr(digits.size() - places);
    Int128 value = 0;
    for (const char c : whole) {
        value = value * 10 + (c - '0');
        if (value > kLargest) return {0, true, false};
    }
    value *= factor;
    // Schoolbook multiplication of the fraction's digits by the factor, from the last digit on.
    Int128 carry = 0;
    for (std::size_t i = fraction.size(); i-- > 0;) {
        const Int128 product = static_cast<Int128>(fraction[i] - '0') * factor + carry;
        fraction[i] = static_cast<char>('0' + static_cast<int>(product % 10));
        carry = product / 10;
    }
    value += carry;
    out.exact = fraction.find_first_not_of('0') == std::string::npos;
    out.fits = value <= kLargest;
    out.value = value;
    return out;
}

struct DurationUnit {
    std::string_view name;
    std::int64_t ps;
};
constexpr std::array<DurationUnit, 8> kDurationUnits = {{{"d", 86'400'000'000'000'000},
                                                         {"h", 3'600'000'000'000'000},
                                                         {"m", 60'000'000'000'000},
                                                         {"s", 1'000'000'000'000},
                                                         {"ms", 1'000'000'000},
                                                         {"us", 1'000'000},
                                                         {"ns", 1'000},
                                                         {"ps", 1}}};

Parsed<std::int64_t> parse_quantity(std::string_view text, int thousandths) {
    const char* example = thousandths != 0
                              ? "expected a quantity such as \"8\", \"0.5\" or \"500m\""
                              : "expected a quantity such as \"80Gi\", \"500M\" or 4";
    std::string_view rest = text;
    const Decimal decimal = take_decimal(rest);
    if (decimal.digits.empty() || text.size() > kLongest) return {std::nullopt, example};
    std::int64_t unit = 1;
    int exponent = thousandths;
    if (rest.size() >= 2 && (rest[0] == 'e' || rest[0] == 'E') && rest != "Ei") {
        rest.remove_prefix(1);
        const bool negative = rest.front() == '-';
        if (rest.front() == '-' || rest.front() == '+') rest.remove_prefix(1);
        if (rest.empty() || rest.size() > 3 || !std::all_of(rest.begin(), rest.end(), is_digit)) {
            return {std::nullopt, example};
        }
        int power = 0;
        for (const char c : rest) power = power * 10 + (c - '0');
        exponent += negative ? -power : power;
    } else if (rest.size() == 2 && rest[1] == 'i') {
        const std::size_t index = std::string_view("KMGTPE").find(rest[0]);
        if (index == std::string_view::npos) return {std::nullopt, example};
        unit = std::int64_t{1} << (10 * (index + 1));
    } else if (rest.size() == 1) {
        const std::size_t index = std::string_view("num kMGTPE").find(rest[0]);
        if (index == std::string_view::npos || rest[0] == ' ') return {std::nullopt, example};
        exponent += 3 * (static_cast<int>(index) - 3);
    } else if (!rest.empty()) {
        return {std::nullopt, example};
    }
    const Scaled scaled = scale(decimal, unit, exponent);
    const Int128 value = scaled.value + (scaled.exact ? 0 : 1);
    if (!scaled.fits || value > kLargest) {
        return {std::nullopt,
                std::string(example) + " below " + (thousandths != 0 ? "9.2e15" : "9.2e18")};
    }
    return {static_cast<std::int64_t>(value), {}};
}

/// The number in text[at, at + digits); -1 when they are not all digits.
int digits_at(std::string_view text, std::size_t at, std::size_t digits) {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (i >= text.size() || !is_digit(text[i])) return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
    const std::string example = "expected a duration such as \"30s\", \"250ms\" or \"1h30m\"";
    std::string_view rest = text;
    Int128 sum = 0;
    if (rest.empty() || rest.size() > kLongest) return {std::nullopt, example};
    while (!rest.empty()) {
        const bool starts_with_digit = is_digit(rest.front());
        const Decimal decimal = take_decimal(rest);
        if (!starts_with_digit || (decimal.has_point && decimal.decimals == 0)) {
            return {std::nullopt, example};
        }
        std::size_t letters = 0;
        while (letters < rest.size() && !is_digit(rest[letters]) && rest[letters] != '.') ++letters;
        const std::string_view name = rest.substr(0, letters);
        rest.remove_prefix(letters);
        const auto unit = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                                       [name](const DurationUnit& u) { return u.name == name; });
        if (unit == kDurationUnits.end()) {
            if (!name.empty()) return {std::nullopt, example};
            return {std::nullopt, example + " (a number without a unit is not a duration)"};
        }
        const Scaled scaled = scale(decimal, unit->ps, 0);
        if (!scaled.exact) {
            return {std::nullopt, "expected a duration in whole picoseconds, such as \"90ns\""};
        }
        sum += scaled.value;
        if (!scaled.fits || sum > kLargest) {
            return {std::nullopt,
                    "expected a duration of at most 2562h (106 days), such as \"30s\" or \"14d\"",
                    true};
        }
    }
    return {Duration::picoseconds(static_cast<std::int64_t>(sum)), {}};
}

Parsed<std::int64_t> parse_quantity_milli(std::string_view text) {
    return parse_quantity(text, 3);
}
Parsed<std::int64_t> parse_quantity_units(std::string_view text) {
    return parse_quantity(text, 0);
}

Parsed<std::int64_t> parse_utc(std::string_view text) {
    const Parsed<std::int64_t> bad{std::nullopt,
                                   "expected a UTC time such as \"2023-11-16T18:00:00Z\""};
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' ||
        text[13] != ':' || text[16] != ':') {
        return bad;
    }
    const int year = digits_at(text, 0, 4);
    const int month = digits_at(text, 5, 2);
    const int day = digits_at(text, 8, 2);
    const int hour = digits_at(text, 11, 2);
    const int minute = digits_at(text, 14, 2);
    const int second = digits_at(text, 17, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1) return bad;
    if (day > days_in_month(year, month)) return bad;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return bad;
    std::int64_t offset = 0;
    const std::string_view zone = text.substr(19);
    if (zone != "Z" && zone != "z") {
        const int hours = digits_at(zone, 1, 2);
        const int minutes = zone.size() == 6 ? digits_at(zone, 4, 2) : -1;
        if ((zone[0] != '+' && zone[0] != '-') || zone.size() != 6 || zone[3] != ':') return bad;
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return bad;
        offset = (zone[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    }
    const std::int64_t days = days_from_civil({year, month, day});
    return {days * kSecondsPerDay + hour * 3600 + minute * 60 + second - offset, {}};
}

std::string format_duration(Duration duration) {
    std::int64_t left = duration.ps();
    if (left == 0) return "0s";
    std::string out = left < 0 ? "-" : "";
    if (left < 0) left = -left;
    // Hours, minutes and seconds side by side; below a second one unit that takes all of the rest.
    for (const DurationUnit& unit : kDurationUnits) {
        if (unit.name == "d") continue;
        const bool clock = unit.ps >= Duration::kPerSecond;
        if (left < unit.ps || (!clock && left % unit.ps != 0)) continue;
        out += std::to_string(left / unit.ps) + std::string(unit.name);
        left %= unit.ps;
    }
    return out;
}

}  // namespace headroom::scenarios
