#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "analysis/calibration/kernels/reference.hpp"

struct cublasLtMatrixLayoutOpaque_t {
    cudaDataType type;
    std::size_t rows, columns;
    std::int64_t leading;
};
struct cublasLtMatmulDescOpaque_t {
    cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
    const float* scale_a = nullptr;
    const float* scale_b = nullptr;
};
struct cublasLtMatmulPreferenceOpaque_t {};

namespace headroom::emulation {
namespace {

constexpr int kRefused = 0, kRunning = 1;  // the algorithms

using Layout = cublasLtMatrixLayoutOpaque_t;
using Description = cublasLtMatmulDescOpaque_t;

Eigen::MatrixXf widened(const void* values, const Layout& layout) {
    const std::size_t count = layout.rows * layout.columns;
    const std::vector<double> wide =
        layout.type == CUDA_R_8F_E4M3
            ? kernels::reference::widen_e4m3({static_cast<const std::uint8_t*>(values), count})
            : kernels::reference::widen_bf16({static_cast<const std::uint16_t*>(values), count});
    return Eigen::Map<const Eigen::MatrixXd>(wide.data(), static_cast<Eigen::Index>(layout.rows),
                                             static_cast<Eigen::Index>(layout.columns))
        .cast<float>();
}

/// Of A (k x m, read transposed) and B (k x n), by columns: D is m x n.
cublasStatus_t check(const Description& operation, const Layout& a, const Layout& b,
                     const Layout& c, const Layout& d) {
    for (const Layout* layout : {&a, &b, &c, &d}) {
        if (layout->leading != static_cast<std::int64_t>(layout->rows)) {
            return CUBLAS_STATUS_NOT_SUPPORTED;  // by the emulation, that is
        }
    }
    if (operation.transpose_a != CUBLAS_OP_T || operation.transpose_b != CUBLAS_OP_N) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    if (a.rows != b.rows || d.rows != a.columns || d.columns != b.columns || c.rows != d.rows ||
        c.columns != d.columns || a.type != b.type || d.type != CUDA_R_16BF || c.type != d.type) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    const bool whole = a.rows % 16 == 0 && a.columns % 16 == 0 && b.columns % 16 == 0;
    return a.type == CUDA_R_8F_E4M3 && !whole ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

bool aligned(const void* pointer) {
    return pointer != nullptr && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

float gelu(float x) {  // the tanh form, which is cuBLASLt's
    const float inner = std::sqrt(2 / std::numbers::pi_v<float>) * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1 + std::tanh(inner));
}

struct Product {
    Description operation;
    float alpha, beta;
    const void *a, *b, *c;
    void* d;
    Layout a_layout, b_layout, d_layout;

    void operator()() const {
        const float scale_a = operation.scale_a == nullptr ? 1 : *operation.scale_a;
        const float scale_b = operation.scale_b == nullptr ? 1 : *operation.scale_b;
        Eigen::MatrixXf sum =
            alpha * scale_a * scale_b * widened(a, a_layout).transpose() * widened(b, b_layout);
        if (beta != 0) sum += beta * widened(c, d_layout);
        if (operation.epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
            const Layout column{CUDA_R_16BF, d_layout.rows, 1, 0};
            sum.colwise() += widened(operation.bias, column).col(0);
        }
        if (operation.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS) sum = sum.unaryExpr(&gelu);
        std::transform(sum.data(), sum.data() + sum.size(), static_cast<__nv_bfloat16*>(d),
                       __float2bfloat16);
    }
};

template <class Value>
cublasStatus_t take(Value& to, const void* value, std::size_t bytes) {
    if (bytes != sizeof(Value)) return CUBLAS_STATUS_INVALID_VALUE;
    to = *static_cast<const Value*>(value);
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace headroom::emulation

const char* cublasLtGetStatusName(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "unknown";
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
    *layout = new cublasLtMatrixLayoutOpaque_t{type, rows, columns, leading};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t,
                                        cudaDataType) {
    *operation = new cublasLtMatmulDescOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
    delete operation;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
    using headroom::emulation::take;
    switch (attribute) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return take(operation->transpose_a, value, bytes);
        case CUBLASLT_MATMUL_DESC_TRANSB:
            return take(operation->transpose_b, value, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            return take(operation->epilogue, value, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            return take(operation->bias, value, bytes);
        case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER:
            return take(operation->scale_a, value, bytes);
        case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER:
            return take(operation->scale_b, value, bytes);
        case CUBLASLT_MATMUL_DESC_FAST_ACCUM:
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
            return CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = new cublasLtMatmulPreferenceOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t,
                                                    const void*, std::size_t) {
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t, int most,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
    *found = 0;
    const cublasStatus_t status = headroom::emulation::check(*operation, *a, *b, *c, *d);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    for (const int id : {headroom::emulation::kRefused, headroom::emulation::kRunning}) {
        if (*found < most) results[(*found)++] = {{id}, 0, CUBLAS_STATUS_SUCCESS};
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, std::size_t,
                              cudaStream_t stream) {
    namespace emulation = headroom::emulation;
    if (algorithm->id != emulation::kRunning) return CUBLAS_STATUS_NOT_SUPPORTED;
    const cublasStatus_t status =
        emulation::check(*operation, *a_layout, *b_layout, *c_layout, *d_layout);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const bool bias = operation->epilogue != CUBLASLT_EPILOGUE_DEFAULT;
    for (const void* pointer : {a, b, c, static_cast<const void*>(d)}) {
        if (!emulation::aligned(pointer)) return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (bias && !emulation::aligned(operation->bias)) return CUBLAS_STATUS_INVALID_VALUE;
    const emulation::Product product{*operation,
                                     *static_cast<const float*>(alpha),
                                     *static_cast<const float*>(beta),
                                     a,
                                     b,
                                     c,
                                     d,
                                     *a_layout,
                                     *b_layout,
                                     *d_layout};
    emulation::enqueue(stream, emulation::kLaunchSeconds, product);
    return CUBLAS_STATUS_SUCCESS;
}
