#include "analysis/results/summary_metrics.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "scenarios/metric_paths.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kServices = "services.";

/// The object that the path goes on in, after "services.<name>." has been taken off it. Names may
/// have dots, so the names that exist decide.
const Json& object_for(const Json& summary, std::string_view& path) {
    if (path.substr(0, kServices.size()) != kServices) return summary;
    const std::string_view rest = path.substr(kServices.size());
    for (const auto& [name, service] : summary.at("services").items()) {
        if (rest.size() <= name.size() || rest[name.size()] != '.') continue;
        if (rest.substr(0, name.size()) != name) continue;
        path = rest.substr(name.size() + 1);
        return service;
    }
    return summary;
}

}  // namespace

SummaryMetrics::SummaryMetrics(const SimulationResult& result, const Json& summary)
    : summary_(summary), end_(result.end) {
    replicas_.emplace("", replica_series(result.control, std::nullopt));
    for (std::uint32_t i = 0; i < result.services.size(); ++i) {
        replicas_.emplace(std::string(kServices) + result.services[i].name + ".",
                          replica_series(result.control, i));
    }
}

std::optional<double> summary_number(const Json& part, std::string_view path) {
    const Json* at = &part;
    while (!path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        if (!at->is_object()) return std::nullopt;
        const auto found = at->find(std::string(path.substr(0, dot)));
        if (found == at->end()) return std::nullopt;
        at = &*found;
        path = path.substr(std::min(dot + 1, path.size()));
    }
    if (at->is_boolean()) return at->get<bool>() ? 1.0 : 0.0;
    if (!at->is_number()) return std::nullopt;
    return at->get<double>();
}

std::optional<double> SummaryMetrics::value(std::string_view path) const {
    const Json& part = object_for(summary_, path);
    return summary_number(part, path);
}

const metrics::TimeSeries* SummaryMetrics::find(std::string_view series) const {
    const std::size_t dot = series.rfind('.');
    const std::size_t cut = dot == std::string_view::npos ? 0 : dot + 1;
    const auto found = replicas_.find(series.substr(0, cut));
    if (found == replicas_.end() || !found->second.known) return nullptr;
    if (series.substr(cut) == scenarios::kReplicasSeries) return &found->second.ready;
    if (series.substr(cut) == scenarios::kDesiredReplicasSeries) return &found->second.desired;
    return nullptr;
}

std::optional<double> SummaryMetrics::value_at(std::string_view series, Time t) const {
    const metrics::TimeSeries* points = find(series);
    if (points == nullptr || t > end_) return std::nullopt;
    return static_cast<double>(points->value_at(t));
}

std::optional<SummaryMetrics::Range> SummaryMetrics::range(std::string_view series, Time from,
                                                           Time to) const {
    const metrics::TimeSeries* points = find(series);
    if (points == nullptr || from > end_) return std::nullopt;
    const Time until = std::min(to, end_);
    return Range{static_cast<double>(points->min_during(from, until)),
                 static_cast<double>(points->max_during(from, until))};
}

std::vector<scenarios::ExpectationResult> check_expectations(const scenarios::Scenario& scenario,
                                                             const SimulationResult& result,
                                                             Json& summary) {
    std::vector<scenarios::ExpectationResult> results;
    Json list = Json::array();
    const SummaryMetrics metrics(result, summary);
    for (const scenarios::Expectation& expectation : scenario.expectations) {
        results.push_back(scenarios::evaluate(expectation, metrics));
        list.push_back({{"condition", expectation.text},
                        {"held", results.back().held},
                        {"found", results.back().found ? Json(*results.back().found) : Json()}});
    }
    summary["expect"] = std::move(list);
    return results;
}

}  // namespace headroom::analysis
