#include "analysis/calibration/kernels/ceilings.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "analysis/calibration/kernels/gemm_ops.hpp"
#include "analysis/calibration/kernels/opened_device.hpp"
#include "analysis/calibration/kernels/timing.hpp"

namespace headroom::kernels {

namespace {

constexpr std::size_t kReadBytes = std::size_t{4} << 30;
constexpr std::size_t kCheckedBytes = (std::size_t{16} << 20) + 16 * 5;  // not whole tiles
constexpr int kThreads = 256;
constexpr int kLoadsInFlight = 8;
constexpr int kBlocksAMultiprocessor = 8;
constexpr int kRounds = 5;
// Under a large product the power limit takes clocks away within tens of milliseconds. A point is
// timed for about 40 ms after its buffers were allocated and filled: of a ceiling from the middle
// of a longer load, it could be more than what is believed.
constexpr std::chrono::milliseconds kRest{250};
constexpr std::uint64_t kSeed = 20;

__device__ unsigned sum_of(const uint4& words) {
    return words.x + words.y + words.z + words.w;
}

/// Adds up all 32-bit words, modulo 2^32, into *sum.
__global__ void __launch_bounds__(kThreads)
    read_kernel(const uint4* __restrict__ data, long long packs, unsigned* sum) {
    constexpr long long kTile = kThreads * kLoadsInFlight;
    const long long whole_tiles = packs / kTile;
    unsigned total = 0;
    for (long long tile = blockIdx.x; tile < whole_tiles; tile += gridDim.x) {
        const uint4* begin = data + tile * kTile + threadIdx.x;
        uint4 loaded[kLoadsInFlight];
#pragma unroll
        for (int i = 0; i < kLoadsInFlight; ++i) loaded[i] = begin[i * kThreads];
#pragma unroll
        for (int i = 0; i < kLoadsInFlight; ++i) total += sum_of(loaded[i]);
    }
    if (blockIdx.x == 0) {
        for (long long at = whole_tiles * kTile + threadIdx.x; at < packs; at += kThreads) {
            total += sum_of(data[at]);
        }
    }
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) total += __shfl_xor_sync(0xffffffffu, total, lane);
    if (threadIdx.x % 32 == 0) atomicAdd(sum, total);
}

class ReadCase final : public Case {
  public:
    ReadCase(const Context& context, std::size_t bytes)
        : stream_(context.stream),
          blocks_(static_cast<unsigned>(kBlocksAMultiprocessor * context.multiprocessors)),
          data_(bytes),
          sum_(sizeof(unsigned)) {
        fill_bf16(data_, kSeed, 1.0f, stream_);
        HEADROOM_CUDA(cudaMemsetAsync(sum_.data(), 0, sizeof(unsigned), stream_));
    }

    [[nodiscard]] int copies() const override { return 1; }
    void launch(int) override {
        kernels::launch({.grid = blocks_, .block = kThreads, .stream = stream_}, read_kernel,
                        data_.as<uint4>(), static_cast<long long>(data_.bytes() / sizeof(uint4)),
                        sum_.as<unsigned>());
    }
    /// After one launch.
    [[nodiscard]] bool added_up() const {
        unsigned sum = 0;
        sum_.download(&sum, sizeof(sum), stream_);
        std::vector<unsigned> words(data_.bytes() / sizeof(unsigned));
        data_.download(words.data(), words.size() * sizeof(unsigned), stream_);
        unsigned expected = 0;
        for (const unsigned word : words) expected += word;
        return sum == expected;
    }

  private:
    cudaStream_t stream_;
    unsigned blocks_;
    Buffer data_;
    Buffer sum_;
};

double best_seconds(const Context& context, Case& prepared) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < kRounds; ++round) {
        std::this_thread::sleep_for(kRest);
        best = std::min(best, time_case(context, prepared).median_s);
    }
    return best;
}

double flop_per_s(Context& context, GemmType type) {
    const std::unique_ptr<Op> gemm = make_gemm(type);
    const std::unique_ptr<Case> prepared = gemm->prepare(context, anchor_shape(), kSeed);
    return gemm->work(anchor_shape()).flop / best_seconds(context, *prepared);
}

/// 0 where cuBLASLt has no fp8 product for this device: all else can still be measured.
double fp8_flop_per_s(Context& context) {
    try {
        return flop_per_s(context, GemmType::fp8);
    } catch (const DeviceError& error) {
        if (!still_usable()) throw;
        std::fprintf(stderr, "ceilings: no fp8: %s\n", error.what());
        return 0;
    }
}

double read_bytes_per_s(const Context& context) {
    {
        ReadCase small(context, kCheckedBytes);
        small.launch(0);
        if (!small.added_up())
            throw DeviceError("the kernel for the read bandwidth adds up wrongly");
    }
    constexpr std::size_t kMebibyte = std::size_t{1} << 20;
    const std::size_t bytes = std::min(kReadBytes, usable_bytes() / 2 / kMebibyte * kMebibyte);
    if (bytes == 0) throw DeviceError("no free memory to measure the read bandwidth with");
    ReadCase prepared(context, bytes);
    return static_cast<double>(bytes) / best_seconds(context, prepared);
}

}  // namespace

Shape anchor_shape() {
    return {{"m", 8192}, {"n", 8192}, {"k", 8192}};
}

CeilingFacts measure_ceilings(Context& context) {
    return {.read_bytes_per_s = read_bytes_per_s(context),
            .bf16_flop_per_s = flop_per_s(context, GemmType::bf16),
            .fp8_flop_per_s = fp8_flop_per_s(context)};
}

double percent_of_ceiling(const Work& work, Ceiling ceiling, double seconds,
                          const CeilingFacts& ceilings) {
    double least_s = 0;
    switch (ceiling) {
        case Ceiling::memory:
            least_s = work.bytes / ceilings.read_bytes_per_s;
            break;
        case Ceiling::bf16:
            least_s = work.flop / ceilings.bf16_flop_per_s;
            break;
        case Ceiling::fp8:
            least_s = work.flop / ceilings.fp8_flop_per_s;
            break;
    }
    return 100 * least_s / seconds;
}

}  // namespace headroom::kernels
