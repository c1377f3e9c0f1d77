#include "sim/serving/latency/estimated_operators.hpp"

#include "tests/catch.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::serving::tests {
namespace {

TEST_CASE(
    "EstimatedOperators: a matrix product is a launch plus the slower of compute and memory") {
    const EstimatedOperators operators(h100());
    const Gemm gate_up{28672, 4096, 1};
    // One token: 2 (28672 4096 + 4096 + 28672) B over 0.8 * 3.35 TB/s = 87.666 us, and 3 us.
    CHECK(operators.gemm(gate_up, 1, DType::bf16) * 1e6 == Approx(90.666).epsilon(1e-5));
    // 8192 tokens: 2 * 8192 * 28672 * 4096 flop over 0.6 * 989 TFLOP/s = 3242.6 us, and 3 us.
    CHECK(operators.gemm(gate_up, 8192, DType::bf16) * 1e6 == Approx(3245.6).epsilon(1e-4));
    // fp8 halves the weights and the input, doubles the rate; the output stays bf16.
    CHECK(operators.gemm(gate_up, 1, DType::fp8) * 1e6 ==
          Approx(3 + (28672.0 * 4096 + 4096 + 2 * 28672) / 2.68e6).epsilon(1e-9));
    CHECK(operators.gemm(gate_up, 8192, DType::fp8) * 1e6 ==
          Approx(3 + 3242.57 * 989 / 1978).epsilon(1e-4));
}

TEST_CASE("EstimatedOperators: a mixture of experts reads the experts its tokens touch") {
    const Gemm experts{1536, 2048, 1, 8, 128};
    const double one = 1536.0 * 2048 * 2;
    CHECK(gemm_work(experts, 1, DType::bf16).weight_bytes == Approx(8 * one));
    CHECK(gemm_work(experts, 2, DType::bf16).weight_bytes == Approx((16 - 0.5) * one));
    CHECK(gemm_work(experts, 4096, DType::bf16).weight_bytes == Approx(128 * one));
    CHECK(gemm_work(experts, 10, DType::bf16).flop == Approx(10 * 8 * one));
}

TEST_CASE("EstimatedOperators: the error band is narrow only for Hopper with NVLink") {
    CHECK(error_band(h100()) == 0.15);
    GpuSpec pcie = h100();
    pcie.link = LinkKind::pcie;
    CHECK(error_band(pcie) == 0.25);
    GpuSpec ampere = h100();
    ampere.compute_capability = 80;
    CHECK(error_band(ampere) == 0.25);
}

}  // namespace
}  // namespace headroom::serving::tests
