#include <algorithm>

#include <bit>
#include <cmath>

#include "analysis/calibration/kernels/elementwise_base.cuh"
#include "analysis/calibration/kernels/elementwise_ops.hpp"

namespace headroom::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kPacksInFlight = 4;
constexpr int kBlocksAMultiprocessor = 8;

/// A candidate as one number, the greatest of which wins: above the value, in an order in which
/// floats compare as whole numbers do; below the column, reversed, so that the lowest wins a tie.
using Key = unsigned long long;

__device__ Key key_of(float value, unsigned column) {
    const unsigned bits = __float_as_uint(value + 0.0f);  // -0 is 0
    const unsigned ordered = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    return static_cast<Key>(ordered) << 32 | (0xffffffffu - column);
}

__device__ int column_of(Key key) {
    return static_cast<int>(0xffffffffu - static_cast<unsigned>(key));
}

__device__ Key greatest_in_warp(Key key) {
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) {
        const Key other = __shfl_xor_sync(0xffffffffu, key, lane);
        key = other > key ? other : key;
    }
    return key;
}

/// What the parts of a row have in common. All 0 between launches.
struct Join {
    Key greatest;
    unsigned arrived;  ///< parts
};

/// Block (part, row) reads `packs_a_part` packs of a row. Where a row has several parts, the one
/// that comes last writes the column: a kernel of its own for that would cost a tenth of the time.
__global__ void __launch_bounds__(kThreads)
    argmax_kernel(const uint4* __restrict__ logits, int packs_a_row, int packs_a_part, Join* joins,
                  int* __restrict__ columns) {
    const uint4* row = logits + static_cast<long long>(blockIdx.y) * packs_a_row;
    const int begin = static_cast<int>(blockIdx.x) * packs_a_part;
    const int end = min(begin + packs_a_part, packs_a_row);
    // The order of columns in a thread goes up, so that "greater" alone keeps the lowest.
    float best = -INFINITY;
    int best_column = (begin + static_cast<int>(threadIdx.x)) * kPack;
    for (int at = begin + static_cast<int>(threadIdx.x); at < end;
         at += kPacksInFlight * kThreads) {
        uint4 packs[kPacksInFlight];
#pragma unroll
        for (int i = 0; i < kPacksInFlight; ++i) {
            if (at + i * kThreads < end) packs[i] = row[at + i * kThreads];
        }
#pragma unroll
        for (int i = 0; i < kPacksInFlight; ++i) {
            if (at + i * kThreads < end) {
                float values[kPack];
                unpack(packs[i], values);
#pragma unroll
                for (int j = 0; j < kPack; ++j) {
                    if (values[j] > best) {
                        best = values[j];
                        best_column = (at + i * kThreads) * kPack + j;
                    }
                }
            }
        }
    }
    // A thread that had nothing to read must not win: 0 is less than the key of any number.
    const bool read = begin + static_cast<int>(threadIdx.x) < end;
    Key key = read ? key_of(best, static_cast<unsigned>(best_column)) : 0;
    __shared__ Key of_warp[kThreads / 32];
    key = greatest_in_warp(key);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = key;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    key = greatest_in_warp(threadIdx.x < kThreads / 32 ? of_warp[threadIdx.x] : 0);
    if (threadIdx.x != 0) return;
    if (gridDim.x > 1) {
        Join& join = joins[blockIdx.y];
        atomicMax(&join.greatest, key);
        __threadfence();  // whoever counts this part sees its key
        const unsigned last = gridDim.x - 1;
        if (atomicInc(&join.arrived, last) != last) return;  // the last one sets it to 0
        __threadfence();
        key = atomicExch(&join.greatest, Key{0});
    }
    columns[blockIdx.y] = column_of(key);
}

/// How a row is cut: enough blocks to fill the chip, none with less than a pack a thread.
int parts_of(const Context& context, std::int64_t rows, std::int64_t packs_a_row) {
    const std::int64_t blocks =
        static_cast<std::int64_t>(kBlocksAMultiprocessor) * context.multiprocessors;
    const std::int64_t wanted = (blocks + rows - 1) / rows;
    const std::int64_t most = (packs_a_row + kThreads - 1) / kThreads;
    return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, most));
}

