#include <array>
#include <optional>

#include "analysis/calibration/kernels/choose_fastest.hpp"
#include "analysis/calibration/kernels/cublaslt_linear.hpp"
#include "sim/core/check.hpp"

namespace headroom::kernels {
namespace {

constexpr int kCandidates = 6;  // timed against each other

template <class Value>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name, const Value& value) {
    HEADROOM_CUDA(cublasLtMatmulDescSetAttribute(operation, name, &value, sizeof value));
}

}  // namespace

// cuBLASLt thinks in columns, and a row-major matrix is its transpose by columns: the product is
// computed as y' (out x rows) = weight (out x in) x' (in x rows), weight being read transposed.
LinearPlan::LinearPlan(const Context& context, const LinearSpec& spec,
                       const LinearOperands& operands, const Buffer& workspace)
    : context_(&context),
      residual_(spec.residual),
      weight_(make_layout(spec.in, spec.out)),
      x_(make_layout(spec.in, spec.rows)),
      y_(make_layout(spec.out, spec.rows)) {
    HEADROOM_CHECK(spec.in % 8 == 0 && spec.out % 8 == 0, "in and out must be multiples of 8");
    make_operation(spec);
    // The heuristic looks at which epilogue there is; some versions also want its pointer set.
    set(operation_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);

    cublasLtMatmulPreference_t preference = nullptr;
    HEADROOM_CUDA(cublasLtMatmulPreferenceCreate(&preference));
    const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                          cublasStatus_t (*)(cublasLtMatmulPreference_t)>
        owner(preference, cublasLtMatmulPreferenceDestroy);
    const std::size_t bytes = workspace.bytes();
    HEADROOM_CUDA(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes));
    // Partial sums of a split product are added in float, not in bf16.
    const std::uint32_t reductions =
        CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    HEADROOM_CUDA(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions));
    std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results = {};
    int count = 0;
    HEADROOM_CUDA(cublasLtMatmulAlgoGetHeuristic(context.cublaslt, operation_.get(), weight_.get(),
                                                 x_.get(), y_.get(), y_.get(), preference,
                                                 kCandidates, results.data(), &count));
    const std::optional<std::size_t> best =
        choose_fastest(context.stream, static_cast<std::size_t>(count), [&](std::size_t i) {
            return results[i].state == CUBLAS_STATUS_SUCCESS &&
                   start(operands, workspace, results[i].algo) == CUBLAS_STATUS_SUCCESS;
        });
    if (!best) throw DeviceError("cuBLASLt has no kernel for a linear layer");
    algorithm_ = results[*best].algo;
}

LinearPlan::Layout LinearPlan::make_layout(std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t layout = nullptr;
    HEADROOM_CUDA(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, static_cast<std::uint64_t>(rows),
                                             static_cast<std::uint64_t>(columns), rows));
    return Layout(layout);
}

void LinearPlan::make_operation(const LinearSpec& spec) {
    cublasLtMatmulDesc_t operation = nullptr;
    HEADROOM_CUDA(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    operation_.reset(operation);
    set(operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(operation, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
        spec.gelu ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
    set(operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF);
}

cublasStatus_t LinearPlan::start(const LinearOperands& operands, const Buffer& workspace,
                                 const cublasLtMatmulAlgo_t& algorithm) const {
    const float alpha = 1, beta = residual_ ? 1.0f : 0.0f;
    const void* added = residual_ ? operands.residual : operands.y;
    set(operation_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias);
    return cublasLtMatmul(context_->cublaslt, operation_.get(), &alpha, operands.weight,
                          weight_.get(), operands.x, x_.get(), &beta, added, y_.get(), operands.y,
                          y_.get(), &algorithm, workspace.data(), workspace.bytes(),
                          context_->stream);
}

void LinearPlan::launch(const LinearOperands& operands, const Buffer& workspace) const {
    require(start(operands, workspace, algorithm_), "cublasLtMatmul");
}

}  // namespace headroom::kernels
