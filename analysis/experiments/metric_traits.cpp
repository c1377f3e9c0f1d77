#include "analysis/experiments/metric_traits.hpp"

#include <algorithm>
#include <initializer_list>

#include "scenarios/diagnostic.hpp"
#include "scenarios/metric_paths.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

constexpr std::string_view kSaturated = "saturated";

bool starts_with(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

bool one_of(std::string_view path, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), path) != names.end();
}

bool is_latency(std::string_view path) {
    return starts_with(path, "latency.");
}

/// The name of the number that says whether what this metric measures was saturated.
std::string saturation_of(std::string_view metric) {
    const std::string_view path = path_within_service(metric);
    return std::string(metric.substr(0, metric.size() - path.size())) + std::string(kSaturated);
}

/// * stands for any characters, ? for one. The usual way of trying again behind the last *.
bool matches_glob(std::string_view text, std::string_view glob) {
    std::size_t t = 0;
    std::size_t g = 0;
    std::size_t star = std::string_view::npos;
    std::size_t tried = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            tried = t;
        } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
            ++g;
            ++t;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++tried;
        } else {
            return false;
        }
    }
    while (g < glob.size() && glob[g] == '*') ++g;
    return g == glob.size();
}

bool matches(std::string_view metric, std::string_view pattern) {
    if (pattern.find_first_of("*?") != std::string_view::npos) return matches_glob(metric, pattern);
    if (!starts_with(metric, pattern)) return false;
    return metric.size() == pattern.size() || metric[pattern.size()] == '.';
}

}  // namespace

Better better_when(std::string_view metric) {
    const std::string_view path = path_within_service(metric);
    if (is_latency(path) || starts_with(path, "cost.") ||
        starts_with(path, "scale_events.capacity_lag_s.") ||
        one_of(path, {"requests.failed", "requests.rejected", "requests.timed_out", "preemptions",
                      "saturated", "energy_kwh", "scale_events.reversals",
                      "scale_events.reversals_per_h"})) {
        return Better::lower;
    }
    if (starts_with(path, "throughput.") || path == "slo.attainment") return Better::higher;
    return Better::neither;
}

std::vector<bool> saturated_by_run(const Replicated& study, std::string_view metric) {
    std::vector<bool> out(study.runs.size(), false);
    if (!is_latency(path_within_service(metric))) return out;
    const auto place_of = [&study](std::string_view name) -> std::size_t {
        const auto found = std::lower_bound(study.metrics.begin(), study.metrics.end(), name);
        if (found == study.metrics.end() || *found != name) return study.metrics.size();
        return static_cast<std::size_t>(found - study.metrics.begin());
    };
    const std::size_t latency = place_of(metric);
    const std::size_t flag = place_of(saturation_of(metric));
    if (latency == study.metrics.size() || flag == study.metrics.size()) return out;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const Replication& run = study.runs[i];
        out[i] = run.values[latency] && run.values[flag].value_or(0) > 0;
    }
    return out;
}

int saturated_runs(const Replicated& study, std::string_view metric) {
    const std::vector<bool> runs = saturated_by_run(study, metric);
    return static_cast<int>(std::count(runs.begin(), runs.end(), true));
}

bool is_saturated(const Replicated& study, std::string_view metric) {
    return saturated_runs(study, metric) > 0;
}

const std::vector<std::string>& headline_metrics() {
    static const std::vector<std::string> metrics = {"latency.ttft_s.p99",
                                                     "latency.ttft_s.mean",
                                                     "latency.tpot_s.p99",
                                                     "latency.e2e_s.p99",
                                                     "latency.e2e_s.mean",
                                                     "slo.attainment",
                                                     "requests.failed",
                                                     "requests.rejected",
                                                     "requests.timed_out",
                                                     "throughput.requests_per_s",
                                                     "replicas.mean",
                                                     "replicas.max",
                                                     "scale_events.reversals",
                                                     "gpu.hours",
                                                     "cost.total",
                                                     "cost.per_million_output_tokens"};
    return metrics;
}

std::vector<std::string> precision_metrics(const Replicated& study) {
    std::vector<std::string> metrics;
    for (const char* latency : {"latency.ttft_s.mean", "latency.e2e_s.mean"}) {
        if (study.values(latency).empty()) continue;
        metrics.emplace_back(latency);
        break;
    }
    if (!study.values("slo.attainment").empty()) metrics.emplace_back("slo.attainment");
    return metrics;
}

std::vector<std::string> choose_metrics(const std::vector<std::string>& patterns,
                                        const std::vector<std::string>& known,
                                        std::vector<std::string>& messages) {
    std::vector<std::string> chosen;
    for (const std::string& pattern : patterns) {
        bool any = false;
        for (const std::string& metric : known) {
            if (!matches(metric, pattern)) continue;
            any = true;
            if (std::find(chosen.begin(), chosen.end(), metric) == chosen.end()) {
                chosen.push_back(metric);
            }
        }
        if (any) continue;
        messages.push_back(
            "expected a metric of the summary, the beginning of some up to a dot, or "
            "a pattern with *, found \"" +
            pattern + "\"" + scenarios::did_you_mean(nearest_name(pattern, known)));
    }
    return chosen;
}

}  // namespace headroom::analysis
