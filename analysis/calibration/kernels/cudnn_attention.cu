#ifdef HEADROOM_CUDNN

#include "analysis/calibration/kernels/cudnn_attention.hpp"

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/calibration/kernels/attention_shapes.hpp"
#include "analysis/calibration/kernels/prefill_attention.hpp"

namespace headroom::kernels {
namespace attention {
namespace {

void require_cudnn(cudnnStatus_t status, const std::string& call) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    std::array<char, 1024> reason{};
    cudnnGetLastErrorString(reason.data(), reason.size());
    throw DeviceError(call + ": " + cudnnGetErrorString(status) + " " + reason.data());
}

/// A descriptor of the graph API, destroyed with the object. Move only.
class Descriptor {
  public:
    explicit Descriptor(cudnnBackendDescriptorType_t type) {
        require_cudnn(cudnnBackendCreateDescriptor(type, &handle_), "cudnnBackendCreateDescriptor");
    }
    Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    ~Descriptor() {
        if (handle_ != nullptr) cudnnBackendDestroyDescriptor(handle_);
    }

    template <class T>
    Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                    const std::vector<T>& values) {
        return set(name, type, static_cast<std::int64_t>(values.size()), values.data());
    }
    template <class T>
    Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                    const T& value) {
        return set(name, type, 1, &value);
    }
    Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
        return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.handle_);
    }
    Descriptor& set(cudnnBackendAttributeName_t name, std::int64_t value) {
        return set(name, CUDNN_TYPE_INT64, value);
    }
    Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
        return set(name, CUDNN_TYPE_DATA_TYPE, value);
    }
    void finalize(const char* what) { require_cudnn(cudnnBackendFinalize(handle_), what); }
    [[nodiscard]] bool try_finalize() {
        return cudnnBackendFinalize(handle_) == CUDNN_STATUS_SUCCESS;
    }
    [[nodiscard]] cudnnBackendDescriptor_t handle() const { return handle_; }

  private:
    Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                    std::int64_t count, const void* values) {
        require_cudnn(cudnnBackendSetAttribute(handle_, name, type, count, values),
                      "cudnnBackendSetAttribute " + std::to_string(name));
        return *this;
    }

    cudnnBackendDescriptor_t handle_ = nullptr;
};

/// Unique ids of what a launch brings along; intermediate results are numbered from kFirstVirtual.
enum TensorId : std::int64_t { kQ = 1, kK, kV, kOut, kScale, kMinusInfinity, kFirstVirtual };

using Sizes = std::vector<std::int64_t>;

