#include "analysis/report/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace headroom::analysis {

namespace {

/// One table: cells by row and by column.
struct Grid {
    std::string title;
    std::string row_name;
    std::map<std::int64_t, std::map<std::vector<std::int64_t>, double>> cells;
};

/// Where a point stands: which table, row and column.
struct Place {
    std::string title;
    std::string row_name;
    std::int64_t row = 0;
    std::vector<std::int64_t> column{};
};

Place place_of(const MeasuredPoint& point) {
    const LaunchShape& shape = point.shape;
    const std::string name = point.op + " " + point.dtype;
    if (point.op == "decode_attention") {
        return {fmt::format("{}, {} query and {} KV heads, % of the ceiling: batch down, context "
                            "across",
                            name, field(shape, "query_heads"), field(shape, "kv_heads")),
                "batch",
                field(shape, "batch"),
                {field(shape, "context")}};
    }
    if (point.op == "prefill_attention") {
        return {name + ", % of the ceiling: tokens down, query x KV heads across",
                "tokens",
                field(shape, "tokens"),
                {field(shape, "query_heads"), field(shape, "kv_heads")}};
    }
    return {name + ", % of the ceiling: m down, n x k across",
            "m",
            field(shape, "m"),
            {field(shape, "n"), field(shape, "k")}};
}

std::string label_of(const std::vector<std::int64_t>& column) {
    return fmt::format("{}", fmt::join(column, "x"));
}

using Columns = std::vector<std::vector<std::int64_t>>;

/// How many columns to put side by side: as many as fit, but no page much emptier than another.
std::size_t columns_a_page(const Columns& across, std::size_t first_width, std::size_t page) {
    std::size_t widest = 5;  // "100.0"
    for (const auto& column : across) widest = std::max(widest, label_of(column).size());
    const std::size_t room = page > first_width ? page - first_width : 0;
    const std::size_t fit = std::max<std::size_t>(1, room / (widest + 2));
    const std::size_t pages = (across.size() + fit - 1) / fit;
    return (across.size() + pages - 1) / pages;
}

std::string render(const Grid& grid, std::size_t page) {
    std::set<std::vector<std::int64_t>> all;
    std::size_t first_width = grid.row_name.size();
    for (const auto& row : grid.cells) {
        first_width = std::max(first_width, std::to_string(row.first).size());
        for (const auto& cell : row.second) all.insert(cell.first);
    }
    const Columns across(all.begin(), all.end());
    const std::size_t step = columns_a_page(across, first_width, page);
    std::string out = "\n" + wrap(grid.title, page, 4) + "\n";
    for (std::size_t begin = 0; begin < across.size(); begin += step) {
        const std::size_t end = std::min(begin + step, across.size());
        std::vector<std::vector<std::string>> rows = {{grid.row_name}};
        for (std::size_t i = begin; i < end; ++i) rows[0].push_back(label_of(across[i]));
        for (const auto& row : grid.cells) {
            rows.push_back({std::to_string(row.first)});
            bool measured = false;
            for (std::size_t i = begin; i < end; ++i) {
                const auto cell = row.second.find(across[i]);
                const bool known = cell != row.second.end();
                measured = measured || known;
                rows.back().push_back(known ? fmt::format("{:.1f}", 100 * cell->second) : "-");
            }
            if (!measured) rows.pop_back();
        }
        out += columns(rows, 0);
    }
    return out;
}

}  // namespace

double share_of_ceiling(const MeasuredPoint& point, const serving::MeasuredCeilings& ceilings) {
    const OperatorKind* kind = find_operator(point.op);
    if (kind == nullptr) return 0;
    return roofline_s(kind->work(point.dtype, point.shape), ceilings) / point.t_s;
}

std::string render_roofline(const std::vector<MeasuredPoint>& points,
                            const serving::MeasuredCeilings& ceilings, const TextStyle& style) {
    std::vector<Grid> grids;
    for (const MeasuredPoint& point : points) {
        const OperatorKind* kind = find_operator(point.op);
        const double share = share_of_ceiling(point, ceilings);
        if (kind == nullptr || kind->memory_bound() || share <= 0) continue;
        const Place place = place_of(point);
        auto grid = std::find_if(grids.begin(), grids.end(),
                                 [&](const Grid& g) { return g.title == place.title; });
        if (grid == grids.end()) {
            grids.push_back({place.title, place.row_name, {}});
            grid = grids.end() - 1;
        }
        grid->cells[place.row][place.column] = share;
    }
    std::string out;
    for (const Grid& grid : grids) out += render(grid, style.width);
    return out;
}

}  // namespace headroom::analysis
