/// LatencyModel: how long one iteration of an LLM engine takes on one instance.
///
/// For a fixed batch the time is affine in the context that the decoding sequences attend to:
///
///     t(K) = fixed + per_context_token * K     for context_tokens K in [.., valid_until)
///
/// That form is what lets a run of iterations be computed at once (K grows by the number of
/// decoding sequences an iteration). Both numbers are whole picoseconds. A model that is not affine
/// in K is tabulated at knots of K: iteration_cost() then returns the line of the segment K lies
/// in, and `valid_until` the next knot; time never falls over a knot. Implementations are
/// immutable, shared between instances and threads, and O(1) per call with no allocation.
///
/// A speed factor (per instance, in parts per million of nominal speed) divides both numbers, each
/// rounded half up to whole ps, so that one scaled iteration is again `fixed + slope * K`. Either
/// number saturates at Duration::max(); at() is what an iteration takes then too.
#pragma once

#include <cstdint>
#include <limits>

#include "sim/core/time.hpp"

namespace headroom::serving {

/// What one iteration computes.
struct IterationShape {
    std::int64_t prefill_tokens = 0;    ///< P: prompt tokens computed in this iteration
    std::int64_t decode_sequences = 0;  ///< D: sequences that compute one token each
    std::int64_t context_tokens = 0;    ///< K: sum over decode sequences of tokens already computed
    /// 2 A = sum over prefill chunks of n * (2 * context_before + n), twice the usual
    /// A = sum n * (context_before + n/2), to stay an integer.
    std::int64_t prefill_attention_doubled = 0;
    std::int64_t prefill_chunks = 0;  ///< number of chunks behind prefill_tokens
    std::int64_t sampled_tokens = 0;  ///< tokens emitted: D plus prompts that end in this iteration
};

/// As long as a run may be: an iteration that takes more (a device slowed down to a crawl, an
/// absurd profile) is not seen to end, and sums with it stay in range.
inline constexpr Duration kLongestIteration = Time::horizon_limit().since_start();

struct IterationCost {
    Duration fixed;
    Duration per_context_token;
    std::int64_t valid_until = std::numeric_limits<std::int64_t>::max();  ///< in context_tokens

    /// Saturates at kLongestIteration.
    [[nodiscard]] Duration at(std::int64_t context_tokens) const {
        const Int128 ps = fixed.ps() + static_cast<Int128>(per_context_token.ps()) * context_tokens;
        return ps < kLongestIteration.ps() ? Duration::picoseconds(static_cast<std::int64_t>(ps))
                                           : kLongestIteration;
    }
};

class LatencyModel {
  public:
    virtual ~LatencyModel() = default;
    /// The line that holds at `shape` (and for decode-only shapes from it to valid_until). The
    /// fixed part is >= 1 ps.
    [[nodiscard]] virtual IterationCost iteration_cost(const IterationShape& shape) const = 0;
};

/// Parts per million of nominal speed; 1'000'000 changes nothing.
using SpeedPpm = std::int64_t;
inline constexpr SpeedPpm kNominalSpeed = 1'000'000;

/// What takes `d` at nominal speed, to the nearest picosecond; saturates.
[[nodiscard]] inline Duration scaled(Duration d, SpeedPpm speed) {
    if (speed == kNominalSpeed) return d;
    const Int128 ps = (static_cast<Int128>(d.ps()) * kNominalSpeed + speed / 2) / speed;
    return ps < Duration::max().ps() ? Duration::picoseconds(static_cast<std::int64_t>(ps))
                                     : Duration::max();
}
[[nodiscard]] inline IterationCost scaled(const IterationCost& cost, SpeedPpm speed) {
    if (speed == kNominalSpeed) return cost;
    return {scaled(cost.fixed, speed), scaled(cost.per_context_token, speed), cost.valid_until};
}

}  // namespace headroom::serving
