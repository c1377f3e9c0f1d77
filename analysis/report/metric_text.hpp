/// A metric of the summary in words: its name, its values and differences of them, in its unit.
///
///     metric_label("latency.ttft_s.p99")                       "p99 TTFT"
///     metric_text("latency.ttft_s.p99", 2.31, "USD")           "2.31 s"
///     difference_text("slo.attainment", -0.057, "USD")         "-5.70 pp"
///     relative_text(0.0312)                                    "+3.1 %"
///
/// For tables and sentences only: files carry full precision.
#pragma once

#include <string>
#include <string_view>

namespace headroom::analysis {

/// Of a service: "p99 TTFT of chat". A metric without a short name keeps its own.
[[nodiscard]] std::string metric_label(std::string_view metric);
[[nodiscard]] std::string metric_text(std::string_view metric, double value,
                                      const std::string& currency);
/// With its sign; fractions in percentage points.
[[nodiscard]] std::string difference_text(std::string_view metric, double difference,
                                          const std::string& currency);
/// "+60.5 to +64.8 s": the unit once where both have the same.
[[nodiscard]] std::string range_text(std::string_view metric, double low, double high,
                                     const std::string& currency);
[[nodiscard]] std::string relative_text(double fraction);

}  // namespace headroom::analysis
