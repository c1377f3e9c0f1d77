#include "analysis/calibration/kernels/elementwise_base.cuh"
#include "analysis/calibration/kernels/elementwise_ops.hpp"

namespace headroom::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kMostPacks = 8;  // a thread: rows of up to 16,384
constexpr float kEpsilon = 1e-5f;

__device__ float sum_over_block(float value) {
    __shared__ float of_warp[kThreads / 32];
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffu, value, lane);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kThreads / 32; ++warp) sum += of_warp[warp];
    return sum;
}

/// A row a block. The sum x + residual stays in registers between the two passes over it.
template <int Packs>
__global__ void __launch_bounds__(kThreads)
    rmsnorm_residual_kernel(const uint4* __restrict__ x, const uint4* __restrict__ residual,
                            const uint4* __restrict__ weight, uint4* __restrict__ out,
                            uint4* __restrict__ residual_out, int packs_a_row) {
    const long long row = static_cast<long long>(blockIdx.x) * packs_a_row;
    uint4 sum[Packs];
    uint4 other[Packs];
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
        const int at = static_cast<int>(threadIdx.x) + i * kThreads;
        if (at < packs_a_row) {
            sum[i] = x[row + at];
            other[i] = residual[row + at];
        }
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
        const int at = static_cast<int>(threadIdx.x) + i * kThreads;
        if (at < packs_a_row) {
            float a[kPack];
            float b[kPack];
            unpack(sum[i], a);
            unpack(other[i], b);
#pragma unroll
            for (int j = 0; j < kPack; ++j) a[j] += b[j];
            sum[i] = packed(a);
            residual_out[row + at] = sum[i];
            unpack(sum[i], a);  // rounded: what the next layer will read
#pragma unroll
            for (int j = 0; j < kPack; ++j) squares += a[j] * a[j];
            other[i] = weight[at];  // on its way while the block adds up
        }
    }
    const float mean = sum_over_block(squares) / static_cast<float>(packs_a_row * kPack);
    const float scale = rsqrtf(mean + kEpsilon);
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
        const int at = static_cast<int>(threadIdx.x) + i * kThreads;
        if (at < packs_a_row) {
            float a[kPack];
            float w[kPack];
            unpack(sum[i], a);
            unpack(other[i], w);
#pragma unroll
            for (int j = 0; j < kPack; ++j) a[j] = a[j] * scale * w[j];
            out[row + at] = packed(a);
        }
    }
}

class RmsnormCase final : public Case {
  public:
    RmsnormCase(const Context& context, std::int64_t tokens, std::int64_t width, int copies,
                std::uint64_t seed)
        : stream_(context.stream),
          tokens_(tokens),
          packs_(static_cast<int>(width / kPack)),
          copies_(copies),
          x(tokens * width, copies),
          residual(tokens * width, copies),
          weight(width, 1),
          out(tokens * width, copies),
          residual_out(tokens * width, copies) {
        if (width % kPack != 0 || packs_ > kThreads * kMostPacks) {
            throw DeviceError("rmsnorm_residual: width " + std::to_string(width) +
                              " is no multiple of 8 up to 16384");
        }
        fill_bf16(x.buffer(), seed, 1.0f, stream_);
        fill_bf16(residual.buffer(), seed + 1, 1.0f, stream_);
        fill_bf16(weight.buffer(), seed + 2, 1.0f, stream_);
    }

    [[nodiscard]] int copies() const override { return copies_; }
    void launch(int copy) override {
        if (packs_ <= kThreads) {
            launch_with<1>(copy);
        } else if (packs_ <= 2 * kThreads) {
            launch_with<2>(copy);
        } else if (packs_ <= 4 * kThreads) {
            launch_with<4>(copy);
        } else {
            launch_with<kMostPacks>(copy);
        }
    }

  private:
    template <int Packs>
    void launch_with(int copy) {
        kernels::launch(
            {.grid = static_cast<unsigned>(tokens_), .block = kThreads, .stream = stream_},
            rmsnorm_residual_kernel<Packs>, x.at(copy), residual.at(copy), weight.at(0),
            out.at(copy), residual_out.at(copy), packs_);
    }

    cudaStream_t stream_;
    std::int64_t tokens_;
    int packs_;
    int copies_;

  public:
    TensorSets x;
    TensorSets residual;
    TensorSets weight;
    TensorSets out;
    TensorSets residual_out;
};

class RmsnormOp final : public MemoryBoundOp {
  public:
    [[nodiscard]] std::string name() const override { return "rmsnorm_residual"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        if (mode == Mode::quick) return tokens_by_width({1, 128, 2048}, {4096, 8192});
        return tokens_by_width({1, 16, 128, 1024, 8192}, {2048, 4096, 8192, 16384});
    }
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        std::vector<Shape> shapes = tokens_by_width({1, 37}, {1000, 2048, 5120});
        shapes.push_back({{"tokens", 3}, {"width", 7168}});
        shapes.push_back({{"tokens", 5}, {"width", 16384}});
        return shapes;
    }
    [[nodiscard]] Work work(const Shape& shape) const override {
        const auto tokens = static_cast<double>(field(shape, "tokens"));
        const auto width = static_cast<double>(field(shape, "width"));
        return {.flop = 0, .bytes = 2 * width * (4 * tokens + 1)};
    }
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const std::int64_t width = field(shape, "width");
        const std::size_t tensor = TensorSets::bytes_of(field(shape, "tokens") * width);
        return 4 * tensor * static_cast<std::size_t>(copies(context, shape)) +
               TensorSets::bytes_of(width);
    }
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        return std::make_unique<RmsnormCase>(context, field(shape, "tokens"), field(shape, "width"),
                                             copies(context, shape), seed);
    }
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        const cudaStream_t stream = context.stream;
        RmsnormCase prepared(context, field(shape, "tokens"), field(shape, "width"), 2, seed);
        prepared.out.buffer().poison(stream);
        prepared.residual_out.buffer().poison(stream);
        prepared.launch(1);
        const std::vector<double> out = prepared.out.values(1, stream);
        const std::vector<double> residual_out = prepared.residual_out.values(1, stream);
        const reference::Normalised expected = reference::rmsnorm_residual(
            prepared.x.values(1, stream), prepared.residual.values(1, stream),
            prepared.weight.values(0, stream), static_cast<double>(kEpsilon));
        return reference::worse(reference::relative_l2(out, expected.out),
                                reference::relative_l2(residual_out, expected.residual));
    }

  private:
    [[nodiscard]] static int copies(const Context& context, const Shape& shape) {
        const std::int64_t elements = field(shape, "tokens") * field(shape, "width");
        return copies_for(context, 2 * TensorSets::bytes_of(elements));
    }
};

}  // namespace

std::unique_ptr<Op> make_rmsnorm_residual() {
    return std::make_unique<RmsnormOp>();
}

}  // namespace headroom::kernels