/// Causal attention as the graph that cuDNN's fused engines know: product of q and k, scaled;
/// masked where the row is above the column; softmax step by step; product with v.
class AttentionGraph {
  public:
    AttentionGraph(cudnnHandle_t handle, const PrefillProblem& problem)
        : heads_(problem.query_heads), tokens_(problem.tokens) {
        const std::int64_t size = problem.head_size;
        const std::int64_t q_row = heads_ * size;
        const std::int64_t kv_row = problem.kv_heads * size;
        const Sizes q_sizes = {1, heads_, tokens_, size};
        const Sizes q_strides = {tokens_ * q_row, size, q_row, 1};
        const Descriptor& q = stored(kQ, q_sizes, q_strides);
        // k is described as its transpose.
        const Descriptor& k =
            stored(kK, {1, problem.kv_heads, size, tokens_}, {tokens_ * kv_row, size, 1, kv_row});
        const Descriptor& v =
            stored(kV, {1, problem.kv_heads, tokens_, size}, {tokens_ * kv_row, size, kv_row, 1});
        const Descriptor& out = stored(kOut, q_sizes, q_strides);
        const Descriptor& masked = mask(scores(q, k));
        multiply(softmax(masked), v, out);

        std::vector<cudnnBackendDescriptor_t> operations;
        for (const Descriptor& operation : operations_) operations.push_back(operation.handle());
        graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations)
            .set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle)
            .finalize("attention graph");
    }

    [[nodiscard]] const Descriptor& graph() const { return graph_; }

  private:
    [[nodiscard]] Sizes score_sizes() const { return {1, heads_, tokens_, tokens_}; }
    [[nodiscard]] Sizes row_sizes() const { return {1, heads_, tokens_, 1}; }

    static Sizes packed_strides(const Sizes& sizes) {
        return {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1};
    }

    Descriptor& begin_tensor(std::int64_t id, cudnnDataType_t type, const Sizes& sizes,
                             const Sizes& strides) {
        Descriptor& tensor = tensors_.emplace_back(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
        return tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
            .set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
            .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16})
            .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes)
            .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
    }

    const Descriptor& stored(TensorId id, const Sizes& sizes, const Sizes& strides) {
        Descriptor& tensor = begin_tensor(id, CUDNN_DATA_BFLOAT16, sizes, strides);
        tensor.finalize("tensor");
        return tensor;
    }

    /// A float that a launch passes from the host.
    const Descriptor& number(TensorId id) {
        Descriptor& tensor = begin_tensor(id, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1});
        tensor.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, true).finalize("number");
        return tensor;
    }

    const Descriptor& intermediate(const Sizes& sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
        Descriptor& tensor = begin_tensor(next_id_++, type, sizes, packed_strides(sizes));
        tensor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true)
            .finalize("intermediate tensor");
        return tensor;
    }

    void multiply(const Descriptor& a, const Descriptor& b, const Descriptor& product) {
        Descriptor& kind = kinds_.emplace_back(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
        kind.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT).finalize("matmul");
        operations_.emplace_back(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR)
            .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a)
            .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b)
            .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, product)
            .set(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind)
            .finalize("matmul operation");
    }

    Descriptor& begin_pointwise(cudnnPointwiseMode_t mode, cudnnDataType_t precision) {
        Descriptor& kind = kinds_.emplace_back(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
        kind.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode)
            .set(CUDNN_ATTR_POINTWISE_MATH_PREC, precision);
        return kind;
    }

    Descriptor& begin_operation(Descriptor& kind, const Descriptor& x, const Descriptor& y) {
        kind.finalize("pointwise");
        Descriptor& operation =
            operations_.emplace_back(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
        return operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind)
            .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
            .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    }

    const Descriptor& pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor& b,
                                const Descriptor& y, cudnnDataType_t precision = CUDNN_DATA_FLOAT) {
        begin_operation(begin_pointwise(mode, precision), x, y)
            .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
            .finalize("pointwise operation");
        return y;
    }

    const Descriptor& reduce(cudnnReduceTensorOp_t mode, const Descriptor& x) {
        Descriptor& kind = kinds_.emplace_back(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
        kind.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
            .set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, mode)
            .finalize("reduction");
        const Descriptor& y = intermediate(row_sizes());
        operations_.emplace_back(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind)
            .finalize("reduction operation");
        return y;
    }

    const Descriptor& scores(const Descriptor& q, const Descriptor& k) {
        const Descriptor& product = intermediate(score_sizes());
        multiply(q, k, product);
        return pointwise(CUDNN_POINTWISE_MUL, product, number(kScale), intermediate(score_sizes()));
    }

    const Descriptor& index_of(const Descriptor& scores, std::int64_t axis) {
        const Descriptor& index = intermediate(score_sizes(), CUDNN_DATA_INT32);
        Descriptor& kind = begin_pointwise(CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_FLOAT);
        kind.set(CUDNN_ATTR_POINTWISE_AXIS, axis);
        begin_operation(kind, scores, index).finalize("index operation");
        return index;
    }

    const Descriptor& mask(const Descriptor& scores) {
        const Descriptor& row = index_of(scores, 2);
        const Descriptor& column = index_of(scores, 3);
        const Descriptor& seen =
            pointwise(CUDNN_POINTWISE_CMP_GE, row, column,
                      intermediate(score_sizes(), CUDNN_DATA_BOOLEAN), CUDNN_DATA_BOOLEAN);
        const Descriptor& masked = intermediate(score_sizes());
        begin_operation(begin_pointwise(CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT), scores,
                        masked)
            .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, number(kMinusInfinity))
            .set(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, seen)
            .finalize("select operation");
        return masked;
    }

    /// The logarithm of the sum is computed too, and dropped: only by it do the engines of flash
    /// attention know their graph; without, those for short sequences are asked, which refuse.
    const Descriptor& softmax(const Descriptor& scores) {
        const Descriptor& maximum = reduce(CUDNN_REDUCE_TENSOR_MAX, scores);
        const Descriptor& shifted =
            pointwise(CUDNN_POINTWISE_SUB, scores, maximum, intermediate(score_sizes()));
        const Descriptor& raised = intermediate(score_sizes());
        begin_operation(begin_pointwise(CUDNN_POINTWISE_EXP, CUDNN_DATA_FLOAT), shifted, raised)
            .finalize("exponential operation");
        const Descriptor& sum = reduce(CUDNN_REDUCE_TENSOR_ADD, raised);
        const Descriptor& logarithm = intermediate(row_sizes());
        begin_operation(begin_pointwise(CUDNN_POINTWISE_LOG, CUDNN_DATA_FLOAT), sum, logarithm)
            .finalize("logarithm operation");
        pointwise(CUDNN_POINTWISE_ADD, maximum, logarithm, intermediate(row_sizes()));
        // The second product wants both operands in one type.
        return pointwise(CUDNN_POINTWISE_DIV, raised, sum,
                         intermediate(score_sizes(), CUDNN_DATA_BFLOAT16));
    }

    std::int64_t heads_;
    std::int64_t tokens_;
    std::int64_t next_id_ = kFirstVirtual;
    std::deque<Descriptor> tensors_;  // a deque: references stay good
    std::deque<Descriptor> kinds_;
    std::deque<Descriptor> operations_;
    Descriptor graph_{CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR};
};

