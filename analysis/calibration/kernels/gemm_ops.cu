#include "analysis/calibration/kernels/gemm_ops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "analysis/calibration/kernels/gemm_shapes.hpp"
#include "analysis/calibration/kernels/opened_device.hpp"
#include "analysis/calibration/kernels/reference.hpp"
#include "analysis/calibration/kernels/timing.hpp"

namespace headroom::kernels {

namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;
constexpr int kCandidates = 8;
constexpr int kMostCopiesTried = 160;
constexpr std::int64_t kFp8Rows = 16;
constexpr std::size_t kAlignment = 256;
// The scales of x and W in fp8: powers of two and unlike, so that a check sees each of them. Each
// lies at a multiple of 16 bytes, the alignment that some kernels want of every pointer.
constexpr std::size_t kScaleOfWeights = 4;
constexpr std::array<float, 8> kFp8Scales = {0.5f, 0, 0, 0, 0.125f, 0, 0, 0};

struct Product {
    GemmType type = GemmType::bf16;
    std::int64_t m = 0;  ///< as asked for
    std::int64_t n = 0;
    std::int64_t k = 0;

    Product(GemmType t, const Shape& shape)
        : type(t), m(field(shape, "m")), n(field(shape, "n")), k(field(shape, "k")) {}

    [[nodiscard]] std::int64_t rows() const {  ///< as run
        return type == GemmType::fp8 ? (m + kFp8Rows - 1) / kFp8Rows * kFp8Rows : m;
    }
    [[nodiscard]] std::size_t element() const { return type == GemmType::fp8 ? 1 : 2; }
    [[nodiscard]] cudaDataType data_type() const {
        return type == GemmType::fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    }
    [[nodiscard]] std::size_t weight_bytes() const {
        const std::size_t bytes = static_cast<std::size_t>(n * k) * element();
        return (bytes + kAlignment - 1) / kAlignment * kAlignment;
    }
    [[nodiscard]] std::size_t x_bytes() const {
        return static_cast<std::size_t>(rows() * k) * element();
    }
    [[nodiscard]] std::size_t y_bytes() const { return static_cast<std::size_t>(rows() * n) * 2; }
    [[nodiscard]] int copies(const Context& context) const {
        const std::size_t each = weight_bytes();
        return static_cast<int>(std::max<std::size_t>(1, (context.rotate_bytes + each - 1) / each));
    }
};

class Layout {
  public:
    Layout(cudaDataType type, std::int64_t rows, std::int64_t columns) {
        HEADROOM_CUDA(cublasLtMatrixLayoutCreate(&layout_, type, static_cast<std::uint64_t>(rows),
                                                 static_cast<std::uint64_t>(columns), rows));
    }
    Layout(const Layout&) = delete;
    Layout& operator=(const Layout&) = delete;
    ~Layout() { static_cast<void>(cublasLtMatrixLayoutDestroy(layout_)); }
    [[nodiscard]] cublasLtMatrixLayout_t get() const { return layout_; }

  private:
    cublasLtMatrixLayout_t layout_ = nullptr;
};

/// What is computed: TN, sums in float, and in fp8 the two scales and fast accumulation.
class Description {
  public:
    Description(GemmType type, const float* scales) {
        HEADROOM_CUDA(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
        try {
            set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
            set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
            if (type == GemmType::fp8) {
                set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales);
                set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales + kScaleOfWeights);
                set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
            }
        } catch (...) {
            static_cast<void>(cublasLtMatmulDescDestroy(description_));
            throw;
        }
    }
    Description(const Description&) = delete;
    Description& operator=(const Description&) = delete;
    ~Description() { static_cast<void>(cublasLtMatmulDescDestroy(description_)); }
    [[nodiscard]] cublasLtMatmulDesc_t get() const { return description_; }

  private:
    template <class Value>
    void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
        HEADROOM_CUDA(
            cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof(value)));
    }

    cublasLtMatmulDesc_t description_ = nullptr;
};

struct Candidates {
    std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
    int found = 0;
};

class GemmCase final : public Case {
  public:
    GemmCase(Context& context, const Product& product, int copies, std::uint64_t seed)
        : context_(context),
          copies_(copies),
          weight_bytes_(product.weight_bytes()),
          weights_(weight_bytes_ * static_cast<std::size_t>(copies)),
          x_(product.x_bytes()),
          y_(product.y_bytes()),
          workspace_(kWorkspaceBytes),
          scales_(sizeof(kFp8Scales)),
          description_(product.type, scales_.as<float>()),
          a_(product.data_type(), product.k, product.n),
          b_(product.data_type(), product.k, product.rows()),
          d_(CUDA_R_16BF, product.n, product.rows()) {
        scales_.upload(kFp8Scales.data(), sizeof(kFp8Scales), context.stream);
        if (product.type == GemmType::fp8) {
            fill_fp8(weights_, seed, 1.0f, context.stream);
            fill_fp8(x_, seed + 1, 1.0f, context.stream);
        } else {
            const auto deviation =
                static_cast<float>(1 / std::sqrt(static_cast<double>(product.k)));
            fill_bf16(weights_, seed, deviation, context.stream);
            fill_bf16(x_, seed + 1, 1.0f, context.stream);
        }
        choose_algorithm(product);
    }

