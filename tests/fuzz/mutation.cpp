#include "tests/fuzz/mutation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace headroom::tests {

namespace {

constexpr std::array<std::string_view, 76> kTokens = {
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "%",
    "~",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\u001b[31m",
    "/*",
    "*/",
    "// note\n",
    "#",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\v\f",
    "\x1b[2J",
    "\x7f",
    "\xef\xbb\xbf",
    "\xff\xfe",
    "\xff",
    "\xc3",
    "\xe2\x82",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf5\x80\x80\x80",
    "\xc2\x9b",
    "\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    "null",
    "true",
    "-1",
    "-0",
    "+1",
    "0",
    "00",
    "1e308",
    "1e309",
    "-1e308",
    "1e-400",
    "1e99999999999",
    "0x10",
    "4294967296",
    "2147483648",
    "1000000001",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "0.0000000000005",
    "1e18",
    "106d",
    "9223372036s",
    "1Ei",
    "0-18446744073709551615",
    "40x999999999",
    "@yearly",
    "..",
    "\"\"",
    "{}",
};

/// Tokens that no literal can hold, or that are long.
std::string long_token(Draws& draws) {
    switch (draws.below(9)) {
        case 0:
            return std::string(1, '\0');
        case 1:
            return std::string(3000, '[');
        case 2: {
            std::string nested;
            for (int i = 0; i < 500; ++i) nested += "{\"a\":";
            return nested;
        }
        case 3:
            return std::string(5000, '9');
        case 4:
            return "0." + std::string(3000, '1');
        case 5:
            return std::string(static_cast<std::size_t>(draws.between(1, 20'000)), 'x');
        case 6:
            return std::string(2000, '\n');
        case 7:
            return std::string(2000, '"');
        default:
            return std::string(300, '(') + std::string(300, ',');
    }
}

std::size_t place_in(const std::string& text, Draws& draws) {
    return static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(text.size()) + 1));
}

/// A piece of the text: mostly short, sometimes to anywhere.
std::pair<std::size_t, std::size_t> piece_of(const std::string& text, Draws& draws) {
    const std::size_t begin = place_in(text, draws);
    const auto left = static_cast<std::int64_t>(text.size() - begin);
    const std::int64_t most = draws.one_in(4) ? left : std::min<std::int64_t>(left, 16);
    return {begin, static_cast<std::size_t>(draws.between(std::min<std::int64_t>(1, most), most))};
}

void flip(std::string& text, Draws& draws) {
    if (text.empty()) return;
    char& at = text[static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(text.size())))];
    if (draws.one_in(2)) {
        at = static_cast<char>(at ^ static_cast<char>(1U << draws.below(8)));
    } else {
        at = static_cast<char>(draws.below(256));
    }
}

void take_out(std::string& text, Draws& draws) {
    const auto [begin, size] = piece_of(text, draws);
    text.erase(begin, size);
}

void repeat(std::string& text, Draws& draws) {
    const auto [begin, size] = piece_of(text, draws);
    const std::string piece = text.substr(begin, size);
    std::string more;
    for (std::int64_t i = draws.one_in(4) ? draws.between(2, 200) : 1; i > 0; --i) more += piece;
    text.insert(begin, more);
}

void put_in(std::string& text, Draws& draws) {
    text.insert(place_in(text, draws), hostile_token(draws));
}

bool is_of_number(char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/// A token in the place of the number at or after a place drawn.
void replace_number(std::string& text, Draws& draws) {
    std::size_t begin = place_in(text, draws);
    while (begin < text.size() && !is_of_number(text[begin])) ++begin;
    while (begin > 0 && begin < text.size() && is_of_number(text[begin - 1])) --begin;
    std::size_t end = begin;
    while (end < text.size() && is_of_number(text[end])) ++end;
    text.replace(begin, end - begin, hostile_token(draws));
}

/// Begin and end (behind its line feed) of the line around a place drawn.
std::pair<std::size_t, std::size_t> line_of(const std::string& text, Draws& draws) {
    const std::size_t at = place_in(text, draws);
    const std::size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    return {begin, std::min(text.find('\n', begin), text.size() - 1) + 1};
}

void swap_lines(std::string& text, Draws& draws) {
    if (text.empty()) return;
    auto first = line_of(text, draws);
    auto second = line_of(text, draws);
    if (first.first > second.first) std::swap(first, second);
    if (first.first == second.first) return;
    const std::string a = text.substr(first.first, first.second - first.first);
    const std::string b = text.substr(second.first, second.second - second.first);
    text.replace(second.first, b.size(), a);
    text.replace(first.first, a.size(), b);
}

void splice(std::string& text, const std::string& other, Draws& draws) {
    if (draws.one_in(2)) {
        text = text.substr(0, place_in(text, draws)) + other.substr(place_in(other, draws));
    } else {
        const auto [begin, size] = piece_of(other, draws);
        text.insert(place_in(text, draws), other, begin, size);
    }
}

}  // namespace

std::string hostile_token(Draws& draws) {
    if (draws.one_in(12)) return long_token(draws);
    return std::string(kTokens[static_cast<std::size_t>(draws.below(kTokens.size()))]);
}

const std::string& pick_input(const Corpus& corpus, Draws& draws) {
    return corpus.at(
        static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(corpus.size()))));
}

std::string mutate_bytes(const Corpus& corpus, Draws& draws) {
    std::string text = pick_input(corpus, draws);
    for (std::int64_t i = draws.between(1, 4); i > 0 && text.size() < kMostMutatedBytes; --i) {
        switch (draws.below(9)) {
            case 0:
                flip(text, draws);
                break;
            case 1:
                take_out(text, draws);
                break;
            case 2:
                repeat(text, draws);
                break;
            case 3:
                text.resize(place_in(text, draws));
                break;
            case 4:
                swap_lines(text, draws);
                break;
            case 5:
                splice(text, pick_input(corpus, draws), draws);
                break;
            case 6:
                replace_number(text, draws);
                break;
            default:
                put_in(text, draws);
                break;
        }
    }
    return text;
}

}  // namespace headroom::tests
