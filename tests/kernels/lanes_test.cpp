// The emulated GPU finds what it is there to find: else a kernel that passes on it shows nothing.
#include "tests/kernels/emulation/lanes.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "analysis/calibration/kernels/attention_mma.cuh"
#include "tests/catch.hpp"
#include "tests/kernels/emulation/device_code.hpp"

namespace headroom::kernels {

namespace {

constexpr int kThreads = 128;

/// Each thread leaves its number for its opposite.
void reverse(int* to, bool with_barrier) {
    __shared__ int numbers[kThreads];
    const auto mine = static_cast<int>(threadIdx.x);
    numbers[mine] = mine + static_cast<int>(blockIdx.x);
    if (with_barrier) __syncthreads();
    to[static_cast<int>(blockIdx.x) * kThreads + mine] = numbers[kThreads - 1 - mine];
    if (with_barrier) __syncthreads();
}

/// How many of two blocks' numbers are wrong, over some schedules.
int wrong_when_reversed(bool with_barrier) {
    int wrong = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        emulation::set_schedule({.seed = seed});
        std::array<int, 2 * kThreads> to{};
        emulation::run_grid({2, kThreads}, [&] { reverse(to.data(), with_barrier); });
        for (int i = 0; i < 2 * kThreads; ++i) {
            const int expected = kThreads - 1 - i % kThreads + i / kThreads;
            if (to[static_cast<std::size_t>(i)] != expected) ++wrong;
        }
    }
    return wrong;
}

/// What lane 5 sees of the 16 bytes that lane 9 copied, after the waits and barriers named.
int copied(emulation::Landing landing, bool wait, bool barrier) {
    alignas(16) static const std::array<int, 4> source = {1, 2, 3, 4};
    int seen = 0;
    emulation::set_schedule({.seed = 3, .copies = landing});
    emulation::run_grid({1, 32, 16}, [&] {
        auto* shared = reinterpret_cast<int*>(emulation::dynamic_shared());
        if (threadIdx.x == 9) {
            attention::copy_16(attention::shared_address(shared), source.data(), true);
        }
        attention::copy_commit();
        if (wait) attention::copy_wait<0>();
        if (barrier) __syncwarp();
        if (threadIdx.x == 5) seen = shared[3];
    });
    return seen;
}

}  // namespace

TEST_CASE("Emulated GPU: a barrier is kept, and a missing one shows") {
    CHECK(wrong_when_reversed(true) == 0);
    CHECK(wrong_when_reversed(false) > 0);
}

TEST_CASE("Emulated GPU: an asynchronous copy is there after its wait, and not surely before") {
    for (const emulation::Landing landing :
         {emulation::Landing::at_start, emulation::Landing::at_wait, emulation::Landing::drawn}) {
        CHECK(copied(landing, true, true) == 4);
    }
    CHECK(copied(emulation::Landing::at_wait, false, true) == -1);  // the poison
}

TEST_CASE("Emulated GPU: shuffles and threads of three dimensions") {
    std::vector<unsigned> sums(64);
    emulation::run_grid({1, dim3(4, 4, 4)}, [&] {
        const unsigned mine = threadIdx.x + 4 * threadIdx.y + 16 * threadIdx.z;
        unsigned sum = mine;
        for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0u, sum, lanes);
        sums[mine] = sum + 1000 * __shfl_sync(~0u, mine, 3);
    });
    for (std::size_t i = 0; i < 64; ++i) {
        CHECK(sums[i] == (i < 32 ? 31 * 16 + 3000u : 31 * 16 + 32 * 32 + 35000u));
    }
}

TEST_CASE("Emulated GPU: lanes that wait for others that never come are a deadlock") {
    CHECK_THROWS_AS(emulation::run_grid({1, 64},
                                        [] {
                                            if (threadIdx.x == 7) return;
                                            __syncwarp();
                                        }),
                    std::logic_error);
    // A thread that has returned is not waited for at a barrier of the block.
    int passed = 0;
    emulation::run_grid({1, 64}, [&] {
        if (threadIdx.x >= 32) return;
        __syncthreads();
        ++passed;
    });
    CHECK(passed == 32);
}

TEST_CASE("Emulated GPU: lanes of one warp at different operations are refused") {
    CHECK_THROWS_AS(emulation::run_grid({1, 32},
                                        [] {
                                            if (threadIdx.x < 16) {
                                                __syncwarp();
                                            } else {
                                                static_cast<void>(__shfl_sync(~0u, 1.0, 0));
                                            }
                                        }),
                    std::logic_error);
}

TEST_CASE("Emulated GPU: writing behind the dynamic shared memory, misaligned copies") {
    CHECK_THROWS_AS(
        emulation::run_grid({1, 32, 64}, [] { emulation::dynamic_shared()[threadIdx.x * 4] = 1; }),
        std::logic_error);
    alignas(16) static const std::array<unsigned char, 32> bytes{};
    CHECK_THROWS_AS(
        emulation::run_grid({1, 32, 64}, [] { attention::copy_16(0, bytes.data() + 8, true); }),
        std::logic_error);
}

TEST_CASE("Emulated GPU: the tensor core multiplies what ldmatrix loaded") {
    // A is 16 x 16, B 16 x 8 stored by columns: small whole numbers, so bf16 is exact.
    const auto a_at = [](std::size_t row, std::size_t k) {
        return static_cast<float>((row * 3 + k) % 7) - 3;
    };
    const auto b_at = [](std::size_t k, std::size_t column) {
        return static_cast<float>((k + column * 5) % 9) - 4;
    };
    std::array<std::array<float, 8>, 16> out{};
    emulation::run_grid({1, 32, 1024}, [&] {
        auto* shared = reinterpret_cast<std::uint16_t*>(emulation::dynamic_shared());
        const std::size_t lane = threadIdx.x;
        for (std::size_t i = lane; i < 256; i += 32) {
            shared[i] = __float2bfloat16(a_at(i / 16, i % 16)).bits;
            if (i < 128) shared[256 + i] = __float2bfloat16(b_at(i % 16, i / 16)).bits;
        }
        __syncwarp();
        std::uint32_t a[4];
        std::uint32_t b[4];
        attention::load_matrix(
            a, attention::shared_address(shared + (lane % 16) * 16 + lane / 16 * 8));
        attention::load_matrix(
            b, attention::shared_address(shared + 256 + (lane % 8) * 16 + lane / 8 % 2 * 8));
        float sum[4] = {1, 1, 1, 1};
        attention::multiply(sum, a, b[0], b[1]);
        for (std::size_t i = 0; i < 4; ++i)
            out[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = sum[i];
    });
    for (std::size_t row = 0; row < 16; ++row) {
        for (std::size_t column = 0; column < 8; ++column) {
            float expected = 1;
            for (std::size_t k = 0; k < 16; ++k) expected += a_at(row, k) * b_at(k, column);
            CHECK(out[row][column] == expected);
        }
    }
}

}  // namespace headroom::kernels