/// The engine configurations that cuDNN proposes for a graph, best first.
std::vector<Descriptor> propose_engines(const Descriptor& graph, cudnnBackendHeurMode_t mode) {
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
    if (!heuristic.try_finalize()) return {};  // no engine knows the graph
    std::int64_t count = 0;
    require_cudnn(cudnnBackendGetAttribute(heuristic.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
                  "number of engine configurations");
    std::vector<Descriptor> engines;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::int64_t index = 0; index < count; ++index) {
        handles.push_back(engines.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).handle());
    }
    require_cudnn(
        cudnnBackendGetAttribute(heuristic.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, handles.data()),
        "engine configurations");
    while (static_cast<std::int64_t>(engines.size()) > count) engines.pop_back();
    return engines;
}

bool has_engine(cudnnHandle_t handle, const PrefillProblem& problem) {
    try {
        const AttentionGraph graph(handle, problem);
        return !propose_engines(graph.graph(), CUDNN_HEUR_MODE_A).empty();
    } catch (const DeviceError&) {
        return false;
    }
}

/// The best proposed engine that can be built for this problem.
Descriptor make_plan(cudnnHandle_t handle, const PrefillProblem& problem) {
    const AttentionGraph graph(handle, problem);
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        for (const Descriptor& engine : propose_engines(graph.graph(), mode)) {
            Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
            plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle)
                .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine);
            if (plan.try_finalize()) return plan;
        }
    }
    throw DeviceError("cuDNN has no engine for causal attention of " +
                      std::to_string(problem.tokens) + " tokens, " +
                      std::to_string(problem.query_heads) + " heads on " +
                      std::to_string(problem.kv_heads));
}

/// A proposed engine is not yet one that can be built.
bool has_plan(cudnnHandle_t handle, const PrefillProblem& problem) {
    try {
        static_cast<void>(make_plan(handle, problem));
        return true;
    } catch (const DeviceError&) {
        return false;
    }
}

