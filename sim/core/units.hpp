/// Strong integer quantities: no implicit mixing, and an operator only where it means something.
/// Values are whole units (tokens, bytes, milli-cores, micro-dollars, ...). O(1), 8 bytes.
///
///     Bytes image = gibibytes(9);
///     Tokens context = prompt + Tokens{1};
#pragma once

#include <compare>
#include <cstdint>

namespace headroom::inline core {

template <class Tag>
class Quantity {
  public:
    constexpr Quantity() = default;
    constexpr explicit Quantity(std::int64_t n) : count_(n) {}
    [[nodiscard]] constexpr std::int64_t count() const { return count_; }
    constexpr auto operator<=>(const Quantity&) const = default;
    constexpr Quantity operator+(Quantity o) const { return Quantity{count_ + o.count_}; }
    constexpr Quantity operator-(Quantity o) const { return Quantity{count_ - o.count_}; }
    constexpr Quantity operator-() const { return Quantity{-count_}; }
    constexpr Quantity operator*(std::int64_t n) const { return Quantity{count_ * n}; }
    constexpr Quantity& operator+=(Quantity o) {
        count_ += o.count_;
        return *this;
    }
    constexpr Quantity& operator-=(Quantity o) {
        count_ -= o.count_;
        return *this;
    }

  private:
    std::int64_t count_ = 0;
};

using Tokens = Quantity<struct TokensTag>;
using Bytes = Quantity<struct BytesTag>;
using MilliCpu = Quantity<struct MilliCpuTag>;  ///< 1000 = one core
using MilliGpu = Quantity<struct MilliGpuTag>;  ///< 1000 = one whole GPU
using Money = Quantity<struct MoneyTag>;        ///< micro-units of the scenario's currency

[[nodiscard]] constexpr Bytes kibibytes(std::int64_t n) {
    return Bytes{n << 10};
}
[[nodiscard]] constexpr Bytes mebibytes(std::int64_t n) {
    return Bytes{n << 20};
}
[[nodiscard]] constexpr Bytes gibibytes(std::int64_t n) {
    return Bytes{n << 30};
}

}  // namespace headroom::inline core
