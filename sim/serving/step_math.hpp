/// Closed forms of a macro-step: iterations j = 0, 1, ... of one decode batch of B sequences, each
/// taking
///
///     d(j) = fixed + slope * (K + B j)            (K context tokens at j = 0)
///
/// so that the boundary after j iterations lies at
///
///     offset(j) = j fixed + slope (j K + B j (j-1) / 2)
///
/// past the start. All in whole picoseconds, hence equal to adding iteration by iteration. Limits:
/// j <= kMaxIterations, and offset(kMaxIterations) must fit into an int64, which
/// iterations_within() of a 100-day horizon guarantees for the offsets that are ever asked for (see
/// `fits`).
#pragma once

#include <cmath>
#include <cstdint>

#include "sim/core/time.hpp"

namespace headroom::serving {

struct MacroStep {
    std::int64_t fixed = 1;    ///< ps
    std::int64_t slope = 0;    ///< ps per context token
    std::int64_t context = 0;  ///< K
    std::int64_t growth = 0;   ///< B

    static constexpr std::int64_t kMaxIterations = 1 << 16;

    [[nodiscard]] std::int64_t duration_of(std::int64_t j) const {
        return fixed + slope * (context + growth * j);
    }
    [[nodiscard]] std::int64_t offset(std::int64_t j) const {
        return j * fixed + slope * (j * context + growth * (j * (j - 1) / 2));
    }
    /// Whether offset(j) stays below 2^62 ps (53 days).
    [[nodiscard]] bool fits(std::int64_t j) const {
        // Mostly the last iteration is below 2^45 ps (35 s): at most 2^16 of them are below 2^61.
        const std::int64_t last_context = context + growth * j;
        const bool small = (slope | last_context) >> 31 == 0 && fixed >> 45 == 0;
        if (small && duration_of(j) >> 45 == 0) return true;
        const Int128 value =
            static_cast<Int128>(j) * fixed +
            static_cast<Int128>(slope) * (static_cast<Int128>(j) * context +
                                          static_cast<Int128>(growth) * (j * (j - 1) / 2));
        return value < (static_cast<Int128>(1) << 62);
    }
    /// Largest j in [0, limit] with offset(j) <= elapsed. A double guess, then corrected exactly.
    [[nodiscard]] std::int64_t iterations_within(std::int64_t elapsed, std::int64_t limit) const {
        if (elapsed < 0) return 0;
        const double half_growth = 0.5 * static_cast<double>(slope) * static_cast<double>(growth);
        const double first =
            static_cast<double>(fixed) + static_cast<double>(slope) * static_cast<double>(context);
        const double linear = first - half_growth;
        const double e = static_cast<double>(elapsed);
        const double guess =
            2.0 * e / (linear + std::sqrt(linear * linear + 4.0 * half_growth * e));
        std::int64_t j = guess >= static_cast<double>(limit) ? limit
                         : guess > 0                         ? static_cast<std::int64_t>(guess)
                                                             : 0;
        while (j > 0 && offset(j) > elapsed) --j;
        while (j < limit && offset(j + 1) <= elapsed) ++j;
        return j;
    }
    /// Sum of offset(j) over some values of j, given the sums of j and of j^2.
    [[nodiscard]] Int128 offset_sum(std::int64_t sum_j, std::int64_t sum_j2) const {
        return static_cast<Int128>(duration_of(0)) * sum_j +
               static_cast<Int128>(slope * growth) * ((sum_j2 - sum_j) / 2);
    }
};

}  // namespace headroom::serving
