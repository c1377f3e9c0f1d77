// The index maps of the attention kernels, held against the definition of the instructions: shared
// memory, ldmatrix and mma of a warp are played through on the host.
#include "analysis/calibration/kernels/attention_layout.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "tests/catch.hpp"

namespace headroom::kernels::attention {
namespace {

using Tile = std::vector<std::uint16_t>;  // as bytes: rows of kRowBytes, swizzled

Tile make_tile(int rows) {
    return Tile(static_cast<std::size_t>(rows * kHeadSize));
}

/// Element `column` of a row, through the swizzle of its chunk.
std::uint16_t& element(Tile& tile, int row, int column) {
    return tile[static_cast<std::size_t>(swizzled(row, column / 8) / 2 + column % 8)];
}

/// A small whole number for each element, different enough to notice a wrong place.
int number(int row, int column, int seed) {
    return (row * 7 + column * 13 + seed) % 11 - 5;
}

Tile numbered_tile(int rows, int seed) {
    Tile tile = make_tile(rows);
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < kHeadSize; ++column) {
            element(tile, row, column) = static_cast<std::uint16_t>(number(row, column, seed));
        }
    }
    return tile;
}

int signed_value(std::uint16_t bits) {
    return static_cast<std::int16_t>(bits);
}

/// A register of a fragment: two neighbouring elements.
struct Pair {
    int low = 0;
    int high = 0;
};
using Fragment = std::array<std::array<Pair, 4>, 32>;  // [lane][register]

/// ldmatrix.x4 (PTX ISA): lanes 8i..8i+7 give the addresses of the rows of matrix i; a lane gets
/// elements 2(l%4), +1 of row l/4, or with .trans of column l/4.
template <class AddressOfLane>
Fragment load_matrix(const Tile& tile, AddressOfLane address, bool transposed) {
    Fragment fragment;
    for (std::size_t matrix = 0; matrix < 4; ++matrix) {
        std::array<std::array<int, 8>, 8> rows{};
        for (std::size_t row = 0; row < 8; ++row) {
            const std::uint32_t bytes = address(static_cast<int>(matrix * 8 + row));
            REQUIRE(bytes % 16 == 0);
            for (std::size_t at = 0; at < 8; ++at)
                rows[row][at] = signed_value(tile[bytes / 2 + at]);
        }
        for (std::size_t lane = 0; lane < 32; ++lane) {
            const std::size_t a = lane / 4;
            const std::size_t b = lane % 4 * 2;
            fragment[lane][matrix] =
                transposed ? Pair{rows[b][a], rows[b + 1][a]} : Pair{rows[a][b], rows[a][b + 1]};
        }
    }
    return fragment;
}

/// What the B operand of registers (first, first + 1) says of element (k, n) of its 16 x 8 piece.
int b_element(const Fragment& b, std::size_t first, int k, int n) {
    const auto lane = static_cast<std::size_t>(n * 4 + k % 8 / 2);
    const Pair pair = b[lane][first + static_cast<std::size_t>(k / 8)];
    return k % 2 == 0 ? pair.low : pair.high;
}

/// What the A operand says of element (row, k) of its 16 x 16 piece.
int a_element(const Fragment& a, int row, int k) {
    const auto lane = static_cast<std::size_t>(row % 8 * 4 + k % 8 / 2);
    const Pair pair = a[lane][static_cast<std::size_t>(row / 8 + k / 8 * 2)];
    return k % 2 == 0 ? pair.low : pair.high;
}

}  // namespace

TEST_CASE("AttentionLayout: the swizzle gives each chunk of a tile its own 16 bytes") {
    std::set<int> seen;
    for (int row = 0; row < 64; ++row) {
        for (int chunk = 0; chunk < kChunks; ++chunk) {
            const int at = swizzled(row, chunk);
            CHECK(at % 16 == 0);
            CHECK((at >= 0 && at < 64 * kRowBytes));
            seen.insert(at);
        }
    }
    CHECK(seen.size() == 64u * kChunks);
}

TEST_CASE("AttentionLayout: eight lanes of a matrix load or a copy touch all banks once") {
    const auto banks = [](auto place_of) {  // of eight lanes, in groups of four banks
        std::set<int> groups;
        for (int lane = 0; lane < 8; ++lane) groups.insert(place_of(lane) / 16 % 8);
        return groups.size();
    };
    for (int step = 0; step < kHeadSize / 16; ++step) {
        for (int matrix = 0; matrix < 4; ++matrix) {
            for (const auto place : {query_place, key_place, value_place}) {
                CHECK(banks([&](int lane) {
                          const Place at = place(matrix * 8 + lane);
                          return swizzled(at.row, 2 * step + at.column);
                      }) == 8);
            }
        }
    }
    for (int row = 0; row < 16; ++row) {  // a copy: eight chunks of one row
        CHECK(banks([&](int lane) { return swizzled(row, lane); }) == 8);
        CHECK(banks([&](int lane) { return swizzled(row, 8 + lane); }) == 8);
    }
}

TEST_CASE("AttentionLayout: advancing an address is the swizzle of a later chunk") {
    for (const std::uint32_t tile : {0u, 1024u, 4096u * 5}) {
        for (int row = 0; row < 16; ++row) {
            for (int chunk = 0; chunk < 2; ++chunk) {
                for (int step = 0; step < kChunks / 2; ++step) {
                    const auto first = static_cast<std::uint32_t>(swizzled(row, chunk));
                    const auto later = static_cast<std::uint32_t>(swizzled(row, chunk + 2 * step));
                    CHECK(advanced(tile + first, 2 * step) == tile + later);
                }
            }
        }
    }
}

