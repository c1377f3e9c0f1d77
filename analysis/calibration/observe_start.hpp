/// Where the fit of observe.hpp begins: coefficients from the log alone, without a simulation.
///
/// Between its first and its last token a request of n tokens saw n - 1 iterations. Suppose that
/// every request's tokens came evenly over that time and that a prompt was computed in the moment
/// of its first token. Then the mean number of decoding sequences D and of their context tokens K
/// over that time are known, and the prompts computed meanwhile, so that for each request
///
///     last - first token = (n - 1) (c0 + c2 mean D + c3 mean K) + c1 sum P + c4 sum P^2 / 2
///
/// Least squares over relative residuals, no coefficient below 0: the best of the 31 choices of
/// which are not 0 (the exact non-negative solution for so few). Since the search goes over
/// logarithms, none may stay 0: each makes at least kLeastShare of the time, and where no prompt
/// was computed during a decode, half the least TTFT a prompt token gives c1. TTFT says no more
/// here: it holds waiting, front end and the engine's loop.
///
/// Only the chosen requests give equations; what ran beside them is seen from all that went to the
/// same of several replicas, the i-th to i mod replicas. O(n log n).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "analysis/calibration/engine_log.hpp"

namespace headroom::analysis {

inline constexpr double kLeastShare = 0.01;

/// Seconds, in the order c0 .. c4 of serving::LinearCoefficients.
using CoefficientArray = std::array<double, 5>;

/// `chosen` has an entry a request; at least one of the chosen ones has an output of two tokens
/// that came at different times.
[[nodiscard]] CoefficientArray start_from_log(const EngineLog& log, const std::vector<bool>& chosen,
                                              std::int64_t replicas = 1);

}  // namespace headroom::analysis
