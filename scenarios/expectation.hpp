/// Expectations: the conditions under `expect` that turn a scenario into a test.
///
///     "latency.ttft_s.p99": "< 2"                  a number of the summary
///     "slo.attainment": ">= 95%"                   per cent: a hundredth
///     "latency.e2e_s.max": "<= 1m30s"              a duration: its seconds
///     "replicas at 10m": "== 8"                    a series at one moment
///     "services.chat.replicas during 5m..20m": "<= 12"   a series over a span, ends included
///
/// Comparisons are < <= > >= == !=; `during` asks for all of the span, so != makes no sense there.
/// An unknown metric is a mistake of the scenario; one without data fails when it is evaluated.
/// O(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::scenarios {

enum class Comparison : std::uint8_t { less, less_equal, greater, greater_equal, equal, not_equal };

struct Expectation {
    enum class When : std::uint8_t { whole_run, at, during };

    std::string text;  ///< "latency.ttft_s.p99 < 2", as the scenario has it
    std::string metric;
    When when = When::whole_run;
    Time from;  ///< of at and during
    Time to;    ///< of during
    Comparison comparison = Comparison::less;
    double bound = 0;  ///< durations in seconds, percentages as fractions
};

/// The left side ("replicas at 10m") and the right side ("== 8") of one entry. Nullopt with `error`
/// set ("expected ..., found ..."); `error_in_condition` says which side is wrong.
[[nodiscard]] std::optional<Expectation> parse_expectation(std::string_view subject,
                                                           std::string_view condition,
                                                           const std::vector<std::string>& services,
                                                           std::string& error,
                                                           bool& error_in_condition);

/// Where the numbers come from. Nullopt: there is no such number (nothing was measured).
class MetricSource {
  public:
    struct Range {
        double min = 0;
        double max = 0;
    };
    virtual ~MetricSource() = default;
    /// A number of the summary; true counts as 1.
    [[nodiscard]] virtual std::optional<double> value(std::string_view path) const = 0;
    /// A series as of `t`: the value its last point at or before `t` left.
    [[nodiscard]] virtual std::optional<double> value_at(std::string_view series, Time t) const = 0;
    /// Least and greatest value over [from, to].
    [[nodiscard]] virtual std::optional<Range> range(std::string_view series, Time from,
                                                     Time to) const = 0;
};

struct ExpectationResult {
    bool held = false;
    std::optional<double> found;  ///< of `during`: the value farthest on the wrong side
    std::string message;          ///< "latency.ttft_s.p99 < 2: found 2.31"
};

[[nodiscard]] ExpectationResult evaluate(const Expectation& expectation,
                                         const MetricSource& source);

}  // namespace headroom::scenarios