std::size_t workspace_bytes(const Descriptor& plan) {
    std::int64_t bytes = 0;
    std::int64_t count = 0;
    require_cudnn(cudnnBackendGetAttribute(plan.handle(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                           CUDNN_TYPE_INT64, 1, &count, &bytes),
                  "size of the workspace");
    return static_cast<std::size_t>(bytes);
}

class CudnnCase final : public PrefillCase {
  public:
    CudnnCase(const Context& context, const PrefillProblem& problem, int copies, std::uint64_t seed)
        : PrefillCase(context, problem, copies, seed),
          handle_(context.cudnn),
          plan_(make_plan(context.cudnn, problem)),
          workspace_(std::max<std::size_t>(workspace_bytes(plan_), 16)),
          scale_(static_cast<float>(1.0 / std::sqrt(problem.head_size))) {
        require_cudnn(cudnnSetStream(handle_, context.stream), "cudnnSetStream");
        const std::vector<std::int64_t> ids = {kQ, kK, kV, kOut, kScale, kMinusInfinity};
        for (int copy = 0; copy < copies; ++copy) {
            const std::vector<void*> pointers = {q(copy), k(copy), v(copy),
                                                 out(),   &scale_, &minus_infinity_};
            packs_.emplace_back(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
                .set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids)
                .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers)
                .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace_.data())
                .finalize("variant pack");
        }
    }

    void launch(int copy) override {
        require_cudnn(cudnnBackendExecute(handle_, plan_.handle(), packs_[copy].handle()),
                      "cudnnBackendExecute");
    }

  private:
    cudnnHandle_t handle_;
    Descriptor plan_;
    Buffer workspace_;
    float scale_;
    // What a masked score becomes. The engines before 9.10 want a finite number.
    float minus_infinity_ = cudnnGetVersion() < 91000 ? std::numeric_limits<float>::lowest()
                                                      : -std::numeric_limits<float>::infinity();
    std::vector<Descriptor> packs_;
};

class CudnnPrefillAttention final : public PrefillAttention {
  public:
    explicit CudnnPrefillAttention(cudnnHandle_t handle) : handle_(handle) {}

    [[nodiscard]] std::string kernel() const override { return "cudnn"; }

    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        return known(PrefillAttention::shapes(mode), has_engine);
    }
    /// To the end: what cuDNN refuses to run is no failed check. Built once, as it takes long.
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        if (!check_shapes_) check_shapes_ = known(PrefillAttention::check_shapes(), has_plan);
        return *check_shapes_;
    }

  private:
    [[nodiscard]] std::vector<Shape> known(const std::vector<Shape>& shapes,
                                           bool (*knows)(cudnnHandle_t,
                                                         const PrefillProblem&)) const {
        std::vector<Shape> result;
        for (const Shape& shape : shapes) {
            const PrefillProblem problem = prefill_problem(shape);
            if (knows(handle_, problem)) {
                result.push_back(shape);
            } else {
                std::fprintf(stderr,
                             "prefill_attention: cuDNN has no engine for %d tokens, %d/%d\n",
                             problem.tokens, problem.query_heads, problem.kv_heads);
            }
        }
        return result;
    }

    [[nodiscard]] std::unique_ptr<PrefillCase> make_case(Context& context,
                                                         const PrefillProblem& problem, int copies,
                                                         std::uint64_t seed) const override {
        return std::make_unique<CudnnCase>(context, problem, copies, seed);
    }

    cudnnHandle_t handle_;
    mutable std::optional<std::vector<Shape>> check_shapes_;
};

}  // namespace
}  // namespace attention

std::unique_ptr<Op> make_cudnn_attention(const Context& context) {
    if (context.cudnn == nullptr) {
        std::fprintf(stderr, "prefill_attention: no cuDNN, its kernel is left out\n");
        return nullptr;
    }
    try {  // one plan is built to the end: a proposed engine is not yet one that runs
        static_cast<void>(attention::make_plan(
            context.cudnn, {.tokens = 512, .query_heads = 8, .kv_heads = 2, .head_size = 128}));
    } catch (const DeviceError& error) {
        std::fprintf(stderr, "prefill_attention: cuDNN is left out: %s\n", error.what());
        return nullptr;
    }
    return std::make_unique<attention::CudnnPrefillAttention>(context.cudnn);
}

}  // namespace headroom::kernels

#endif  // HEADROOM_CUDNN
