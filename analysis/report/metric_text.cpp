#include "analysis/report/metric_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

struct Label {
    std::string_view path;
    std::string_view label;
};

constexpr std::array<Label, 5> kLatencies = {{{"latency.ttft_s.", "TTFT"},
                                              {"latency.tpot_s.", "TPOT"},
                                              {"latency.itl_s.", "ITL"},
                                              {"latency.e2e_s.", "latency"},
                                              {"latency.queue_s.", "queueing"}}};
constexpr std::array<Label, 12> kOthers = {
    {{"slo.attainment", "SLO attainment"},
     {"cost.total", "cost"},
     {"cost.per_million_output_tokens", "cost per million output tokens"},
     {"throughput.requests_per_s", "requests/s"},
     {"throughput.output_tokens_per_s", "output tokens/s"},
     {"requests.failed", "failed requests"},
     {"requests.rejected", "rejected requests"},
     {"requests.timed_out", "timed out requests"},
     {"replicas.mean", "mean replicas"},
     {"replicas.max", "most replicas"},
     {"gpu.hours", "GPU hours"},
     {"energy_kwh", "energy (kWh)"}}};

std::string label_of(std::string_view path) {
    for (const Label& latency : kLatencies) {
        if (path.substr(0, latency.path.size()) != latency.path) continue;
        return std::string(path.substr(latency.path.size())) + " " + std::string(latency.label);
    }
    for (const Label& other : kOthers) {
        if (path == other.path) return std::string(other.label);
    }
    return {};
}

std::string sign_of(double value) {
    return value < 0 ? "-" : value > 0 ? "+" : "";
}

}  // namespace

std::string metric_label(std::string_view metric) {
    const std::string_view path = path_within_service(metric);
    const std::string label = label_of(path);
    if (label.empty()) return std::string(metric);
    if (path.size() == metric.size()) return label;
    const std::string_view prefix = "services.";
    const std::size_t length = metric.size() - path.size() - 1 - prefix.size();
    return label + " of " + std::string(metric.substr(prefix.size(), length));
}

std::string metric_text(std::string_view metric, double value, const std::string& currency) {
    switch (unit_of(metric)) {
        case MetricUnit::seconds:
            return duration_text(value);
        case MetricUnit::fraction:
            return percent_text(value);
        case MetricUnit::money:
            return money_text(value, currency);
        case MetricUnit::rate:
            return rate_text(value);
        case MetricUnit::number:
            break;
    }
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
    return whole ? count_text(static_cast<std::int64_t>(value)) : significant(value);
}

std::string difference_text(std::string_view metric, double difference,
                            const std::string& currency) {
    if (difference == 0) return "0";
    const double size = std::abs(difference);
    std::string text = unit_of(metric) == MetricUnit::fraction
                           ? significant(size * 100) + " pp"
                           : metric_text(metric, size, currency);
    // A difference that is no whole number is told as the amounts that it is between.
    if (unit_of(metric) == MetricUnit::number) text = significant(size);
    return sign_of(difference) + text;
}

std::string range_text(std::string_view metric, double low, double high,
                       const std::string& currency) {
    std::string from = difference_text(metric, low, currency);
    const std::string to = difference_text(metric, high, currency);
    const auto unit_at = [](const std::string& text) {
        return std::min(text.find(' '), text.size());
    };
    if (from.substr(unit_at(from)) == to.substr(unit_at(to))) from.resize(unit_at(from));
    return from + " to " + to;
}

std::string relative_text(double fraction) {
    return sign_of(fraction) + percent_text(std::abs(fraction));
}

}  // namespace headroom::analysis
