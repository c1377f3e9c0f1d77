#include "analysis/calibration/kernels/elementwise_base.cuh"
#include "analysis/calibration/kernels/elementwise_ops.hpp"

namespace headroom::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kPacksAThread = 4;

/// Packs of the output, a tile of Packs * kThreads a block; columns: packs in a row of the output.
template <int Packs>
__global__ void __launch_bounds__(kThreads)
    swiglu_kernel(const uint4* __restrict__ gate_up, uint4* __restrict__ out, unsigned packs,
                  unsigned columns) {
    const unsigned begin = blockIdx.x * (Packs * kThreads) + threadIdx.x;
    uint4 gate[Packs];
    uint4 up[Packs];
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
        const unsigned at = begin + i * kThreads;
        if (at < packs) {
            const long long row = at / columns;
            const long long source = 2 * row * columns + at % columns;
            gate[i] = gate_up[source];
            up[i] = gate_up[source + columns];
        }
    }
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
        const unsigned at = begin + i * kThreads;
        if (at < packs) {
            float g[kPack];
            float u[kPack];
            unpack(gate[i], g);
            unpack(up[i], u);
#pragma unroll
            // exp(-g) may be infinite: then the quotient is 0, as it should be.
            for (int j = 0; j < kPack; ++j) g[j] = __fdividef(g[j], 1.0f + __expf(-g[j])) * u[j];
            out[at] = packed(g);
        }
    }
}

class SwigluCase final : public Case {
  public:
    SwigluCase(const Context& context, std::int64_t tokens, std::int64_t width, int copies,
               std::uint64_t seed)
        : stream_(context.stream),
          packs_(static_cast<unsigned>(tokens * width / kPack)),
          columns_(static_cast<unsigned>(width / kPack)),
          // Several packs a thread only where the chip is full with them.
          wide_(tokens * width / kPack >= 4LL * kThreads * kPacksAThread * context.multiprocessors),
          copies_(copies),
          gate_up(2 * tokens * width, copies),
          out(tokens * width, copies) {
        if (width % kPack != 0) {
            throw DeviceError("swiglu: width " + std::to_string(width) + " is no multiple of 8");
        }
        fill_bf16(gate_up.buffer(), seed, 2.0f, stream_);
    }

    [[nodiscard]] int copies() const override { return copies_; }
    void launch(int copy) override {
        if (wide_) {
            launch_with<kPacksAThread>(copy);
        } else {
            launch_with<1>(copy);
        }
    }

  private:
    template <int Packs>
    void launch_with(int copy) {
        constexpr unsigned kTile = Packs * kThreads;
        kernels::launch(
            {.grid = (packs_ + kTile - 1) / kTile, .block = kThreads, .stream = stream_},
            swiglu_kernel<Packs>, gate_up.at(copy), out.at(copy), packs_, columns_);
    }

    cudaStream_t stream_;
    unsigned packs_;
    unsigned columns_;
    bool wide_;
    int copies_;

  public:
    TensorSets gate_up;
    TensorSets out;
};

class SwigluOp final : public MemoryBoundOp {
  public:
    [[nodiscard]] std::string name() const override { return "swiglu"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        if (mode == Mode::quick) return tokens_by_width({1, 128, 2048}, {3584, 14336});
        return tokens_by_width({1, 16, 128, 1024, 8192}, {2048, 3584, 14336});
    }
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        std::vector<Shape> shapes = tokens_by_width({1, 37}, {1000, 2048, 14336});
        shapes.push_back({{"tokens", 3001}, {"width", 1800}});  // several packs a thread
        return shapes;
    }
    [[nodiscard]] Work work(const Shape& shape) const override {
        return {.flop = 0,
                .bytes = 6 * static_cast<double>(field(shape, "tokens") * field(shape, "width"))};
    }
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const std::int64_t elements = field(shape, "tokens") * field(shape, "width");
        return (TensorSets::bytes_of(2 * elements) + TensorSets::bytes_of(elements)) *
               static_cast<std::size_t>(copies(context, shape));
    }
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        return std::make_unique<SwigluCase>(context, field(shape, "tokens"), field(shape, "width"),
                                            copies(context, shape), seed);
    }
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        const std::int64_t width = field(shape, "width");
        SwigluCase prepared(context, field(shape, "tokens"), width, 2, seed);
        prepared.out.buffer().poison(context.stream);
        prepared.launch(1);
        return reference::relative_l2(
            prepared.out.values(1, context.stream),
            reference::swiglu(prepared.gate_up.values(1, context.stream), width));
    }

  private:
    [[nodiscard]] static int copies(const Context& context, const Shape& shape) {
        const std::int64_t elements = field(shape, "tokens") * field(shape, "width");
        return copies_for(context, TensorSets::bytes_of(2 * elements));
    }
};

}  // namespace

std::unique_ptr<Op> make_swiglu() {
    return std::make_unique<SwigluOp>();
}

}  // namespace headroom::kernels
