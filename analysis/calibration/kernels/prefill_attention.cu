#include "analysis/calibration/kernels/prefill_attention.hpp"

#include <cmath>
#include <cstddef>

#include "analysis/calibration/kernels/attention_layout.hpp"
#include "analysis/calibration/kernels/attention_shapes.hpp"
#include "analysis/calibration/kernels/prefill_attention_kernel.cuh"
#include "analysis/calibration/kernels/reference.hpp"

namespace headroom::kernels {
namespace attention {
namespace {

std::size_t elements(int tokens, int heads) {
    return static_cast<std::size_t>(tokens) * heads * kHeadSize;
}

std::size_t input_bytes(const PrefillProblem& problem) {
    return 2 * (elements(problem.tokens, problem.query_heads) +
                2 * elements(problem.tokens, problem.kv_heads));
}

/// The tile of 128 queries is faster where its blocks fill the device.
int choose_row_tiles(const PrefillProblem& problem, int multiprocessors) {
    const int blocks = problem.query_heads * ceil_divide(problem.tokens, prefill_rows(2));
    return blocks >= multiprocessors ? 2 : 1;
}

class OwnCase final : public PrefillCase {
  public:
    OwnCase(const Context& context, const PrefillProblem& problem, int copies, std::uint64_t seed)
        : PrefillCase(context, problem, copies, seed),
          stream_(context.stream),
          row_tiles_(choose_row_tiles(problem, context.multiprocessors)) {
        HEADROOM_CUDA(cudaFuncSetAttribute(prefill_attention_kernel<1>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           prefill_shared_bytes(1)));
        HEADROOM_CUDA(cudaFuncSetAttribute(prefill_attention_kernel<2>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           prefill_shared_bytes(2)));
    }

    void launch(int copy) override {
        PrefillArguments arguments;
        arguments.q = q(copy);
        arguments.k = k(copy);
        arguments.v = v(copy);
        arguments.out = out();
        arguments.tokens = problem().tokens;
        arguments.query_heads = problem().query_heads;
        arguments.kv_heads = problem().kv_heads;
        arguments.scale = static_cast<float>(std::log2(std::exp(1.0)) / std::sqrt(kHeadSize));
        const dim3 grid(problem().query_heads,
                        ceil_divide(problem().tokens, prefill_rows(row_tiles_)));
        kernels::launch(
            {.grid = grid,
             .block = 32 * kWarps,
             .stream = stream_,
             .shared_bytes = static_cast<std::size_t>(prefill_shared_bytes(row_tiles_))},
            row_tiles_ == 1 ? prefill_attention_kernel<1> : prefill_attention_kernel<2>, arguments);
    }

  private:
    cudaStream_t stream_;
    int row_tiles_;
};

class OwnPrefillAttention final : public PrefillAttention {
  public:
    [[nodiscard]] std::string kernel() const override { return "own"; }

  private:
    [[nodiscard]] std::unique_ptr<PrefillCase> make_case(Context& context,
                                                         const PrefillProblem& problem, int copies,
                                                         std::uint64_t seed) const override {
        return std::make_unique<OwnCase>(context, problem, copies, seed);
    }
};

}  // namespace

PrefillCase::PrefillCase(const Context& context, const PrefillProblem& problem, int copies,
                         std::uint64_t seed)
    : problem_(problem),
      copies_(copies),
      q_(copies * 2 * elements(problem.tokens, problem.query_heads)),
      k_(copies * 2 * elements(problem.tokens, problem.kv_heads)),
      v_(copies * 2 * elements(problem.tokens, problem.kv_heads)),
      out_(2 * elements(problem.tokens, problem.query_heads)) {
    fill_bf16(q_, 3 * seed, 1.0f, context.stream);
    fill_bf16(k_, 3 * seed + 1, 1.0f, context.stream);
    fill_bf16(v_, 3 * seed + 2, 1.0f, context.stream);
}

std::uint16_t* PrefillCase::q(int copy) const {
    return q_.as<std::uint16_t>() + copy * elements(problem_.tokens, problem_.query_heads);
}

std::uint16_t* PrefillCase::k(int copy) const {
    return k_.as<std::uint16_t>() + copy * elements(problem_.tokens, problem_.kv_heads);
}

std::uint16_t* PrefillCase::v(int copy) const {
    return v_.as<std::uint16_t>() + copy * elements(problem_.tokens, problem_.kv_heads);
}

double PrefillCase::check(const Context& context) {
    out_.poison(context.stream);
    launch(0);
    const auto fetch = [&](const Buffer& buffer, int heads) {
        std::vector<std::uint16_t> host(elements(problem_.tokens, heads));
        buffer.download(host.data(), 2 * host.size(), context.stream);
        return host;
    };
    const std::vector<double> out = reference::widen_bf16(fetch(out_, problem_.query_heads));
    return reference::relative_l2(
        out,
        prefill_attention_reference(problem_, fetch(q_, problem_.query_heads),
                                    fetch(k_, problem_.kv_heads), fetch(v_, problem_.kv_heads)));
}

std::vector<Shape> PrefillAttention::shapes(Mode mode) const {
    std::vector<Shape> result;
    for (const PrefillProblem& problem : prefill_sweep(mode)) result.push_back(to_shape(problem));
    return result;
}

std::vector<Shape> PrefillAttention::check_shapes() const {
    std::vector<Shape> result;
    for (const PrefillProblem& problem : prefill_check_problems()) {
        result.push_back(to_shape(problem));
    }
    return result;
}

Work PrefillAttention::work(const Shape& shape) const {
    const PrefillProblem problem = prefill_problem(shape);
    const double pairs = 0.5 * problem.tokens * (problem.tokens + 1.0);
    const double out_bytes =
        2.0 * static_cast<double>(elements(problem.tokens, problem.query_heads));
    return {4.0 * problem.query_heads * problem.head_size * pairs,
            static_cast<double>(input_bytes(problem)) + out_bytes};
}

Ceiling PrefillAttention::ceiling(const Shape& shape) const {
    // Where 8192^3 GEMM and memory take the same time: 760 TFLOP/s over 3.0 TB/s on an H100.
    constexpr double kRidge = 250;  // flop per byte
    const Work needed = work(shape);
    return needed.flop < kRidge * needed.bytes ? Ceiling::memory : Ceiling::bf16;
}

std::size_t PrefillAttention::bytes_on_device(const Context& context, const Shape& shape) const {
    const PrefillProblem problem = prefill_problem(shape);
    const std::size_t inputs = input_bytes(problem);
    return copies_for(context, inputs) * inputs + 2 * elements(problem.tokens, problem.query_heads);
}

std::unique_ptr<Case> PrefillAttention::prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const {
    const PrefillProblem problem = prefill_problem(shape);
    return make_case(context, problem, copies_for(context, input_bytes(problem)), seed);
}

double PrefillAttention::check(Context& context, const Shape& shape, std::uint64_t seed) const {
    return make_case(context, prefill_problem(shape), 1, seed)->check(context);
}

}  // namespace attention

std::unique_ptr<Op> make_prefill_attention() {
    return std::make_unique<attention::OwnPrefillAttention>();
}

}  // namespace headroom::kernels
