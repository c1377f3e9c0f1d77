/// Numbers that may be missing, as JSON: null where there is no value, or one that JSON cannot
/// write (infinite, NaN).
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace headroom::analysis {

[[nodiscard]] inline nlohmann::ordered_json finite_or_null(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

[[nodiscard]] inline nlohmann::ordered_json or_null(const std::optional<double>& value) {
    return value ? finite_or_null(*value) : nlohmann::ordered_json(nullptr);
}
template <class T>
[[nodiscard]] nlohmann::ordered_json or_null(const std::optional<T>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace headroom::analysis
