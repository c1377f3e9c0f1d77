#include "analysis/report/step_chart.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace headroom::analysis {

namespace {
constexpr std::array<const char*, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<const char*, 9> kAscii = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
constexpr std::int64_t kLevels = 8;
}  // namespace

std::string step_chart(const metrics::TimeSeries& series, Time from, Time to, std::int64_t top,
                       int columns, bool utf8) {
    const auto& glyphs = utf8 ? kBlocks : kAscii;
    std::string chart;
    const auto edge = [&](int column) {
        const Int128 span = static_cast<Int128>((to - from).ps()) * column / columns;
        return from + Duration::picoseconds(static_cast<std::int64_t>(span));
    };
    for (int column = 0; column < columns; ++column) {
        // The span's end belongs to the next one.
        const Time begin = edge(column);
        const Time end = std::max(begin, edge(column + 1) - Duration::picoseconds(1));
        const std::int64_t value = std::min(series.max_during(begin, end), top);
        const std::int64_t level = top > 0 ? (value * kLevels + top - 1) / top : 0;
        chart += glyphs[static_cast<std::size_t>(level)];
    }
    return chart;
}

}  // namespace headroom::analysis