    [[nodiscard]] int copies() const override { return copies_; }
    void launch(int copy) override { require(multiply(copy, algorithm_), "cublasLtMatmul"); }

    [[nodiscard]] const Buffer& weights() const { return weights_; }
    [[nodiscard]] const Buffer& x() const { return x_; }
    [[nodiscard]] const Buffer& y() const { return y_; }

  private:
    [[nodiscard]] cublasStatus_t multiply(int copy, const cublasLtMatmulAlgo_t& algorithm) const {
        const float one = 1;
        const float zero = 0;
        const void* weights =
            weights_.as<unsigned char>() + static_cast<std::size_t>(copy) * weight_bytes_;
        return cublasLtMatmul(context_.cublaslt, description_.get(), &one, weights, a_.get(),
                              x_.data(), b_.get(), &zero, y_.data(), d_.get(), y_.data(), d_.get(),
                              &algorithm, workspace_.data(), workspace_.bytes(), context_.stream);
    }

    [[nodiscard]] Candidates candidates() const {
        cublasLtMatmulPreference_t preference = nullptr;
        HEADROOM_CUDA(cublasLtMatmulPreferenceCreate(&preference));
        const std::size_t workspace = workspace_.bytes();
        cublasStatus_t status = cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace));
        Candidates candidates;
        if (status == CUBLAS_STATUS_SUCCESS) {
            status = cublasLtMatmulAlgoGetHeuristic(
                context_.cublaslt, description_.get(), a_.get(), b_.get(), d_.get(), d_.get(),
                preference, kCandidates, candidates.results.data(), &candidates.found);
        }
        static_cast<void>(cublasLtMatmulPreferenceDestroy(preference));
        require(status, "cublasLtMatmulAlgoGetHeuristic");
        return candidates;
    }

    /// Of one launch in a graph; infinite for an algorithm that does not run, alone or captured.
    [[nodiscard]] double seconds_of(const cublasLtMatmulAlgo_t& algorithm, int calls) const {
        // The first launch loads the kernel, which a capture does not allow.
        if (multiply(0, algorithm) != CUBLAS_STATUS_SUCCESS) {
            return std::numeric_limits<double>::infinity();
        }
        try {
            const LaunchGraph graph(context_, calls, [&](int i) {
                require(multiply(i % copies_, algorithm), "cublasLtMatmul");
            });
            const std::vector<double> seconds = time_replays(context_, graph, 3);
            return *std::min_element(seconds.begin(), seconds.end());
        } catch (const DeviceError&) {
            if (!still_usable()) throw;
            return std::numeric_limits<double>::infinity();
        }
    }

    /// The fastest of the candidates, of equal ones the first.
    void choose_algorithm(const Product& product) {
        // Enough launches for a tenth of a millisecond by a guess of 100 TFLOP/s and 2 TB/s.
        const double guess_s = 3e-6 + std::max(2e-14 * static_cast<double>(product.m * product.n) *
                                                   static_cast<double>(product.k),
                                               5e-13 * static_cast<double>(weight_bytes_));
        // Every copy once at least, or small weights would come from the L2 cache.
        const int calls = std::max(std::clamp(static_cast<int>(1e-4 / guess_s), 1, 24),
                                   std::min(copies_, kMostCopiesTried));
        double best_s = std::numeric_limits<double>::infinity();
        const Candidates proposed = candidates();
        for (int c = 0; c < proposed.found; ++c) {
            const cublasLtMatmulHeuristicResult_t& result =
                proposed.results[static_cast<std::size_t>(c)];
            const cublasLtMatmulAlgo_t& algorithm = result.algo;
            if (result.state != CUBLAS_STATUS_SUCCESS) continue;
            const double seconds = seconds_of(algorithm, calls);
            if (seconds < best_s) {
                best_s = seconds;
                algorithm_ = algorithm;
            }
        }
        if (!std::isfinite(best_s)) throw DeviceError("cuBLASLt: no algorithm for this product");
    }

    Context& context_;
    int copies_;
    std::size_t weight_bytes_;
    Buffer weights_;
    Buffer x_;
    Buffer y_;
    Buffer workspace_;
    Buffer scales_;
    Description description_;
    Layout a_;
    Layout b_;
    Layout d_;
    cublasLtMatmulAlgo_t algorithm_{};
};

