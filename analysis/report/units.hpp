/// Numbers as people read them: three significant digits, a sensible unit, thousands apart.
///
///     duration_text(0.0452)    "45.2 ms"        count_text(60412)       "60,412"
///     duration_text(215)       "215 s"          count_text(12345678)    "12.3 M"
///     clock_text(932)          "15m32s"         rate_text(16.84)        "16.8"
///     percent_text(0.9614)     "96.1 %"         significant(1234.5)     "1230"
///
/// For tables only: files carry full precision.
#pragma once

#include <cstdint>
#include <string>

namespace headroom::analysis {

/// Three significant digits, never in exponent form between 1e-4 and 1e15.
[[nodiscard]] std::string significant(double value);
/// A length of time of `seconds`: ns, us, ms, s, min, h or d.
[[nodiscard]] std::string duration_text(double seconds);
/// A moment or a horizon, in whole seconds from a minute on.
[[nodiscard]] std::string clock_text(double seconds);
/// Whole up to ten million, then k, M, G, T.
[[nodiscard]] std::string count_text(std::int64_t count);
/// Any amount, with k, M, G, T from ten thousand on.
[[nodiscard]] std::string rate_text(double amount);
[[nodiscard]] std::string percent_text(double fraction);
/// Two decimals, or three significant digits when it is less than 1.
[[nodiscard]] std::string money_text(double amount, const std::string& currency);

/// "1 pod", "2 pods"; the plural is the singular with an s.
[[nodiscard]] std::string plural(std::int64_t count, const std::string& noun);

}  // namespace headroom::analysis