TEST_CASE("AttentionLayout: fragments of q are the A operand") {
    const Tile tile = numbered_tile(16, 3);
    for (int step = 0; step < kHeadSize / 16; ++step) {
        const Fragment a = load_matrix(
            tile,
            [&](int lane) {
                const Place at = query_place(lane);
                return static_cast<std::uint32_t>(swizzled(at.row, 2 * step + at.column));
            },
            false);
        for (int row = 0; row < 16; ++row) {
            for (int k = 0; k < 16; ++k) {
                CHECK(a_element(a, row, k) == number(row, step * 16 + k, 3));
            }
        }
    }
}

TEST_CASE("AttentionLayout: fragments of k are the B operands of two pieces of eight keys") {
    const Tile tile = numbered_tile(16, 4);
    for (int step = 0; step < kHeadSize / 16; ++step) {
        const Fragment b = load_matrix(
            tile,
            [&](int lane) {
                const Place at = key_place(lane);
                return static_cast<std::uint32_t>(swizzled(at.row, 2 * step + at.column));
            },
            false);
        for (int key = 0; key < 16; ++key) {  // scores: k is the dimension, n the key
            for (int k = 0; k < 16; ++k) {
                const std::size_t first = key < 8 ? 0 : 2;
                CHECK(b_element(b, first, k, key % 8) == number(key, step * 16 + k, 4));
            }
        }
    }
}

TEST_CASE("AttentionLayout: fragments of v are the B operands of two pieces of eight dimensions") {
    const Tile tile = numbered_tile(16, 5);
    for (int pair = 0; pair < kHeadSize / 16; ++pair) {
        const Fragment b = load_matrix(
            tile,
            [&](int lane) {
                const Place at = value_place(lane);
                return static_cast<std::uint32_t>(swizzled(at.row, 2 * pair + at.column));
            },
            true);
        for (int token = 0; token < 16; ++token) {  // output: k is the token, n the dimension
            for (int d = 0; d < 16; ++d) {
                const std::size_t first = d < 8 ? 0 : 2;
                CHECK(b_element(b, first, token, d % 8) == number(token, pair * 16 + d, 5));
            }
        }
    }
}

TEST_CASE("AttentionLayout: two pieces of probabilities are one A operand") {
    // Register r of the operand is the accumulators (0, 1) or (2, 3) of the first or second piece.
    for (int lane = 0; lane < 32; ++lane) {
        for (int index = 0; index < 4; ++index) {
            const int piece = index / 2;
            const Place low = accumulator_place(lane, index % 2 * 2);
            const Place high = accumulator_place(lane, index % 2 * 2 + 1);
            const int row = lane / 4 + index % 2 * 8;  // of a0..a3, PTX ISA
            const int column = lane % 4 * 2 + index / 2 * 8;
            CHECK(low.row == row);
            CHECK(high.row == row);
            CHECK(piece * 8 + low.column == column);
            CHECK(piece * 8 + high.column == column + 1);
        }
    }
}

TEST_CASE("AttentionLayout: splits and warps cover every page once") {
    for (const int pages : {1, 2, 7, 16, 33, 100, 257}) {
        for (int splits = 1; splits <= pages && splits <= 40; ++splits) {
            std::vector<int> visits(static_cast<std::size_t>(pages));
            int end = 0;
            for (int split = 0; split < splits; ++split) {
                const PageRange range = split_pages(pages, splits, split);
                REQUIRE(range.begin == end);
                REQUIRE(range.end > range.begin);
                end = range.end;
                for (int warp = 0; warp < kWarps; ++warp) {
                    const int count = warp_pages(range.end - range.begin, warp);
                    for (int ordinal = 0; ordinal < count; ++ordinal) {
                        const int page = range.begin + warp + ordinal * kWarps;
                        REQUIRE(page < range.end);
                        ++visits[static_cast<std::size_t>(page)];
                    }
                }
            }
            REQUIRE(end == pages);
            CHECK(visits == std::vector<int>(static_cast<std::size_t>(pages), 1));
        }
    }
}

TEST_CASE("AttentionLayout: the split count fills the device and no more") {
    constexpr int kSlots = 264;                   // an H100: 132 multiprocessors, two blocks each
    CHECK(choose_splits(1, 1, kSlots) == 1);      // nothing to share
    CHECK(choose_splits(8, 8, kSlots) == 1);      // too short to pay for the joining
    CHECK(choose_splits(4096, 32, kSlots) == 1);  // enough sequences
    CHECK(choose_splits(4096, 2048, kSlots) == 1);
    const int long_splits = choose_splits(1, 2048, kSlots);
    CHECK(long_splits > 100);  // one sequence for the whole device
    CHECK(long_splits <= kSlots);
    for (const int items : {1, 3, 8, 64, 130, 270, 1000}) {
        for (const int pages : {1, 3, 5, 16, 64, 500, 2048}) {
            const int splits = choose_splits(items, pages, kSlots);
            CHECK(splits >= 1);
            CHECK((splits == 1 || splits * kWarps <= pages));     // a page for each warp
            const bool fills = items * splits * 20 > kSlots * 9;  // nearly one a multiprocessor
            CHECK((fills || pages < 64 || splits * kWarps * 2 > pages));
        }
    }
}

TEST_CASE("AttentionLayout: causal tiles reach the diagonal and not further") {
    for (const int tokens : {1, 63, 64, 65, 128, 200, 1000}) {
        for (const int rows : {64, 128}) {
            for (int first = 0; first < tokens; first += rows) {
                const int tiles = causal_key_tiles(first, rows, tokens);
                const int last = (first + rows < tokens ? first + rows : tokens) - 1;
                CHECK((tiles - 1) * kKeyTile <= last);
                CHECK(tiles * kKeyTile > last);
            }
        }
    }
}

}  // namespace headroom::kernels::attention
