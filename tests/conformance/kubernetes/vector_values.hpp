/// What runners of conformance cases share: the values that cases write, and a list of what
/// differs. Times (`t`, `*_t`) are seconds relative to "now", -1e9 is the zero time, which is
/// "never" here.
///
///     Differences differences;
///     differences.compare("replicas", item.at("expected"), replicas);
///     return differences.text();  // "replicas: expected 5, found 4"; empty: none
#pragma once

#include <string>
#include <string_view>

#include "sim/core/time.hpp"
#include "tests/conformance/kubernetes/vector_case.hpp"

namespace headroom::conformance {

/// A "now" that leaves room for the cases' past.
inline constexpr Time kNow = Time::zero() + Duration::hours(1200);

/// The zero time and anything before the simulation is "never".
inline Time at(const Json& seconds) {
    const double t = seconds.get<double>();
    if (t < -4'000'000.0) return Time::max();
    return kNow + Duration::from_seconds(t);
}

inline Duration seconds(const Json& s) {
    return Duration::from_seconds(s.get<double>());
}

/// A member that may be missing or null.
template <class Value>
Value value_or(const Json& object, const char* key, Value otherwise) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? otherwise : found->get<Value>();
}

class Differences {
  public:
    void compare(std::string_view what, const Json& expected, const Json& found) {
        if (expected != found) add(what, expected.dump(), found.dump());
    }
    void add(std::string_view what, std::string_view expected, std::string_view found) {
        if (!text_.empty()) text_ += "; ";
        text_.append(what).append(": expected ").append(expected);
        text_.append(", found ").append(found);
    }
    [[nodiscard]] bool none() const { return text_.empty(); }
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

}  // namespace headroom::conformance
