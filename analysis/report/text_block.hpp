/// Small helpers of text reports: colours that can be switched off, padding and wrapping. Widths
/// count code points of UTF-8; escape sequences are put on after padding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::analysis {

struct TextStyle {
    bool utf8 = false;
    bool colour = false;
    std::size_t width = 100;
};

enum class Ink { plain, bold, green, red, yellow, dim };

[[nodiscard]] std::string ink(std::string_view text, Ink colour, const TextStyle& style);
[[nodiscard]] std::size_t columns_of(std::string_view text);
[[nodiscard]] std::string pad_right(std::string_view text, std::size_t width);
[[nodiscard]] std::string pad_left(std::string_view text, std::size_t width);
/// Breaks at blanks and keeps those within a line; lines after the first are indented. A longer
/// word stays whole.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

/// Rows in columns two blanks apart: the first column to the left, the others to the right.
[[nodiscard]] std::string columns(const std::vector<std::vector<std::string>>& rows,
                                  std::size_t indent);

}  // namespace headroom::analysis
