/// Quantities as people write them in a scenario, parsed exactly: decimal digits are summed as
/// integers, no double is involved.
///
///     parse_duration("1h30m")            5400 s     units: d h m s ms us ns ps, with decimals
///     parse_quantity_milli("500m")       500        units: n u m k M G T P E Ki Mi Gi Ti Pi Ei,
///     parse_quantity_units("80Gi")       80 * 2^30  or an exponent ("1e3")
///     parse_utc("2023-11-16T18:00:00Z")  1700157600 Unix seconds (RFC 3339)
///
/// Durations follow Go's time.ParseDuration (plus d and ps, without signs); a plain number is
/// refused, for its unit would be a guess. Quantities follow Kubernetes' resource.Quantity
/// (apimachinery pkg/api/resource/quantity.go); what is finer than the unit asked for is rounded
/// up, as Quantity.MilliValue and Value do. Errors say what was expected, with an example.
/// O(length).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/core/time.hpp"

namespace headroom::scenarios {

/// A value, or what was expected instead ("expected a duration such as \"30s\" or \"1h30m\"").
template <class T>
struct Parsed {
    std::optional<T> value;
    std::string expected;
    bool too_large = false;  ///< it is well formed, but there is no room for so much

    explicit operator bool() const { return value.has_value(); }
};

[[nodiscard]] Parsed<Duration> parse_duration(std::string_view text);
/// In thousandths: cpu "8" is 8000. Negative quantities are refused.
[[nodiscard]] Parsed<std::int64_t> parse_quantity_milli(std::string_view text);
/// In whole units: bytes, bytes per second, devices.
[[nodiscard]] Parsed<std::int64_t> parse_quantity_units(std::string_view text);
/// Whole seconds since 1970-01-01T00:00:00Z; an offset such as +02:00 is allowed.
[[nodiscard]] Parsed<std::int64_t> parse_utc(std::string_view text);

/// "1h30m", "250ms", "0s": the shortest spelling with whole numbers, for messages and the schema.
[[nodiscard]] std::string format_duration(Duration duration);

/// Regular expressions (ECMAScript) of what the parsers accept, up to overflow, for the JSON
/// Schema.
inline constexpr const char* kDurationPattern = "^([0-9]+(\\.[0-9]+)?(d|h|ms|m|us|ns|ps|s))+$";
inline constexpr const char* kQuantityPattern =
    "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$";
inline constexpr const char* kCountOrPercentPattern = "^([0-9]+|[+]?[0-9]+%)$";

}  // namespace headroom::scenarios
