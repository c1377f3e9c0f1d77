#ifdef HEADROOM_CUDNN

#include "analysis/calibration/kernels/cudnn_convolution.hpp"

#include <cudnn.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/calibration/kernels/choose_fastest.hpp"
#include "analysis/calibration/kernels/progress.hpp"

namespace headroom::kernels {
namespace {

void require_cudnn(cudnnStatus_t status, const char* call) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    char reason[1024] = {};
    cudnnGetLastErrorString(reason, sizeof reason);
    throw DeviceError(std::string(call) + ": " + cudnnGetErrorString(status) + " " + reason);
}

constexpr std::int64_t kAlignment = 16;
constexpr std::size_t kCandidates = 6;  // timed against each other
// Some engines are compiled when their plan is made, in up to a second: after this long no second
// one is made. A run has 300 plans to find.
constexpr double kSearchS = 0.1;

}  // namespace

class BackendDescriptor {
  public:
    explicit BackendDescriptor(cudnnBackendDescriptorType_t type) {
        require_cudnn(cudnnBackendCreateDescriptor(type, &handle_), "cudnnBackendCreateDescriptor");
    }
    BackendDescriptor(BackendDescriptor&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)) {}
    BackendDescriptor& operator=(BackendDescriptor&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~BackendDescriptor() {
        if (handle_ != nullptr) static_cast<void>(cudnnBackendDestroyDescriptor(handle_));
    }

    template <class T>
    void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
             const std::vector<T>& values) {
        require_cudnn(
            cudnnBackendSetAttribute(handle_, name, type, static_cast<std::int64_t>(values.size()),
                                     values.data()),
            "cudnnBackendSetAttribute");
    }
    void set(cudnnBackendAttributeName_t name, const BackendDescriptor& value) {
        set<cudnnBackendDescriptor_t>(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, {value.handle_});
    }
    void set(cudnnBackendAttributeName_t name, std::int64_t value) {
        set<std::int64_t>(name, CUDNN_TYPE_INT64, {value});
    }
    [[nodiscard]] cudnnStatus_t try_finalize() { return cudnnBackendFinalize(handle_); }
    void finalize(const char* what) { require_cudnn(try_finalize(), what); }
    [[nodiscard]] cudnnBackendDescriptor_t handle() const { return handle_; }

  private:
    cudnnBackendDescriptor_t handle_ = nullptr;
};

namespace {

/// Unique ids of the tensors that have memory; the others are numbered from kFirstVirtual.
enum TensorId : std::int64_t { kImage = 1, kWeight, kBias, kResidual, kOutput, kFirstVirtual };

struct Dimensions {
    std::int64_t n, c, h, w;
};

/// NHWC in memory, named in the order n, c, h, w, as cuDNN wants it.
BackendDescriptor make_tensor(std::int64_t id, const Dimensions& size) {
    const bool is_virtual = id >= kFirstVirtual;
    BackendDescriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    tensor.set<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE,
                                {is_virtual ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16});
    tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64,
                             {size.n, size.c, size.h, size.w});
    tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64,
                             {size.h * size.w * size.c, 1, size.w * size.c, size.c});
    tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
    tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment);
    require_cudnn(cudnnBackendSetAttribute(tensor.handle(), CUDNN_ATTR_TENSOR_IS_VIRTUAL,
                                           CUDNN_TYPE_BOOLEAN, 1, &is_virtual),
                  "cudnnBackendSetAttribute(is virtual)");
    tensor.finalize("a tensor");
    return tensor;
}

BackendDescriptor make_convolution(const ConvolutionSpec& spec, const BackendDescriptor& image,
                                   const BackendDescriptor& weight,
                                   const BackendDescriptor& output) {
    BackendDescriptor how(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    const auto both = [&](cudnnBackendAttributeName_t name, std::int64_t value) {
        how.set<std::int64_t>(name, CUDNN_TYPE_INT64, {value, value});
    };
    how.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    how.set<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE,
                             {CUDNN_DATA_FLOAT});
    how.set<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                                    {CUDNN_CROSS_CORRELATION});
    both(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, spec.padding);
    both(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, spec.padding);
    both(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1);
    both(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, spec.stride);
    how.finalize("a convolution");

    BackendDescriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, image);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weight);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, output);
    operation.set<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, {1.0f});
    operation.set<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, {0.0f});
    operation.finalize("a convolution operation");
    return operation;
}

