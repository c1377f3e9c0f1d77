#include "analysis/report/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>

#include "scenarios/quantities.hpp"

namespace headroom::analysis {

namespace {

struct Unit {
    double size;
    const char* name;
};

std::string with_thousands(std::int64_t count) {
    std::string digits = fmt::format("{}", count);
    const std::size_t first = digits[0] == '-' ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
    return digits;
}

std::string with_prefix(double amount) {
    static constexpr std::array<Unit, 4> kUnits = {
        {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
    for (const Unit& unit : kUnits) {
        if (std::abs(amount) >= unit.size) return significant(amount / unit.size) + " " + unit.name;
    }
    return significant(amount);
}

}  // namespace

std::string significant(double value) {
    const double size = std::abs(value);
    if (size == 0) return "0";
    if (size < 1e-4 || size >= 1e15) return fmt::format("{:.3g}", value);
    // The power of ten of the value as rounded to three digits: 99.96 is 100.
    const std::string rounded = fmt::format("{:.2e}", value);
    const int exponent = std::stoi(rounded.substr(rounded.find('e') + 1));
    if (exponent >= 2) {
        const double step = std::pow(10.0, exponent - 2);
        return fmt::format("{:.0f}", std::round(value / step) * step);
    }
    return fmt::format("{:.{}f}", value, 2 - exponent);
}

std::string duration_text(double seconds) {
    static constexpr std::array<Unit, 7> kUnits = {{{2 * 86400.0, "d"},
                                                    {2 * 3600.0, "h"},
                                                    {600.0, "min"},
                                                    {1.0, "s"},
                                                    {1e-3, "ms"},
                                                    {1e-6, "us"},
                                                    {0.0, "ns"}}};
    static constexpr std::array<double, 7> kSizes = {86400, 3600, 60, 1, 1e-3, 1e-6, 1e-9};
    if (seconds == 0) return "0 s";
    for (std::size_t i = 0; i < kUnits.size(); ++i) {
        if (std::abs(seconds) >= kUnits[i].size) {
            return significant(seconds / kSizes[i]) + " " + kUnits[i].name;
        }
    }
    return "0 s";
}

std::string clock_text(double seconds) {
    if (seconds < 60) return significant(seconds) + "s";
    return scenarios::format_duration(Duration::seconds(std::llround(seconds)));
}

std::string count_text(std::int64_t count) {
    if (std::abs(count) < 10'000'000) return with_thousands(count);
    return with_prefix(static_cast<double>(count));
}

std::string rate_text(double amount) {
    if (std::abs(amount) < 1000) return significant(amount);
    if (std::abs(amount) < 10'000) return with_thousands(std::llround(amount));
    return with_prefix(amount);
}

std::string percent_text(double fraction) {
    const double percent = fraction * 100;
    // All but all is not all: only what is whole reads as 100 or 0.
    if (percent < 100 && percent >= 99.95) return fmt::format("{:.4g} %", std::min(percent, 99.99));
    if (percent > 0 && percent < 0.05) return significant(percent) + " %";
    return fmt::format("{} %", std::round(percent * 10) / 10);
}

std::string money_text(double amount, const std::string& currency) {
    if (std::abs(amount) < 1 && amount != 0) return significant(amount) + " " + currency;
    const std::int64_t cents = std::llround(amount * 100);
    return fmt::format("{}.{:02} {}", with_thousands(cents / 100), std::abs(cents % 100), currency);
}

std::string plural(std::int64_t count, const std::string& noun) {
    return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace headroom::analysis
