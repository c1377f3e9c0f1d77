/// MSER-5: how much of the start of a run to drop so that its mean is that of the steady state.
///
///     const auto warm_up = mser5_truncation(waits);     // in the order of time
///     if (warm_up) mean_of(waits.subspan(*warm_up));
///
/// The values are averaged in batches of five; of all points of truncation d the one is chosen with
/// the smallest marginal standard error of what remains, sum of squares / (batches left)^2; the
/// earliest of equals. A point in the second half of the run says that the run is too short or
/// never settles (a queue that grows): then there is none. The last five batches are no candidates:
/// the variance of so few is small by chance.
///
/// Values are finite. O(n). Values beyond the last whole batch are not looked at.
/// Sources: White, Simulation 69 (1997); White, Cobb and Spratt, WSC 2000 (batches of five); Hoad,
/// Robinson and Davies, J. Oper. Res. Soc. 61 (2010) (the second half, the last five).
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace headroom::analysis {

/// Fewer values than these are too few to judge.
inline constexpr std::size_t kLeastForMser5 = 50;

/// Values to drop from the front, a multiple of five; nullopt: no steady state found.
[[nodiscard]] std::optional<std::size_t> mser5_truncation(std::span<const double> values);

}  // namespace headroom::analysis
