#include "sim/core/printable_text.hpp"

#include <algorithm>

namespace headroom::inline core {

namespace {

/// How many bytes of `text`, which is not empty, are one printable character; 0: none are.
std::size_t printable_size(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
    if (first < 0xc2 || first > 0xf4) return 0;
    const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
    }
    // RFC 3629, section 4: the second byte says the rest; U+0080 to U+009F are controls.
    const unsigned second = byte(1);
    const bool wrong = (first == 0xc2 && second < 0xa0) || (first == 0xe0 && second < 0xa0) ||
                       (first == 0xed && second >= 0xa0) || (first == 0xf0 && second < 0x90) ||
                       (first == 0xf4 && second >= 0x90) ||
                       (first == 0xef && second == 0xbf && byte(2) >= 0xbe);
    return wrong ? 0 : size;
}

}  // namespace

std::size_t find_unprintable(std::string_view text, std::string_view allowed) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = printable_size(text.substr(at));
        if (size == 0 && allowed.find(text[at]) == std::string_view::npos) return at;
        at += size == 0 ? 1 : size;
    }
    return std::string_view::npos;
}

std::string printable(std::string_view text, std::string_view allowed) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = printable_size(text);
        if (size > 0) {
            out += text.substr(0, size);
        } else {
            out += allowed.find(text.front()) == std::string_view::npos ? '?' : text.front();
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string_view beginning_of(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    const auto continues = [&](std::size_t i) {
        return (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U;
    };
    std::size_t end = bytes;
    while (end > 0 && bytes - end < 3 && continues(end)) --end;
    return text.substr(0, continues(end) ? bytes : end);
}

std::string shortened(std::string_view text, std::size_t bytes) {
    return printable(beginning_of(text, bytes)) + (text.size() > bytes ? "..." : "");
}

}  // namespace headroom::inline core