std::vector<double> downloaded(const Context& context, const Buffer& buffer, std::size_t offset,
                               std::size_t count, GemmType type) {
    const std::size_t element = type == GemmType::fp8 ? 1 : 2;
    std::vector<unsigned char> all(buffer.bytes());
    buffer.download(all.data(), all.size(), context.stream);
    const unsigned char* begin = all.data() + offset;
    if (type == GemmType::fp8) {
        return reference::widen_e4m3({begin, count});
    }
    std::vector<std::uint16_t> words(count);
    std::memcpy(words.data(), begin, count * element);
    return reference::widen_bf16(words);
}

class GemmOp final : public Op {
  public:
    GemmOp(GemmType type, bool lm_head) : type_(type), lm_head_(lm_head) {}

    [[nodiscard]] std::string name() const override { return lm_head_ ? "lm_head" : "gemm"; }
    [[nodiscard]] std::string dtype() const override {
        return type_ == GemmType::fp8 ? "fp8" : "bf16";
    }
    [[nodiscard]] std::string kernel() const override { return "cublaslt"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        return lm_head_ ? lm_head_shapes(mode) : gemm_shapes(mode);
    }
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        return lm_head_ ? lm_head_check_shapes() : gemm_check_shapes();
    }

    [[nodiscard]] Work work(const Shape& shape) const override {
        const Product p(type_, shape);
        const auto m = static_cast<double>(p.m);
        const auto n = static_cast<double>(p.n);
        const auto k = static_cast<double>(p.k);
        const auto element = static_cast<double>(p.element());
        return {.flop = 2 * m * n * k, .bytes = (m * k + n * k) * element + 2 * m * n};
    }
    [[nodiscard]] Ceiling ceiling(const Shape& shape) const override {
        // Operations a byte at which both ceilings of Hopper meet: 263 on an H100, 184 on an H200
        // in bf16, twice that in fp8. Between the two it matters little which is named.
        const bool fp8 = type_ == GemmType::fp8;
        const Work least = work(shape);
        if (least.flop / least.bytes < (fp8 ? 440 : 220)) return Ceiling::memory;
        return fp8 ? Ceiling::fp8 : Ceiling::bf16;
    }
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const Product p(type_, shape);
        return p.weight_bytes() * static_cast<std::size_t>(p.copies(context)) + p.x_bytes() +
               p.y_bytes() + kWorkspaceBytes + sizeof(kFp8Scales);
    }
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        const Product p(type_, shape);
        return std::make_unique<GemmCase>(context, p, p.copies(context), seed);
    }

    /// On the second of two copies, so that a wrong offset would show.
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        const Product p(type_, shape);
        GemmCase prepared(context, p, 2, seed);
        prepared.y().poison(context.stream);
        prepared.launch(1);
        const auto m = static_cast<std::size_t>(p.m);
        const auto n = static_cast<std::size_t>(p.n);
        const auto k = static_cast<std::size_t>(p.k);
        const std::vector<double> y = downloaded(context, prepared.y(), 0, m * n, GemmType::bf16);
        const std::vector<double> x = downloaded(context, prepared.x(), 0, m * k, type_);
        const std::vector<double> weights =
            downloaded(context, prepared.weights(), p.weight_bytes(), n * k, type_);
        const double scale = type_ == GemmType::fp8
                                 ? static_cast<double>(kFp8Scales[0]) * kFp8Scales[kScaleOfWeights]
                                 : 1.0;
        const std::vector<double> expected =
            reference::gemm(x, weights, {.m = p.m, .n = p.n, .k = p.k}, scale);
        return reference::relative_l2(y, expected);
    }

    /// Fast accumulation keeps about 14 bits of a running sum: some 0.004 at k = 2048, twice which
    /// would be too near the common 0.01. A wrong scale, row or offset is off by 0.1 and more.
    [[nodiscard]] double tolerance() const override {
        return type_ == GemmType::fp8 ? 2e-2 : Op::tolerance();
    }

  private:
    GemmType type_;
    bool lm_head_;
};

}  // namespace

std::unique_ptr<Op> make_gemm(GemmType type) {
    return std::make_unique<GemmOp>(type, false);
}

void add_gemm_ops(const Context&, std::vector<std::unique_ptr<Op>>& ops) {
    ops.push_back(make_gemm(GemmType::bf16));
    ops.push_back(make_gemm(GemmType::fp8));
    ops.push_back(std::make_unique<GemmOp>(GemmType::bf16, true));
}

}  // namespace headroom::kernels
