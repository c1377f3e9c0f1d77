/// prefill_attention: one layer's causal attention of one prompt, bf16, head size 128. The base of
/// its kernels (shapes, work, inputs, check), and the kernel `own`, a FlashAttention-2 on mma.sync.
///
///     ops.push_back(make_prefill_attention());
///
/// Shape: tokens, query_heads, kv_heads, head_size (128). q and out are [token][query head][128], k
/// and v [token][KV head][128]. Work: 2 * 2 * query_heads * head_size * T (T + 1) / 2 flop, each
/// of q, k, v, out once. Errors: DeviceError from CUDA and its libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/attention_reference.hpp"
#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

namespace attention {

/// q, k, v of every copy, one after the other, and the one output.
class PrefillCase : public Case {
  public:
    PrefillCase(const Context& context, const PrefillProblem& problem, int copies,
                std::uint64_t seed);

    [[nodiscard]] int copies() const override { return copies_; }
    [[nodiscard]] const PrefillProblem& problem() const { return problem_; }
    [[nodiscard]] std::uint16_t* q(int copy) const;
    [[nodiscard]] std::uint16_t* k(int copy) const;
    [[nodiscard]] std::uint16_t* v(int copy) const;
    [[nodiscard]] std::uint16_t* out() const { return out_.as<std::uint16_t>(); }

    /// Launches copy 0 with a poisoned output, and compares with the reference.
    [[nodiscard]] double check(const Context& context);

  private:
    PrefillProblem problem_;
    int copies_;
    Buffer q_;
    Buffer k_;
    Buffer v_;
    Buffer out_;
};

class PrefillAttention : public Op {
  public:
    [[nodiscard]] std::string name() const override { return "prefill_attention"; }
    [[nodiscard]] std::string dtype() const override { return "bf16"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override;
    [[nodiscard]] std::vector<Shape> check_shapes() const override;
    [[nodiscard]] Work work(const Shape& shape) const override;
    [[nodiscard]] Ceiling ceiling(const Shape& shape) const override;
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override;
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override;
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override;

  private:
    [[nodiscard]] virtual std::unique_ptr<PrefillCase> make_case(Context& context,
                                                                 const PrefillProblem& problem,
                                                                 int copies,
                                                                 std::uint64_t seed) const = 0;
};

}  // namespace attention

[[nodiscard]] std::unique_ptr<Op> make_prefill_attention();

}  // namespace headroom::kernels
