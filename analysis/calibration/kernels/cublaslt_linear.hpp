/// A linear layer in one cuBLASLt kernel: bf16, sums in float, bias and what follows fused.
///
///     const LinearSpec spec{.rows = 197, .out = 3072, .in = 768, .gelu = true};
///     LinearPlan plan(context, spec, operands, space);
///     plan.launch(operands, space);               // asynchronous, no allocation
///
///     y = gelu(x weight' + residual + bias)       // each part as asked for
///
/// x is rows x in, weight out x in, y rows x out, row after row. GELU is cuBLASLt's, in tanh form.
/// `residual` may be y itself. The plan is the fastest of the first few that the heuristic
/// proposes. in and out are multiples of 8, pointers 16-byte aligned. Errors: DeviceError. Source:
/// NVIDIA, cuBLAS 13 documentation, "cublasLtMatmul", "cublasLtEpilogue_t".
#pragma once

#include <cublasLt.h>

#include <cstdint>
#include <memory>
#include <type_traits>

#include "analysis/calibration/kernels/device.hpp"

namespace headroom::kernels {

struct LinearSpec {
    std::int64_t rows = 0, out = 0, in = 0;
    bool gelu = false;
    bool residual = false;
};

struct LinearOperands {
    const void* x = nullptr;
    const void* weight = nullptr;
    const void* bias = nullptr;
    const void* residual = nullptr;  ///< null without
    void* y = nullptr;
};

class LinearPlan {
  public:
    /// Runs the candidates on `operands`, whose y is overwritten. The context must outlive the
    /// plan.
    LinearPlan(const Context& context, const LinearSpec& spec, const LinearOperands& operands,
               const Buffer& workspace);
    void launch(const LinearOperands& operands, const Buffer& workspace) const;

  private:
    struct DestroyOperation {
        void operator()(cublasLtMatmulDesc_t operation) const {
            static_cast<void>(cublasLtMatmulDescDestroy(operation));
        }
    };
    struct DestroyLayout {
        void operator()(cublasLtMatrixLayout_t layout) const {
            static_cast<void>(cublasLtMatrixLayoutDestroy(layout));
        }
    };
    template <class Handle, class Destroy>
    using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
    using Layout = Owned<cublasLtMatrixLayout_t, DestroyLayout>;

    static Layout make_layout(std::int64_t rows, std::int64_t columns);
    void make_operation(const LinearSpec& spec);
    [[nodiscard]] cublasStatus_t start(const LinearOperands& operands, const Buffer& workspace,
                                       const cublasLtMatmulAlgo_t& algorithm) const;

    const Context* context_;
    bool residual_;
    Owned<cublasLtMatmulDesc_t, DestroyOperation> operation_;
    Layout weight_, x_, y_;
    cublasLtMatmulAlgo_t algorithm_ = {};
};

}  // namespace headroom::kernels
