#include "analysis/calibration/kernels/decode_attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/attention_layout.hpp"
#include "analysis/calibration/kernels/attention_reference.hpp"
#include "analysis/calibration/kernels/attention_shapes.hpp"
#include "analysis/calibration/kernels/decode_attention_kernel.cuh"
#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/reference.hpp"

namespace headroom::kernels {
namespace attention {
namespace {

/// Sizes in elements, of one copy.
struct Sizes {
    explicit Sizes(const DecodeProblem& problem)
        : q(static_cast<std::size_t>(problem.batch) * problem.query_heads * kHeadSize),
          table(static_cast<std::size_t>(problem.batch) * problem.pages()),
          cache(table * problem.kv_heads * kPageTokens * kHeadSize) {}

    [[nodiscard]] std::size_t input_bytes() const { return 2 * q + 4 * cache; }

    std::size_t q;
    std::size_t table;
    std::size_t cache;  ///< K, and again V
};

int splits_for(const Context& context, const DecodeProblem& problem) {
    return choose_splits(problem.batch * problem.kv_heads, problem.pages(),
                         context.multiprocessors * kDecodeBlocksPerMultiprocessor);
}

/// Partial results: 128 values, a maximum and a sum for each split of each query head.
std::size_t partial_values(const DecodeProblem& problem, int splits) {
    return splits == 1 ? 0 : Sizes(problem).q * splits;
}
std::size_t partial_states(const DecodeProblem& problem, int splits) {
    return partial_values(problem, splits) / kHeadSize;
}

class DecodeCase final : public Case {
  public:
    DecodeCase(const Context& context, const DecodeProblem& problem, int copies, std::uint64_t seed)
        : problem_(problem),
          sizes_(problem),
          copies_(copies),
          splits_(splits_for(context, problem)),
          stream_(context.stream),
          q_(copies * 2 * sizes_.q),
          k_(copies * 2 * sizes_.cache),
          v_(copies * 2 * sizes_.cache),
          table_(4 * sizes_.table),
          out_(2 * sizes_.q),
          partial_(std::max<std::size_t>(4 * partial_values(problem, splits_), 16)),
          partial_state_(std::max<std::size_t>(8 * partial_states(problem, splits_), 16)) {
        fill_bf16(q_, 3 * seed, 1.0f, stream_);
        fill_bf16(k_, 3 * seed + 1, 1.0f, stream_);
        fill_bf16(v_, 3 * seed + 2, 1.0f, stream_);
        const std::vector<std::int32_t> blocks =
            shuffled_blocks(static_cast<int>(sizes_.table), seed);
        table_.upload(blocks.data(), 4 * blocks.size(), stream_);
        HEADROOM_CUDA(cudaStreamSynchronize(stream_));  // the table leaves this host
        HEADROOM_CUDA(cudaFuncSetAttribute(decode_attention_kernel,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           kDecodeSharedBytes));
    }

    [[nodiscard]] int copies() const override { return copies_; }

    void launch(int copy) override {
        DecodeArguments arguments;
        arguments.q = q_.as<std::uint16_t>() + copy * sizes_.q;
        arguments.k = k_.as<std::uint16_t>() + copy * sizes_.cache;
        arguments.v = v_.as<std::uint16_t>() + copy * sizes_.cache;
        arguments.table = table_.as<std::int32_t>();
        arguments.out = out_.as<std::uint16_t>();
        arguments.partial = partial_.as<float>();
        arguments.partial_state = partial_state_.as<float2>();
        arguments.context = problem_.context;
        arguments.pages = problem_.pages();
        arguments.kv_heads = problem_.kv_heads;
        arguments.group = problem_.group();
        arguments.splits = splits_;
        arguments.scale = static_cast<float>(std::log2(std::exp(1.0)) / std::sqrt(kHeadSize));
        kernels::launch({.grid = dim3(splits_, problem_.kv_heads, problem_.batch),
                         .block = 32 * kWarps,
                         .stream = stream_,
                         .shared_bytes = kDecodeSharedBytes},
                        decode_attention_kernel, arguments);
        if (splits_ > 1) launch_join();
    }