/// to = mode(from, other); `other` null for a function of one value.
BackendDescriptor make_pointwise(cudnnPointwiseMode_t mode, const BackendDescriptor& from,
                                 const BackendDescriptor* other, const BackendDescriptor& to) {
    BackendDescriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    how.set<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, {mode});
    how.set<cudnnDataType_t>(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE,
                             {CUDNN_DATA_FLOAT});
    how.finalize("a pointwise function");
    BackendDescriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
    if (other != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
    operation.finalize("a pointwise operation");
    return operation;
}

/// Convolution, residual, bias, ReLU: in this order cuDNN has precompiled engines for it.
BackendDescriptor make_graph(cudnnHandle_t handle, const ConvolutionSpec& spec) {
    const std::int64_t out = (spec.size + 2 * spec.padding - spec.kernel) / spec.stride + 1;
    const Dimensions map{spec.batch, spec.out_channels, out, out};
    const int steps = 2 + (spec.residual ? 1 : 0) + (spec.relu ? 1 : 0);
    std::vector<BackendDescriptor> maps;  // after each step; the last one has memory
    for (int step = 0; step < steps; ++step) {
        maps.push_back(make_tensor(step + 1 == steps ? kOutput : kFirstVirtual + step, map));
    }
    std::vector<BackendDescriptor> operations;
    operations.push_back(make_convolution(
        spec, make_tensor(kImage, {spec.batch, spec.in_channels, spec.size, spec.size}),
        make_tensor(kWeight, {spec.out_channels, spec.in_channels, spec.kernel, spec.kernel}),
        maps[0]));
    const auto then = [&](cudnnPointwiseMode_t mode, const BackendDescriptor* other) {
        const std::size_t step = operations.size();
        operations.push_back(make_pointwise(mode, maps[step - 1], other, maps[step]));
    };
    if (spec.residual) {
        const BackendDescriptor residual = make_tensor(kResidual, map);
        then(CUDNN_POINTWISE_ADD, &residual);
    }
    const BackendDescriptor bias = make_tensor(kBias, {1, spec.out_channels, 1, 1});
    then(CUDNN_POINTWISE_ADD, &bias);
    if (spec.relu) then(CUDNN_POINTWISE_RELU_FWD, nullptr);

    std::vector<cudnnBackendDescriptor_t> handles;
    for (const BackendDescriptor& operation : operations) handles.push_back(operation.handle());
    BackendDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, {handle});
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, handles);
    graph.finalize("a convolution graph");
    return graph;
}

/// What the heuristics propose, the most promising first; empty where they have nothing.
std::vector<BackendDescriptor> engine_configurations(const BackendDescriptor& graph,
                                                     cudnnBackendHeurMode_t mode) {
    BackendDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristics.set<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
                                           {mode});
    std::vector<BackendDescriptor> configurations;
    if (heuristics.try_finalize() != CUDNN_STATUS_SUCCESS) return configurations;
    std::int64_t count = 0;
    require_cudnn(cudnnBackendGetAttribute(heuristics.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
                  "number of engine configurations");
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::int64_t i = 0; i < count; ++i) {
        configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        handles.push_back(configurations.back().handle());
    }
    if (count == 0) return configurations;
    std::int64_t filled = 0;  // fewer than announced: some turn out not to fit
    require_cudnn(
        cudnnBackendGetAttribute(heuristics.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &filled, handles.data()),
        "engine configurations");
    while (static_cast<std::int64_t>(configurations.size()) > filled) configurations.pop_back();
    return configurations;
}

