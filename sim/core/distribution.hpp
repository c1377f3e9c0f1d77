/// Distribution: a probability distribution given by its inverse, so that one uniform number makes
/// one value: runs with common random numbers stay paired, and u -> value is non-decreasing.
///
///     Distribution prompt = Distribution::lognormal(6.2, 1.1);
///     Tokens n{prompt.whole_at(stream.uniform(request))};
///     Duration gap = Distribution::exponential(0.02).duration_at(u);
///
/// u lies in (0, 1), both ends excluded. quantile is O(1) (10 to 40 ns), O(log points) for an
/// empirical one. Values are in the caller's unit; duration_at takes them as seconds. Wrong
/// parameters are programmer errors (CHECK): the loader refuses them first.
/// Bits are equal on every x86-64 machine and compiler; see math.hpp for the formulas. A gamma
/// quantile is read from a table built by its factory (some 300 us; relative error below 1e-10 for
/// shapes from 1e-3).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::inline core {

class Distribution {
  public:
    enum class Kind : std::uint8_t {
        fixed,
        exponential,
        lognormal,
        normal,
        gamma,
        weibull,
        uniform,
        empirical,
    };
    /// {probability, value}.
    using Points = std::vector<std::pair<double, double>>;

    Distribution() = default;  ///< fixed(0)
    static Distribution fixed(double value);
    static Distribution exponential(double mean);             ///< mean >= 0
    static Distribution lognormal(double mu, double sigma);   ///< log of it: normal(mu, sigma >= 0)
    static Distribution normal(double mean, double sd);       ///< sd >= 0; not cut at zero
    static Distribution gamma(double shape, double scale);    ///< shape > 0, scale >= 0
    static Distribution weibull(double shape, double scale);  ///< shape > 0, scale >= 0
    static Distribution uniform(double low, double high);     ///< low <= high
    /// Straight lines between points of the quantile function. Probabilities rise strictly from 0
    /// to 1, values never fall.
    static Distribution empirical(Points points);

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] double quantile(double u) const;
    [[nodiscard]] double mean() const;
    /// Standard deviation over |mean|: 0 where both are 0, inf where only the mean is.
    [[nodiscard]] double cv() const;

    /// The value in seconds, rounded once to whole picoseconds; negative values give zero.
    [[nodiscard]] Duration duration_at(double u) const {
        const double value = quantile(u);
        return value > 0.0 ? Duration::from_seconds(value) : Duration::zero();
    }
    /// The nearest whole number, halves away from zero; at least 1, at most 2^62.
    [[nodiscard]] std::int64_t whole_at(double u) const {
        const double value = quantile(u);
        if (!(value > 1.0)) return 1;
        if (value >= 0x1p62) return std::int64_t{1} << 62;
        const auto whole = static_cast<std::int64_t>(value);
        return whole + (value - static_cast<double>(whole) >= 0.5 ? 1 : 0);
    }

  private:
    struct Table;
    Distribution(Kind kind, double a, double b);
    [[nodiscard]] double gamma_at(double u) const;
    [[nodiscard]] double empirical_at(double u) const;

    Kind kind_ = Kind::fixed;
    double a_ = 0.0;  ///< the factory's first argument
    double b_ = 0.0;  ///< and its second
    std::shared_ptr<const Table> table_;
};

}  // namespace headroom::inline core
