/// Series of a rule test: what an autoscaler sees of one metric, in the expanding notation of
/// `promtool test rules`, one value each interval:
///
///     "40x4 120x8"       40 five times (40 and four more), then 120 nine times
///     "40+10x3"          40 50 60 70;  "40-10x3": 40 30 20 10
///     "40 _ 50 _x3"      _: this scrape fails, what was seen before stays; _x3: three times
///     "40x4 stale"       from here on there is no value, as of a target that went away
///
/// As in promtool "axn" and "a+bxn" stand for n + 1 values, "_xn" for n. Values are Kubernetes
/// quantities >= 0 ("500m", "8Gi", 0.5), kept in milli-units. Source: prometheus
/// docs/configuration/unit_testing_rules.md, section `<series>`. O(values), of which there may be
/// kMostSamples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::scenarios {

struct SeriesSample {
    enum class Kind : std::uint8_t { value, missing, stale };
    Kind kind = Kind::value;
    std::int64_t milli = 0;  ///< of value

    bool operator==(const SeriesSample&) const = default;
};

inline constexpr std::size_t kMostSamples = 1'000'000;

/// Nullopt with `error` ("expected ..., found ...") when the text is no series.
[[nodiscard]] std::optional<std::vector<SeriesSample>> parse_series(std::string_view text,
                                                                    std::string& error);

}  // namespace headroom::scenarios