class ArgmaxCase final : public Case {
  public:
    ArgmaxCase(const Context& context, std::int64_t tokens, std::int64_t width, int copies,
               std::uint64_t seed)
        : stream_(context.stream),
          rows_(static_cast<int>(tokens)),
          packs_(static_cast<int>(width / kPack)),
          parts_(parts_of(context, tokens, width / kPack)),
          copies_(copies),
          joins_(sizeof(Join) * static_cast<std::size_t>(tokens)),
          logits(tokens * width, copies),
          columns(sizeof(int) * static_cast<std::size_t>(tokens)) {
        if (width % kPack != 0) {
            throw DeviceError("argmax: width " + std::to_string(width) + " is no multiple of 8");
        }
        fill_bf16(logits.buffer(), seed, 3.0f, stream_);
        const std::vector<Join> none(static_cast<std::size_t>(tokens), Join{0, 0});
        joins_.upload(none.data(), joins_.bytes(), stream_);
    }

    [[nodiscard]] int copies() const override { return copies_; }
    void launch(int copy) override {
        const dim3 blocks(static_cast<unsigned>(parts_), static_cast<unsigned>(rows_));
        const int packs_a_part = (packs_ + parts_ - 1) / parts_;
        kernels::launch({.grid = blocks, .block = kThreads, .stream = stream_}, argmax_kernel,
                        logits.at(copy), packs_, packs_a_part, joins_.as<Join>(),
                        columns.as<int>());
    }
    /// To whole numbers: rows in which the greatest logit comes several times.
    void round_logits() const {
        const Buffer& buffer = logits.buffer();
        std::vector<std::uint16_t> numbers(buffer.bytes() / sizeof(std::uint16_t));
        buffer.download(numbers.data(), buffer.bytes(), stream_);
        for (std::uint16_t& bf16 : numbers) {
            const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bf16) << 16);
            bf16 = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(std::rint(value)) >> 16);
        }
        buffer.upload(numbers.data(), buffer.bytes(), stream_);
    }
    void poison() const { columns.poison(stream_); }

  private:
    cudaStream_t stream_;
    int rows_;
    int packs_;
    int parts_;
    int copies_;
    Buffer joins_;

  public:
    TensorSets logits;
    Buffer columns;
};

class ArgmaxOp final : public MemoryBoundOp {
  public:
    [[nodiscard]] std::string name() const override { return "argmax"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        if (mode == Mode::quick) return tokens_by_width({1, 64, 512}, {128256});
        return tokens_by_width({1, 8, 64, 256, 512}, {32000, 128256, 152064});
    }
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        // One part to a row (short rows, or many), several, and a last part that is short.
        std::vector<Shape> shapes = tokens_by_width({1, 3}, {1000, 128256});
        shapes.push_back({{"tokens", 7}, {"width", 32000}});
        shapes.push_back({{"tokens", 1201}, {"width", 4104}});
        return shapes;
    }
    [[nodiscard]] Work work(const Shape& shape) const override {
        const auto tokens = static_cast<double>(field(shape, "tokens"));
        const auto width = static_cast<double>(field(shape, "width"));
        return {.flop = 0, .bytes = tokens * (2 * width + 4)};
    }
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const std::int64_t tokens = field(shape, "tokens");
        return TensorSets::bytes_of(tokens * field(shape, "width")) *
                   static_cast<std::size_t>(copies(context, shape)) +
               static_cast<std::size_t>(tokens) * (sizeof(Join) + sizeof(int));
    }
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        return std::make_unique<ArgmaxCase>(context, field(shape, "tokens"), field(shape, "width"),
                                            copies(context, shape), seed);
    }
    /// sqrt(wrong rows / rows): 0 or at least far above the tolerance.
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        const auto tokens = static_cast<std::size_t>(field(shape, "tokens"));
        const std::int64_t width = field(shape, "width");
        ArgmaxCase prepared(context, field(shape, "tokens"), width, 2, seed);
        prepared.round_logits();
        // The second launch is wrong if the first one leaves anything behind.
        prepared.launch(0);
        prepared.poison();
        prepared.launch(1);
        std::vector<std::int32_t> found(tokens);
        prepared.columns.download(found.data(), tokens * sizeof(std::int32_t), context.stream);
        const std::vector<std::int64_t> expected =
            reference::argmax(prepared.logits.values(1, context.stream), width);
        const std::vector<double> right(tokens, 1.0);
        std::vector<double> hits;
        for (std::size_t row = 0; row < tokens; ++row) {
            hits.push_back(found[row] == expected[row] ? 1.0 : 0.0);
        }
        return reference::relative_l2(hits, right);
    }

  private:
    [[nodiscard]] static int copies(const Context& context, const Shape& shape) {
        return copies_for(context,
                          TensorSets::bytes_of(field(shape, "tokens") * field(shape, "width")));
    }
};

}  // namespace

std::unique_ptr<Op> make_argmax() {
    return std::make_unique<ArgmaxOp>();
}

}  // namespace headroom::kernels
