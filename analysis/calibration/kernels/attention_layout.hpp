/// Where each lane finds its data in the attention kernels, and who works on what: the index maps
/// of decode_attention_kernel.cuh and prefill_attention_kernel.cuh, free of CUDA, so that a test
/// can hold them against the definition of the instructions that they serve.
///
///     attention::swizzled(row, chunk)           // byte offset of 16 bytes in shared memory
///     attention::split_pages(pages, splits, 3)  // the pages of the fourth split
///
/// A row is one token's head: 128 bf16, 16 chunks of 16 bytes. Fragments are those of mma.m16n8k16
/// and ldmatrix (PTX ISA, "Matrix Fragments for mma.m16n8k16" and "ldmatrix"). All O(1) but
/// choose_splits, which is O(splits). Nothing here can fail.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define HEADROOM_HOST_DEVICE __host__ __device__
#else
#define HEADROOM_HOST_DEVICE
#endif

namespace headroom::kernels::attention {

inline constexpr int kHeadSize = 128;
inline constexpr int kChunks = kHeadSize / 8;    ///< of 16 bytes in a row
inline constexpr int kRowBytes = kHeadSize * 2;  ///< bf16
inline constexpr int kPageTokens = 16;           ///< tokens of a KV block, as in vLLM
inline constexpr int kWarps = 4;                 ///< of a block of threads, in both kernels
inline constexpr int kMaxGroup = 16;             ///< query heads of a KV head: rows of one mma

/// Byte offset of a chunk in a tile of rows. Eight rows at one chunk, and eight chunks of one row,
/// each cover all 32 banks: ldmatrix and the copies into the tile are free of conflicts.
HEADROOM_HOST_DEVICE constexpr int swizzled(int row, int chunk) {
    return row * kRowBytes + ((chunk ^ (row & 7)) << 4);
}

/// The same row `chunks` further on, where `chunks` is even and the chunk so far 0 or 1, in a tile
/// whose address is a multiple of kRowBytes: one instruction on the address, nothing to be kept.
HEADROOM_HOST_DEVICE constexpr std::uint32_t advanced(std::uint32_t address, int chunks) {
    return address ^ (static_cast<std::uint32_t>(chunks) << 4);
}

/// A place in a tile: what a lane hands to ldmatrix, or where an accumulator belongs.
struct Place {
    int row = 0;
    int column = 0;  ///< a chunk for ldmatrix, an element for an accumulator
};

/// ldmatrix.x4 of a 16 x 16 piece of Q: registers a0..a3 of the A operand.
HEADROOM_HOST_DEVICE constexpr Place query_place(int lane) {
    return {lane & 15, lane >> 4};
}

/// ldmatrix.x4 of 16 keys x 16 dimensions: b0, b1 of keys 0..7, then b0, b1 of keys 8..15.
HEADROOM_HOST_DEVICE constexpr Place key_place(int lane) {
    return {(lane & 7) + ((lane >> 4) << 3), (lane >> 3) & 1};
}

/// ldmatrix.x4.trans of 16 tokens x 16 dimensions of V: b0, b1 of dimensions 0..7, then of 8..15.
HEADROOM_HOST_DEVICE constexpr Place value_place(int lane) {
    return {lane & 15, lane >> 4};
}

/// Row and column of accumulator c0..c3 in its 16 x 8 tile.
HEADROOM_HOST_DEVICE constexpr Place accumulator_place(int lane, int index) {
    return {(lane >> 2) + ((index >> 1) << 3), ((lane & 3) << 1) + (index & 1)};
}

HEADROOM_HOST_DEVICE constexpr int ceil_divide(int value, int by) {
    return (value + by - 1) / by;
}

struct PageRange {
    int begin = 0;
    int end = 0;
};

/// The pages of one split; the splits differ by at most one page and are in order. Every split has
/// a page where splits <= pages.
HEADROOM_HOST_DEVICE constexpr PageRange split_pages(int pages, int splits, int split) {
    const int even = pages / splits;
    const int more = pages % splits;  // so many splits have one page more
    const int begin = split * even + (split < more ? split : more);
    return {begin, begin + even + (split < more ? 1 : 0)};
}

/// How many pages of `count` fall to a warp when warps take them in turn.
HEADROOM_HOST_DEVICE constexpr int warp_pages(int count, int warp) {
    return warp < count ? (count - warp - 1) / kWarps + 1 : 0;
}

/// In how many parts each of `items` (sequences times KV heads) of `pages` is read, when `slots`
/// thread blocks run at a time, two a multiprocessor. Least of a model in units of the time in
/// which a block that has a multiprocessor for itself reads a page (8 KiB, about 0.4 us): blocks
/// that fill the device share its bandwidth, a last round that does not fill it speeds up by at
/// most kAlone, a block costs kStart to begin, and more than one split costs kJoin and the reading
/// of the parts. Ties: fewer splits.
constexpr int choose_splits(int items, int pages, int slots) {
    constexpr double kAlone = 2;        // one block a multiprocessor asks for all the bandwidth
    constexpr double kStart = 2.5;      // 1 us: table, first pages, joining the warps
    constexpr double kJoin = 6.5;       // 2.5 us: another kernel
    constexpr double kPart = 1.0 / 24;  // which reads the parts eight at a time
    constexpr int kLeastPages = kWarps;
    int best = 1;
    double best_cost = 0;
    for (int splits = 1; splits == 1 || splits * kLeastPages <= pages; ++splits) {
        const std::int64_t blocks = static_cast<std::int64_t>(items) * splits;
        const std::int64_t rounds = blocks / slots;
        const double rest = static_cast<double>(blocks % slots) / slots;
        const double page_count = ceil_divide(pages, splits);
        double cost = static_cast<double>(rounds) * (page_count * kAlone + kStart);
        if (rest > 0) cost += kStart + page_count * (rest * kAlone > 1 ? rest * kAlone : 1);
        if (splits > 1) cost += kJoin + splits * kPart;
        if (splits == 1 || cost < best_cost) {
            best = splits;
            best_cost = cost;
        }
    }
    return best;
}

/// Prefill: the tiles of kKeyTile keys that a tile of queries needs, the first `rows` of which
/// begin at `first`: all up to the diagonal of its last token.
inline constexpr int kKeyTile = 64;
HEADROOM_HOST_DEVICE constexpr int causal_key_tiles(int first, int rows, int tokens) {
    const int end = first + rows < tokens ? first + rows : tokens;
    return (end - 1) / kKeyTile + 1;
}

}  // namespace headroom::kernels::attention
