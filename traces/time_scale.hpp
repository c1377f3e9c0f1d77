/// TimeScale stretches (factor above 1) or squeezes (below 1) times by an exact fraction, so that
/// "rate x 3" is the same on every machine and does not lose picoseconds after hours, as a double
/// would. Factors are taken to nine decimals, numerator and denominator apart.
///
///     TimeScale faster = TimeScale::make(1.0, 3.0).value();   // times / 3
///     Duration d = faster(Duration::seconds(1));              // 333333333333 ps
///
/// Rounds to the nearest picosecond, halves up. O(1); monotone, so the order of times is kept.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "sim/core/time.hpp"

namespace headroom::traces {

class TimeScale {
  public:
    static constexpr double kLeast = 1e-6;
    static constexpr double kMost = 1e6;

    TimeScale() = default;
    /// Times are multiplied by `multiply` and divided by `divide`; nullopt when one is out of
    /// range.
    [[nodiscard]] static std::optional<TimeScale> make(double multiply, double divide) {
        if (!(multiply >= kLeast && multiply <= kMost)) return std::nullopt;
        if (!(divide >= kLeast && divide <= kMost)) return std::nullopt;
        TimeScale scale;
        scale.multiply_ = std::llround(multiply * 1e9);
        scale.divide_ = std::llround(divide * 1e9);
        return scale;
    }
    [[nodiscard]] bool is_one() const { return multiply_ == divide_; }

    /// Of a time that is not negative; saturates at Duration::max().
    [[nodiscard]] Duration operator()(Duration d) const {
        if (is_one()) return d;
        const Int128 scaled =
            (static_cast<Int128>(d.ps()) * multiply_ * 2 + divide_) / (Int128{2} * divide_);
        const Int128 most = Duration::max().ps();
        return Duration::picoseconds(static_cast<std::int64_t>(scaled < most ? scaled : most));
    }

  private:
    std::int64_t multiply_ = 1'000'000'000;  ///< in units of 1e-9
    std::int64_t divide_ = 1'000'000'000;
};

}  // namespace headroom::traces