bool is_exact(const BackendDescriptor& configuration) {
    BackendDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t handle = engine.handle();
    std::int64_t count = 0;
    require_cudnn(cudnnBackendGetAttribute(configuration.handle(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &handle),
                  "the engine of a configuration");
    std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    require_cudnn(cudnnBackendGetAttribute(engine.handle(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                           CUDNN_TYPE_NUMERICAL_NOTE,
                                           CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, notes.data()),
                  "the numerical notes of an engine");
    notes.resize(static_cast<std::size_t>(count));
    return std::all_of(notes.begin(), notes.end(), [](cudnnBackendNumericalNote_t note) {
        return note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE ||
               note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
               note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
    });
}

std::size_t workspace_bytes(const BackendDescriptor& plan) {
    std::int64_t bytes = 0, count = 0;
    require_cudnn(cudnnBackendGetAttribute(plan.handle(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                           CUDNN_TYPE_INT64, 1, &count, &bytes),
                  "the workspace of a plan");
    return static_cast<std::size_t>(bytes);
}

/// The first kCandidates plans of the heuristics' list that are exact and fit the workspace, fewer
/// where making them takes long.
std::vector<BackendDescriptor> candidate_plans(cudnnHandle_t handle, const BackendDescriptor& graph,
                                               cudnnBackendHeurMode_t mode, std::size_t workspace) {
    std::vector<BackendDescriptor> plans;
    const double begin_s = now_s();
    for (const BackendDescriptor& configuration : engine_configurations(graph, mode)) {
        if (plans.size() == kCandidates) break;
        if (!plans.empty() && now_s() - begin_s > kSearchS) break;
        if (!is_exact(configuration)) continue;
        BackendDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        plan.set<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, {handle});
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
        if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) continue;
        if (workspace_bytes(plan) <= workspace) plans.push_back(std::move(plan));
    }
    return plans;
}

BackendDescriptor bind(const ConvolutionOperands& operands, const Buffer& workspace) {
    std::vector<std::int64_t> ids = {kImage, kWeight, kBias, kOutput};
    std::vector<void*> pointers = {const_cast<void*>(operands.image),
                                   const_cast<void*>(operands.weight),
                                   const_cast<void*>(operands.bias), operands.output};
    if (operands.residual != nullptr) {
        ids.push_back(kResidual);
        pointers.push_back(const_cast<void*>(operands.residual));
    }
    BackendDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers);
    pack.set<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, {workspace.data()});
    pack.finalize("the operands of a convolution");
    return pack;
}

}  // namespace

ConvolutionPlan::ConvolutionPlan(const Context& context, const ConvolutionSpec& spec,
                                 const ConvolutionOperands& operands, const Buffer& workspace)
    : handle_(context.cudnn) {
    require_cudnn(cudnnSetStream(handle_, context.stream), "cudnnSetStream");
    const BackendDescriptor graph = make_graph(handle_, spec);
    const BackendDescriptor pack = bind(operands, workspace);
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        std::vector<BackendDescriptor> plans =
            candidate_plans(handle_, graph, mode, workspace.bytes());
        const std::optional<std::size_t> best =
            choose_fastest(context.stream, plans.size(), [&](std::size_t i) {
                return cudnnBackendExecute(handle_, plans[i].handle(), pack.handle()) ==
                       CUDNN_STATUS_SUCCESS;
            });
        if (!best) continue;
        plan_ = std::make_unique<BackendDescriptor>(std::move(plans[*best]));
        return;
    }
    throw DeviceError("cuDNN has no engine for a convolution");
}

ConvolutionPlan::ConvolutionPlan(ConvolutionPlan&&) noexcept = default;
ConvolutionPlan::~ConvolutionPlan() = default;

ConvolutionCall::ConvolutionCall(const ConvolutionPlan& plan, const ConvolutionOperands& operands,
                                 const Buffer& workspace)
    : plan_(&plan), operands_(std::make_unique<BackendDescriptor>(bind(operands, workspace))) {}

ConvolutionCall::ConvolutionCall(ConvolutionCall&&) noexcept = default;
ConvolutionCall::~ConvolutionCall() = default;

void ConvolutionCall::launch() const {
    require_cudnn(cudnnBackendExecute(plan_->handle_, plan_->plan_->handle(), operands_->handle()),
                  "cudnnBackendExecute");
}

}  // namespace headroom::kernels

#endif  // HEADROOM_CUDNN