    /// Launches copy 0 with everything that it writes poisoned, and compares with the reference.
    [[nodiscard]] double check() {
        out_.poison(stream_);
        partial_.poison(stream_);
        partial_state_.poison(stream_);
        launch(0);
        const std::vector<double> out = reference::widen_bf16(fetch<std::uint16_t>(out_));
        return reference::relative_l2(
            out,
            decode_attention_reference(problem_, fetch<std::uint16_t>(q_), fetch<std::uint16_t>(k_),
                                       fetch<std::uint16_t>(v_), fetch<std::int32_t>(table_)));
    }

  private:
    /// Set up while the splits are still at work.
    void launch_join() {
        kernels::launch({.grid = dim3(problem_.query_heads, problem_.batch),
                         .block = 32 * kJoinWarps,
                         .stream = stream_,
                         .overlaps_previous = true},
                        decode_join_kernel, partial_.as<float>(), partial_state_.as<float2>(),
                        out_.as<std::uint16_t>(), splits_);
    }

    template <class T>
    [[nodiscard]] std::vector<T> fetch(const Buffer& buffer) const {
        std::vector<T> host(buffer.bytes() / sizeof(T));
        buffer.download(host.data(), buffer.bytes(), stream_);
        return host;
    }

    DecodeProblem problem_;
    Sizes sizes_;
    int copies_;
    int splits_;
    cudaStream_t stream_;
    Buffer q_;
    Buffer k_;
    Buffer v_;
    Buffer table_;
    Buffer out_;
    Buffer partial_;
    Buffer partial_state_;
};

/// Enough of them for every point: keys and values come from memory, however few they are.
int copies_of(const Context& context, const Sizes& sizes) {
    return copies_for(context, sizes.input_bytes(), 1024);
}

class DecodeAttention final : public Op {
  public:
    [[nodiscard]] std::string name() const override { return "decode_attention"; }
    [[nodiscard]] std::string dtype() const override { return "bf16"; }
    [[nodiscard]] std::string kernel() const override { return "own"; }
    [[nodiscard]] Ceiling ceiling(const Shape&) const override { return Ceiling::memory; }

    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        std::vector<Shape> result;
        for (const DecodeProblem& problem : decode_sweep(mode)) {
            result.push_back(to_shape(problem));
        }
        return result;
    }

    /// Contexts that fill no page, batches that divide nothing, every group, one split and many.
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        std::vector<Shape> result;
        for (const DecodeProblem& problem : decode_check_problems()) {
            result.push_back(to_shape(problem));
        }
        return result;
    }

    [[nodiscard]] Work work(const Shape& shape) const override {
        const DecodeProblem problem = decode_problem(shape);
        const Sizes sizes(problem);
        const double tokens = static_cast<double>(problem.batch) * problem.context;
        const double kv_bytes = 4.0 * tokens * problem.kv_heads * kHeadSize;
        const double small_bytes = 4.0 * static_cast<double>(sizes.q + sizes.table);
        return {4.0 * tokens * problem.query_heads * kHeadSize, kv_bytes + small_bytes};
    }

    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const DecodeProblem problem = decode_problem(shape);
        const Sizes sizes(problem);
        const int splits = splits_for(context, problem);
        return copies_of(context, sizes) * sizes.input_bytes() + 2 * sizes.q + 4 * sizes.table +
               4 * partial_values(problem, splits) + 8 * partial_states(problem, splits);
    }

    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        const DecodeProblem problem = decode_problem(shape);
        const int copies = copies_of(context, Sizes(problem));
        return std::make_unique<DecodeCase>(context, problem, copies, seed);
    }

    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        return DecodeCase(context, decode_problem(shape), 1, seed).check();
    }
};

}  // namespace
}  // namespace attention

std::unique_ptr<Op> make_decode_attention() {
    return std::make_unique<attention::DecodeAttention>();
}

}  // namespace headroom::kernels
