/// Op: one operator of the kernel benchmark: at which shapes it is timed and checked, how much work
/// a shape is, how it is launched, and its float64 reference on the host behind the same interface.
///
///     for (const Shape& s : op.check_shapes()) worst = max(worst, op.check(context, s, 1));
///     std::unique_ptr<Case> prepared = op.prepare(context, shape, 1);
///     prepared->launch(0);  // asynchronous, on context.stream
///
/// An op is registered by one line in all_ops.cu. Errors of CUDA and its libraries are thrown as
/// DeviceError (device.hpp) with the call that failed; a shape that does not fit into the free
/// memory is skipped by the caller, who asks bytes_on_device() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace headroom::kernels {

/// quick: a thin sweep of two minutes; full: every point a profile is fitted to.
enum class Mode { quick, full };

/// Names and values, in the order in which they are written: {{"m", 16}, {"n", 4096}, {"k", 4096}}.
using Shape = std::vector<std::pair<std::string, std::int64_t>>;
[[nodiscard]] inline std::int64_t field(const Shape& shape, const std::string& name) {
    for (const auto& [key, value] : shape) {
        if (key == name) return value;
    }
    return 0;
}

/// The least that one launch must do: each input byte read once, each output byte written once.
struct Work {
    double flop = 0;
    double bytes = 0;
};

/// What a per cent of the ceiling refers to.
enum class Ceiling { memory, bf16, fp8 };

struct Context;  // device.hpp: stream, library handles, sizes of the device

/// An op at one shape with its buffers on the device, filled with random data.
class Case {
  public:
    virtual ~Case() = default;
    /// Distinct sets of inputs, together at least Context::rotate_bytes, so that no launch finds
    /// its inputs in the L2 cache.
    [[nodiscard]] virtual int copies() const = 0;
    /// One launch on set `copy`, on Context::stream. Allocates nothing: it is captured in a graph.
    virtual void launch(int copy) = 0;
};

class Op {
  public:
    virtual ~Op() = default;
    [[nodiscard]] virtual std::string name() const = 0;    ///< "gemm", "decode_attention", ...
    [[nodiscard]] virtual std::string dtype() const = 0;   ///< "bf16" or "fp8"
    [[nodiscard]] virtual std::string kernel() const = 0;  ///< "cublaslt", "cudnn" or "own"
    [[nodiscard]] virtual std::vector<Shape> shapes(Mode mode) const = 0;
    /// 5 to 8 shapes small enough for the reference, odd sizes among them.
    [[nodiscard]] virtual std::vector<Shape> check_shapes() const = 0;
    [[nodiscard]] virtual Work work(const Shape& shape) const = 0;
    [[nodiscard]] virtual Ceiling ceiling(const Shape& shape) const = 0;
    /// Device memory that prepare() allocates, every copy counted.
    [[nodiscard]] virtual std::size_t bytes_on_device(const Context& context,
                                                      const Shape& shape) const = 0;
    [[nodiscard]] virtual std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                        std::uint64_t seed) const = 0;
    /// Runs it once on fresh random inputs with a poisoned output (every byte 0xff: NaN). The
    /// relative error, ||out - reference|| / ||reference|| against float64 on the host; NaN where
    /// an output was not written.
    [[nodiscard]] virtual double check(Context& context, const Shape& shape,
                                       std::uint64_t seed) const = 0;
    /// The check passes below this.
    [[nodiscard]] virtual double tolerance() const { return 1e-2; }
};

}  // namespace headroom::kernels
