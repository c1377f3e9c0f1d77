// The CUDA benchmark without a GPU: each op's own check, its launches, its account of memory and
// its timing, on the emulated one. cuDNN's attention is not among them.
#include <cuda_runtime.h>

#include <memory>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/all_ops.hpp"
#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/op.hpp"
#include "analysis/calibration/kernels/timing.hpp"
#include "tests/catch.hpp"
#include "tests/kernels/emulation/device_memory.hpp"
#include "tests/kernels/emulation/lanes.hpp"
#include "tests/scale.hpp"

namespace headroom::kernels {

namespace {

using emulation::Landing;
using tests::scaled;

Context context_of(int multiprocessors, std::size_t l2_bytes) {
    Context context;
    static char library = 0;  // nobody looks inside
    context.cudnn = reinterpret_cast<cudnnContext*>(&library);
    context.multiprocessors = multiprocessors;
    context.l2_bytes = l2_bytes;
    context.rotate_bytes = 3 * l2_bytes;
    return context;
}

constexpr int kH100 = 132;  ///< multiprocessors
constexpr std::size_t kH100L2 = 52428800;

std::unique_ptr<Op> op_named(const std::string& name, const std::string& dtype) {
    for (std::unique_ptr<Op>& op : all_ops(context_of(kH100, kH100L2))) {
        if (op->name() == name && op->dtype() == dtype) return std::move(op);
    }
    FAIL("no op " << name << " " << dtype);
    return nullptr;
}

std::string text_of(const Op& op, const Shape& shape) {
    std::string text = op.name() + " " + op.dtype();
    for (const auto& [name, value] : shape) text += " " + name + "=" + std::to_string(value);
    return text;
}

/// The op's check at those of its shapes that are not more work than that; those of a tenth of it
/// under every schedule, the others under one.
void check_on(const Op& op, int multiprocessors, std::int64_t most_flop) {
    const auto most = static_cast<double>(scaled(most_flop));
    Context context = context_of(multiprocessors, kH100L2);
    int checked = 0;
    std::uint64_t seed = 1;
    for (const Shape& shape : op.check_shapes()) {
        const double flop = op.work(shape).flop;
        if (flop > most) continue;
        ++checked;
        std::vector<Landing> landings = {Landing::drawn, Landing::at_wait, Landing::at_start};
        if (flop > most / 10) landings = {Landing::drawn};
        for (const Landing copies : landings) {
            emulation::set_schedule({.seed = seed, .copies = copies});
            INFO(text_of(op, shape) << ", " << multiprocessors << " multiprocessors, copies "
                                    << static_cast<int>(copies) << ", seed " << seed);
            const double error = op.check(context, shape, seed++);
            CHECK(error < op.tolerance());
        }
    }
    CHECK(checked >= 2);
    CHECK(emulation::allocated_bytes() == 0);
}

/// On an H100, and on what small shapes fill: larger tiles, fewer splits.
void check_own(const std::string& name) {
    const std::unique_ptr<Op> op = op_named(name, "bf16");
    check_on(*op, kH100, 1'000'000'000);
    check_on(*op, 2, 300'000'000);
}

}  // namespace

TEST_CASE("Kernels: decode attention is right") {
    check_own("decode_attention");
}
TEST_CASE("Kernels: prefill attention is right") {
    check_own("prefill_attention");
}
TEST_CASE("Kernels: RMSNorm with residual is right") {
    check_own("rmsnorm_residual");
}
TEST_CASE("Kernels: RoPE and the KV append are right") {
    check_own("rope_kv_append");
}
TEST_CASE("Kernels: SwiGLU is right") {
    check_own("swiglu");
}
TEST_CASE("Kernels: argmax is right") {
    check_own("argmax");
}
TEST_CASE("Kernels: matrix products are asked for rightly") {
    check_on(*op_named("gemm", "bf16"), kH100, 300'000'000);
    check_on(*op_named("gemm", "fp8"), kH100, 300'000'000);
    check_on(*op_named("lm_head", "bf16"), kH100, 300'000'000);
}
TEST_CASE("Kernels: ResNet is put together rightly") {
    check_on(*op_named("resnet50", "bf16"), kH100, 3'000'000'000);
}
TEST_CASE("Kernels: ViT is put together rightly") {
    check_on(*op_named("vit_b16", "bf16"), kH100, 3'000'000'000);
}

TEST_CASE("Kernels: what a profile needs is measured before what cuDNN takes its time for") {
    bool optional = false;
    for (const std::unique_ptr<Op>& op : all_ops(context_of(kH100, kH100L2))) {
        INFO(op->name());
        // cuDNN's own attention stands beside this one's.
        if (op->name() == "prefill_attention" || op->kernel() == "cudnn") {
            optional = true;
        } else {
            CHECK((!optional || op->name() == "vit_b16"));
        }
    }
    CHECK(optional);
}

TEST_CASE("Kernels: every point of both sweeps can be launched, and takes the memory it says") {
    const emulation::DryRun dry;
    for (const std::size_t l2_bytes : {kH100L2, std::size_t{1} << 20}) {
        Context context = context_of(kH100, l2_bytes);
        for (const std::unique_ptr<Op>& op : all_ops(context)) {
            for (const Mode mode : {Mode::quick, Mode::full}) {
                for (const Shape& shape : op->shapes(mode)) {
                    INFO(text_of(*op, shape));
                    const std::unique_ptr<Case> prepared = op->prepare(context, shape, 1);
                    const auto taken = static_cast<double>(emulation::allocated_bytes());
                    const auto said = static_cast<double>(op->bytes_on_device(context, shape));
                    CHECK(said >= taken - 64);
                    CHECK(said <= 1.01 * taken + 1e6);
                    prepared->launch(0);
                    prepared->launch(prepared->copies() - 1);
                }
            }
        }
    }
}

TEST_CASE("Kernels: a point is timed in a graph of 2 ms that goes through every copy") {
    const emulation::DryRun dry;
    Context context = context_of(kH100, kH100L2);
    const std::unique_ptr<Op> op = op_named("rmsnorm_residual", "bf16");
    const std::unique_ptr<Case> prepared =
        op->prepare(context, {{"tokens", 128}, {"width", 8192}}, 1);
    const std::unique_ptr<LaunchGraph> graph = graph_of(context, *prepared, 2e-3);
    CHECK(graph->calls() == 1000);  // at 2 us a kernel
    CHECK(prepared->copies() > 1);
    const Timing timing = time_case(context, *prepared);
    CHECK(timing.median_s == Approx(emulation::kLaunchSeconds));
    CHECK(timing.p10_s == Approx(timing.p90_s));
    CHECK(timing.replays == 15);
    // Two kernels: the splits, and what joins them.
    const std::unique_ptr<Case> split = op_named("decode_attention", "bf16")
                                            ->prepare(context,
                                                      {{"batch", 1},
                                                       {"context", 32768},
                                                       {"query_heads", 8},
                                                       {"kv_heads", 1},
                                                       {"head_size", 128}},
                                                      1);
    CHECK(time_case(context, *split).median_s == Approx(2 * emulation::kLaunchSeconds));
}

}  // namespace headroom::kernels
