#include "traces/readers/numbers.hpp"

#include <charconv>
#include <system_error>

#include "sim/core/ascii.hpp"
#include "sim/core/time.hpp"

namespace headroom::traces {

namespace {

/// The parts of "[+-]digits[.digits][e[+-]digits]".
struct Decimal {
    std::string_view whole, fraction;
    std::int64_t exponent = 0;
    bool negative = false;
};

std::string_view take_digits(std::string_view& text) {
    std::size_t n = 0;
    while (n < text.size() && is_digit(text[n])) ++n;
    const std::string_view digits = text.substr(0, n);
    text.remove_prefix(n);
    return digits;
}

bool split(std::string_view text, Decimal& out) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        out.negative = text[0] == '-';
        text.remove_prefix(1);
    }
    out.whole = take_digits(text);
    if (!text.empty() && text[0] == '.') {
        text.remove_prefix(1);
        out.fraction = take_digits(text);
    }
    if (out.whole.empty() && out.fraction.empty()) return false;
    if (text.empty()) return true;
    if (text[0] != 'e' && text[0] != 'E') return false;
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '+') text.remove_prefix(1);
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out.exponent);
    if (text.empty() || end != text.data() + text.size()) return false;
    // An exponent beyond all use: only whether it is large or small still matters.
    constexpr std::int64_t kFar = 1'000'000;
    if (code == std::errc::result_out_of_range) out.exponent = text[0] == '-' ? -kFar : kFar;
    if (out.exponent > kFar) out.exponent = kFar;
    if (out.exponent < -kFar) out.exponent = -kFar;
    return true;
}

constexpr std::int64_t kPsDigits = 12;

}  // namespace

NumberProblem parse_seconds(std::string_view text, std::int64_t& ps) {
    Decimal decimal;
    if (!split(text, decimal)) return NumberProblem::not_a_number;
    // Digit i of whole+fraction stands for 10^(point - 1 - i) seconds.
    const auto point = static_cast<std::int64_t>(decimal.whole.size()) + decimal.exponent;
    const std::size_t count = decimal.whole.size() + decimal.fraction.size();
    std::uint64_t value = 0;
    std::int64_t power = point - 1;
    bool any = false;
    for (std::size_t i = 0; i < count; ++i, --power) {
        const char c = i < decimal.whole.size() ? decimal.whole[i]
                                                : decimal.fraction[i - decimal.whole.size()];
        const auto digit = static_cast<std::uint64_t>(c - '0');
        any = any || digit != 0;
        if (digit != 0 && power > 6) {  // 10^7 s are more than the 100 days
            return decimal.negative ? NumberProblem::negative : NumberProblem::too_large;
        }
        if (power >= -kPsDigits) {
            value = value * 10 + digit;  // < 10^19: at most seven digits before the point
        } else if (power == -kPsDigits - 1 && digit >= 5) {
            ++value;
        }
    }
    for (; power >= -kPsDigits && value != 0; --power) value *= 10;
    if (decimal.negative && any) return NumberProblem::negative;
    if (value > static_cast<std::uint64_t>(Time::horizon_limit().ps())) {
        return NumberProblem::too_large;
    }
    ps = static_cast<std::int64_t>(value);
    return NumberProblem::none;
}

NumberProblem parse_whole(std::string_view text, std::int64_t limit, std::int64_t& value) {
    std::int64_t read = 0;
    const char* const last = text.data() + text.size();
    const auto [end, code] = std::from_chars(text.data(), last, read);
    if (text.empty() || end != last || code == std::errc::invalid_argument) {
        return NumberProblem::not_a_number;
    }
    if (text[0] == '-' && (read != 0 || code == std::errc::result_out_of_range)) {
        return NumberProblem::negative;
    }
    if (code == std::errc::result_out_of_range || read > limit) return NumberProblem::too_large;
    value = read;
    return NumberProblem::none;
}

void append_seconds(std::string& text, std::int64_t ps) {
    char digits[24];
    const auto whole = std::to_chars(digits, digits + sizeof digits, ps / Duration::kPerSecond);
    text.append(digits, whole.ptr);
    std::int64_t fraction = ps % Duration::kPerSecond;
    if (fraction == 0) return;
    text += '.';
    for (std::int64_t unit = Duration::kPerSecond / 10; fraction > 0; unit /= 10) {
        text += static_cast<char>('0' + fraction / unit);
        fraction %= unit;
    }
}

std::string seconds_text(std::int64_t ps) {
    std::string text;
    append_seconds(text, ps);
    return text;
}

}  // namespace headroom::traces
