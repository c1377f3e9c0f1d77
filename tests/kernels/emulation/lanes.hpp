/// A grid of CUDA threads on one CPU thread: each a fiber, which runs until it waits for others.
///
///     run_grid({.grid = 4, .block = 128}, [&] { kernel(arguments); });
///     block_barrier();                           // __syncthreads, within a kernel
///     auto sum = together(mine, [](const std::array<int, kWarpLanes>& all) { ... });
///
/// Blocks run one after another, in an order drawn from the seed. Within a block the warp that goes
/// on is drawn now and then, its lane at every wait, so that a missing barrier shows; what a whole
/// warp does together holds its lanes together, as on a GPU. Asynchronous copies land when they are
/// started, when they are waited for, or either, as the schedule says. Dynamic shared memory is
/// filled with 0xff before each block, and what is behind it must be untouched after.
///
/// std::logic_error: a deadlock (lanes that wait for lanes that have returned or are elsewhere),
/// lanes of a warp at different operations, dynamic shared memory overrun, a misaligned copy. What
/// a kernel throws is thrown on. Not for several threads at once. Time: 0.1 us a wait of a lane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    constexpr dim3() = default;
    // Not explicit: a launch's grid may be a number.
    constexpr dim3(unsigned along_x, unsigned along_y = 1, unsigned along_z = 1)  // NOLINT
        : x(along_x), y(along_y), z(along_z) {}
};

/// Of the lane that runs; outside of a kernel they mean nothing.
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace headroom::emulation {

inline constexpr std::size_t kWarpLanes = 32;
inline constexpr std::size_t kMostShared = std::size_t{227} << 10;  ///< of a block, sm_90

enum class Landing { at_start, at_wait, drawn };

struct Schedule {
    std::uint64_t seed = 1;
    Landing copies = Landing::drawn;
};
/// For the grids that are run from now on.
void set_schedule(const Schedule& schedule);

struct Grid {
    dim3 grid, block;
    std::size_t shared_bytes = 0;
};
void run_grid(const Grid& grid, const std::function<void()>& kernel);

/// Of this block: where its dynamic shared memory begins, 1024-byte aligned.
[[nodiscard]] unsigned char* dynamic_shared();

void block_barrier();

/// 16 bytes from `from`, or zeros; part of the group that the next commit closes.
void start_copy(void* to, const void* from, bool inside);
void commit_copies();
/// Until at most `pending` of this lane's latest groups have not landed.
void wait_for_copies(int pending);

namespace detail {

inline constexpr std::size_t kMostExchanged = 64;  ///< bytes a lane
struct Exchange {
    alignas(16) std::array<std::array<std::byte, kMostExchanged>, kWarpLanes> in, out;
};
[[nodiscard]] Exchange& exchange();
[[nodiscard]] std::size_t lane();
/// Counts this lane in at the operation `what`; true for the last of the warp.
[[nodiscard]] bool arrive(const void* what);
void release();  ///< the last one: the others may go on
void wait();     ///< the others: until then

template <class... Types>
inline constexpr char kOperation = 0;

}  // namespace detail

/// An operation of a whole warp: `compute` sees what each lane brought, and says what each gets.
template <class In, class Compute>
auto together(const In& mine, const Compute& compute) {
    using Out =
        typename decltype(compute(std::declval<const std::array<In, kWarpLanes>&>()))::value_type;
    static_assert(std::is_trivially_copyable_v<In> && std::is_trivially_copyable_v<Out>);
    static_assert(sizeof(In) <= detail::kMostExchanged && sizeof(Out) <= detail::kMostExchanged);
    const std::size_t lane = detail::lane();
    std::memcpy(detail::exchange().in[lane].data(), &mine, sizeof(In));
    if (detail::arrive(&detail::kOperation<In, Compute>)) {
        std::array<In, kWarpLanes> all;
        for (std::size_t i = 0; i < kWarpLanes; ++i) {
            std::memcpy(&all[i], detail::exchange().in[i].data(), sizeof(In));
        }
        const std::array<Out, kWarpLanes> results = compute(all);
        for (std::size_t i = 0; i < kWarpLanes; ++i) {
            std::memcpy(detail::exchange().out[i].data(), &results[i], sizeof(Out));
        }
        detail::release();
    } else {
        detail::wait();
    }
    Out result;
    std::memcpy(&result, detail::exchange().out[lane].data(), sizeof(Out));
    return result;
}

}  // namespace headroom::emulation
