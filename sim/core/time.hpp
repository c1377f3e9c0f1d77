/// Time and Duration: strong types over int64 picoseconds.
///
/// A picosecond is small enough that one context token of one sequence (tens of nanoseconds, times
/// a speed factor) is an integer with five digits, so sums over thousands of iterations are exact.
/// An int64 of them spans 106 days; Time::horizon_limit() is what a scenario may ask for. Integrals
/// over time (replica time, latency sums) need 128 bits: TimeIntegral.
///
///     Time t = Time::zero() + Duration::seconds(2);      // exact for whole seconds
///     Duration d = Duration::from_seconds(0.0065);       // nearest picosecond, ties away from 0
///
/// All operations are O(1). Overflow is a programmer error; from_seconds saturates at the limits.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

#include "sim/core/check.hpp"

namespace headroom::inline core {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

class Duration {
  public:
    constexpr Duration() = default;
    [[nodiscard]] static constexpr Duration picoseconds(std::int64_t ps) { return Duration{ps}; }
    [[nodiscard]] static constexpr Duration nanoseconds(std::int64_t n) {
        return Duration{n * 1'000};
    }
    [[nodiscard]] static constexpr Duration microseconds(std::int64_t n) {
        return Duration{n * 1'000'000};
    }
    [[nodiscard]] static constexpr Duration milliseconds(std::int64_t n) {
        return Duration{n * 1'000'000'000};
    }
    [[nodiscard]] static constexpr Duration seconds(std::int64_t n) {
        return Duration{n * kPerSecond};
    }
    [[nodiscard]] static constexpr Duration minutes(std::int64_t n) { return seconds(n * 60); }
    [[nodiscard]] static constexpr Duration hours(std::int64_t n) { return seconds(n * 3600); }
    [[nodiscard]] static constexpr Duration zero() { return Duration{0}; }
    [[nodiscard]] static constexpr Duration max() {
        return Duration{std::numeric_limits<std::int64_t>::max()};
    }

    /// Nearest picosecond, halves away from zero; saturates; NaN is a programmer error.
    [[nodiscard]] static constexpr Duration from_seconds(double s) {
        HEADROOM_CHECK(s == s, "a duration cannot be NaN");
        constexpr double kLimit = 9.2e18;
        const double ps = s * static_cast<double>(kPerSecond);
        if (ps >= kLimit) return max();
        if (ps <= -kLimit) return -max();
        // llround without the call: the part behind the point is exact, as is the sum.
        const auto whole = static_cast<std::int64_t>(ps);
        const double rest = ps - static_cast<double>(whole);
        return Duration{whole + (rest >= 0.5 ? 1 : 0) - (rest <= -0.5 ? 1 : 0)};
    }

    [[nodiscard]] constexpr std::int64_t ps() const { return ps_; }
    /// For reports only: no double may decide anything inside the simulation.
    [[nodiscard]] constexpr double to_seconds() const {
        return static_cast<double>(ps_) / static_cast<double>(kPerSecond);
    }

    constexpr auto operator<=>(const Duration&) const = default;
    constexpr Duration operator+(Duration o) const { return Duration{ps_ + o.ps_}; }
    constexpr Duration operator-(Duration o) const { return Duration{ps_ - o.ps_}; }
    constexpr Duration operator-() const { return Duration{-ps_}; }
    constexpr Duration operator*(std::int64_t n) const { return Duration{ps_ * n}; }
    constexpr Duration operator/(std::int64_t n) const { return Duration{ps_ / n}; }
    constexpr std::int64_t operator/(Duration o) const { return ps_ / o.ps_; }
    constexpr Duration operator%(Duration o) const { return Duration{ps_ % o.ps_}; }
    constexpr Duration& operator+=(Duration o) {
        ps_ += o.ps_;
        return *this;
    }
    constexpr Duration& operator-=(Duration o) {
        ps_ -= o.ps_;
        return *this;
    }

    static constexpr std::int64_t kPerSecond = 1'000'000'000'000;

  private:
    constexpr explicit Duration(std::int64_t ps) : ps_(ps) {}
    std::int64_t ps_ = 0;
};

class Time {
  public:
    constexpr Time() = default;
    [[nodiscard]] static constexpr Time picoseconds(std::int64_t ps) { return Time{ps}; }
    [[nodiscard]] static constexpr Time zero() { return Time{0}; }
    /// Later than every event: "never".
    [[nodiscard]] static constexpr Time max() {
        return Time{std::numeric_limits<std::int64_t>::max()};
    }
    /// Nearest picosecond after the start of the run, as Duration::from_seconds.
    [[nodiscard]] static constexpr Time from_seconds(double s) {
        return zero() + Duration::from_seconds(s);
    }
    /// The longest horizon a run may have: 100 days, which leaves room for sums past the end.
    [[nodiscard]] static constexpr Time horizon_limit() { return zero() + Duration::hours(2400); }

    [[nodiscard]] constexpr std::int64_t ps() const { return ps_; }
    [[nodiscard]] constexpr double to_seconds() const { return since_start().to_seconds(); }
    [[nodiscard]] constexpr Duration since_start() const { return Duration::picoseconds(ps_); }

    constexpr auto operator<=>(const Time&) const = default;
    constexpr Time operator+(Duration d) const { return Time{ps_ + d.ps()}; }
    constexpr Time operator-(Duration d) const { return Time{ps_ - d.ps()}; }
    constexpr Duration operator-(Time o) const { return Duration::picoseconds(ps_ - o.ps_); }
    /// The same, but never past Time::max(): for durations that somebody chose or drew.
    [[nodiscard]] constexpr Time later_by(Duration d) const {
        return d.ps() > 0 && ps_ > max().ps_ - d.ps() ? max() : *this + d;
    }
    constexpr Time& operator+=(Duration d) {
        ps_ += d.ps();
        return *this;
    }

  private:
    constexpr explicit Time(std::int64_t ps) : ps_(ps) {}
    std::int64_t ps_ = 0;
};

/// A time or none, in eight bytes, so that it travels in a register: Time::max(), which is no time
/// of any event, stands for none. Reads like std::optional<Time>.
class OptionalTime {
  public:
    constexpr OptionalTime() = default;
    constexpr OptionalTime(std::nullopt_t) {}
    constexpr OptionalTime(Time time) : time_(time) {}
    [[nodiscard]] constexpr bool has_value() const { return time_ != Time::max(); }
    constexpr explicit operator bool() const { return has_value(); }
    constexpr const Time& operator*() const { return time_; }
    [[nodiscard]] constexpr Time or_never() const { return time_; }
    constexpr bool operator==(const OptionalTime&) const = default;

  private:
    Time time_ = Time::max();
};

/// A sum of durations, or a count held over time: 128 bits of picoseconds.
class TimeIntegral {
  public:
    constexpr TimeIntegral() = default;
    constexpr TimeIntegral& operator+=(Duration d) {
        ps_ += d.ps();
        return *this;
    }
    constexpr TimeIntegral& operator+=(const TimeIntegral& o) {
        ps_ += o.ps_;
        return *this;
    }
    constexpr TimeIntegral operator-(const TimeIntegral& o) const {
        TimeIntegral r;
        r.ps_ = ps_ - o.ps_;
        return r;
    }
    /// Adds `count` held for `d`.
    constexpr void add(std::int64_t count, Duration d) {
        ps_ += static_cast<Int128>(count) * d.ps();
    }
    constexpr void add_ps(Int128 ps) { ps_ += ps; }
    [[nodiscard]] constexpr Int128 ps() const { return ps_; }
    [[nodiscard]] constexpr double to_seconds() const {
        return static_cast<double>(ps_) / static_cast<double>(Duration::kPerSecond);
    }
    constexpr bool operator==(const TimeIntegral&) const = default;

  private:
    Int128 ps_ = 0;
};

}  // namespace headroom::inline core
