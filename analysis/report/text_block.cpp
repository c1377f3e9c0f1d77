#include "analysis/report/text_block.hpp"

#include <algorithm>

namespace headroom::analysis {

std::string ink(std::string_view text, Ink colour, const TextStyle& style) {
    const char* code = "";
    switch (colour) {
        case Ink::plain:
            break;
        case Ink::bold:
            code = "\033[1m";
            break;
        case Ink::green:
            code = "\033[32m";
            break;
        case Ink::red:
            code = "\033[1;31m";
            break;
        case Ink::yellow:
            code = "\033[33m";
            break;
        case Ink::dim:
            code = "\033[2m";
            break;
    }
    if (!style.colour || *code == '\0') return std::string(text);
    return code + std::string(text) + "\033[0m";
}

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::string pad_right(std::string_view text, std::size_t width) {
    const std::size_t used = columns_of(text);
    return std::string(text) + std::string(width > used ? width - used : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t width) {
    const std::size_t used = columns_of(text);
    return std::string(width > used ? width - used : 0, ' ') + std::string(text);
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
    std::string out;
    std::size_t used = 0;
    bool first = true;
    while (!text.empty()) {
        const std::size_t blank = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, blank);
        const std::size_t needed = columns_of(word);
        if (used > 0 && used + 1 + needed > width) {
            out += "\n" + std::string(indent, ' ');
            used = indent;
        } else if (!first) {
            out += ' ';
            ++used;
        }
        out += word;
        used += needed;
        first = false;
        text = text.substr(std::min(blank + 1, text.size()));
    }
    return out;
}

std::string columns(const std::vector<std::vector<std::string>>& rows, std::size_t indent) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), 0);
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], columns_of(row[i]));
        }
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line(indent, ' ');
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i == 0 ? pad_right(row[i], widths[i]) : "  " + pad_left(row[i], widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

}  // namespace headroom::analysis
