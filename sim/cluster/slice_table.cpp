#include "sim/cluster/slice_table.hpp"

#include <array>

#include "sim/core/ascii.hpp"

namespace headroom::cluster {

namespace {

constexpr std::size_t kKinds = 7;

struct Shape {
    const char* kind;
    std::int32_t compute_slices;
    std::int32_t memory_slices;
    std::vector<std::int32_t> starts;
    std::int32_t max_count;
};

/// Placements are the same on A100, H100, H200 and B200.
const std::array<Shape, kKinds>& shapes() {
    static const std::array<Shape, kKinds> table{{
        {"1g", 1, 1, {0, 1, 2, 3, 4, 5, 6}, 7},
        {"1g+me", 1, 1, {0, 1, 2, 3, 4, 5, 6}, 1},
        {"1g2m", 1, 2, {0, 2, 4, 6}, 4},
        {"2g", 2, 2, {0, 2, 4}, 3},
        {"3g", 3, 4, {0, 4}, 2},
        {"4g", 4, 4, {0}, 1},
        {"7g", 7, 8, {0}, 1},
    }};
    return table;
}

/// Per kind: the name, usable MiB and multiprocessors.
struct Column {
    const char* name;
    std::array<const char*, kKinds> names;
    std::array<std::int64_t, kKinds> mebibytes;
    std::array<std::int32_t, kKinds> multiprocessors;
};

using Names = std::array<const char*, kKinds>;
constexpr Names kNames40{"1g.5gb",  "1g.5gb+me", "1g.10gb", "2g.10gb",
                         "3g.20gb", "4g.20gb",   "7g.40gb"};
constexpr Names kNames80{"1g.10gb", "1g.10gb+me", "1g.20gb", "2g.20gb",
                         "3g.40gb", "4g.40gb",    "7g.80gb"};
constexpr Names kNames141{"1g.18gb", "1g.18gb+me", "1g.35gb", "2g.35gb",
                          "3g.71gb", "4g.71gb",    "7g.141gb"};
constexpr Names kNames180{"1g.23gb", "1g.23gb+me", "1g.45gb", "2g.45gb",
                          "3g.90gb", "4g.90gb",    "7g.180gb"};
constexpr std::array<std::int32_t, kKinds> kHopperSxm{16, 16, 26, 32, 60, 64, 132};

constexpr Column kA100Of40{"a100-40gb",
                           kNames40,
                           {4864, 4864, 9856, 9856, 19968, 19968, 40192},
                           {14, 14, 14, 28, 42, 56, 98}};
constexpr Column kA100Of80{"a100-80gb",
                           kNames80,
                           {9856, 9856, 19968, 19968, 40192, 40192, 80384},
                           {14, 14, 14, 28, 42, 56, 98}};
constexpr Column kH100Pcie{"h100-pcie-80gb",
                           kNames80,
                           {9856, 9856, 19968, 19968, 40192, 40192, 80896},
                           {14, 14, 14, 30, 46, 62, 114}};
constexpr Column kH100{
    "h100-80gb", kNames80, {9856, 9856, 19968, 19968, 40192, 40192, 80896}, kHopperSxm};
constexpr Column kH200{
    "h200-141gb", kNames141, {16384, 16384, 33024, 33024, 71168, 71168, 143104}, kHopperSxm};
// One compute slice of a B200 is listed with 20.5 to 22 GiB: the lower.
constexpr Column kB200{
    "b200-180gb", kNames180, {20992, 20992, 45312, 45312, 0, 0, 0}, {18, 18, 30, 36, 0, 0, 0}};

std::shared_ptr<const SliceTable> make_table(const Column& column) {
    auto table = std::make_shared<SliceTable>();
    table->name = column.name;
    for (std::size_t i = 0; i < kKinds; ++i) {
        const Shape& shape = shapes()[i];
        table->profiles.push_back({.name = column.names[i],
                                   .kind = shape.kind,
                                   .compute_slices = shape.compute_slices,
                                   .memory_slices = shape.memory_slices,
                                   .starts = shape.starts,
                                   .max_count = shape.max_count,
                                   .memory = mebibytes(column.mebibytes[i]),
                                   .multiprocessors = column.multiprocessors[i]});
    }
    return table;
}

/// Whether `word` stands in `text` with no letter or digit beside it, whatever the case.
bool has_word(std::string_view text, std::string_view word) {
    std::string current;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : '-';
        if (is_letter(c) || is_digit(c)) {
            current.push_back(to_lower(c));
            continue;
        }
        if (current == word) return true;
        current.clear();
    }
    return false;
}

}  // namespace

std::int32_t SliceTable::find(std::string_view name_or_kind) const {
    for (std::size_t i = 0; i < profiles.size(); ++i) {
        if (profiles[i].name == name_or_kind || profiles[i].kind == name_or_kind) {
            return static_cast<std::int32_t>(i);
        }
    }
    return -1;
}

std::shared_ptr<const SliceTable> builtin_slice_table(std::string_view model, Bytes memory) {
    static const auto a100_of_40 = make_table(kA100Of40);
    static const auto a100_of_80 = make_table(kA100Of80);
    static const auto h100_pcie = make_table(kH100Pcie);
    static const auto h100 = make_table(kH100);
    static const auto h200 = make_table(kH200);
    static const auto b200 = make_table(kB200);
    if (has_word(model, "a100")) return memory <= gibibytes(48) ? a100_of_40 : a100_of_80;
    // H100 boards with 94 or 96 GB have other profiles, which no listing of ours names.
    if (has_word(model, "h100") && memory > gibibytes(84)) return nullptr;
    if (has_word(model, "h100")) return has_word(model, "pcie") ? h100_pcie : h100;
    if (has_word(model, "h200")) return h200;
    if (has_word(model, "b200")) return b200;
    return nullptr;
}

}  // namespace headroom::cluster
