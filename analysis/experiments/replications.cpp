#include "analysis/experiments/replications.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/experiments/parallel_for.hpp"
#include "analysis/results/summary.hpp"
#include "analysis/results/summary_metrics.hpp"
#include "scenarios/metric_paths.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kNoFailure = std::numeric_limits<int>::max();

/// Where each metric of a scenario stands: looked up by service once, not by name each time.
struct MetricPlace {
    std::string name;
    std::optional<std::size_t> service;  ///< nothing: the top level
    std::string path;                    ///< below it
};

std::vector<MetricPlace> metric_places(const scenarios::Scenario& scenario) {
    std::vector<MetricPlace> places;
    for (const std::string& path : scenarios::summary_metric_paths({})) {
        places.push_back({path, std::nullopt, path});
    }
    for (std::size_t i = 0; i < scenario.spec.services.size(); ++i) {
        const std::string prefix = "services." + scenario.spec.services[i].name + ".";
        for (const std::string& path : scenarios::service_metric_paths()) {
            places.push_back({prefix + path, i, path});
        }
    }
    std::sort(places.begin(), places.end(),
              [](const MetricPlace& a, const MetricPlace& b) { return a.name < b.name; });
    return places;
}

std::vector<std::optional<double>> read_metrics(const Json& summary,
                                                const std::vector<MetricPlace>& places) {
    std::vector<const Json*> services;
    for (const auto& entry : summary.at("services").items()) services.push_back(&entry.value());
    std::vector<std::optional<double>> values;
    values.reserve(places.size());
    for (const MetricPlace& place : places) {
        const Json& part = place.service ? *services[*place.service] : summary;
        values.push_back(summary_number(part, place.path));
    }
    return values;
}

Replication measure(const scenarios::Scenario& scenario, const SimulationResult& result,
                    const std::vector<MetricPlace>& places) {
    Json summary = build_summary(scenario, result);
    Replication out;
    out.seed = scenario.spec.seed;
    out.digest = result.digest.hex();
    out.saturated = result.saturated;
    out.values = read_metrics(summary, places);
    out.expectations = check_expectations(scenario, result, summary);
    return out;
}

std::vector<std::string> names_of(std::vector<MetricPlace> places) {
    std::vector<std::string> names;
    for (MetricPlace& place : places) names.push_back(std::move(place.name));
    return names;
}

/// One scenario's replications while they are made.
class Study {
  public:
    Study(const scenarios::Scenario& scenario, const ReplicationOptions& options)
        : scenario_(scenario),
          options_(options),
          places_(metric_places(scenario)),
          runs_(static_cast<std::size_t>(options.count)) {}

    /// The replication `place` places after the first. From any thread.
    void run(int place) {
        if (place > failed_at_.load(std::memory_order_relaxed)) return;
        const int index = options_.first + place;
        scenarios::Scenario seeded = scenario_;
        seeded.spec.seed = replication_seed(scenario_.spec.seed, index);
        RunOptions options;
        options.exact_steps = options_.exact_steps;
        options.stop = options_.stop;
        SimulationResult result = Simulation(seeded.spec).run(options);
        if (result.status != RunStatus::finished) {
            fail(place, result.status, std::move(result.error));
            return;
        }
        Replication& out = runs_[static_cast<std::size_t>(place)];
        out = measure(seeded, result, places_);
        if (options_.decisions_of == index) {
            out.decisions = std::move(result.control.decisions);
        }
    }

    /// After all have ended; `all_started` is false when the stop signal kept some from starting.
    Replicated finish(bool all_started) {
        Replicated out;
        out.status = status_;
        out.error = std::move(error_);
        if (out.status == RunStatus::finished && !all_started) out.status = RunStatus::interrupted;
        out.metrics = names_of(std::move(places_));
        if (out.status == RunStatus::finished) out.runs = std::move(runs_);
        return out;
    }

  private:
    /// Later replications are skipped from now on, earlier ones end: so the one that is told does
    /// not depend on who came first.
    void fail(int place, RunStatus status, std::string error) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (place >= failed_at_.load(std::memory_order_relaxed)) return;
        failed_at_.store(place, std::memory_order_relaxed);
        status_ = status;
        error_ = std::move(error);
    }

    const scenarios::Scenario& scenario_;
    const ReplicationOptions& options_;
    std::vector<MetricPlace> places_;
    std::vector<Replication> runs_;
    std::mutex mutex_;
    std::atomic<int> failed_at_{kNoFailure};  ///< place of the first replication that failed
    RunStatus status_ = RunStatus::finished;
    std::string error_;
};

}  // namespace

std::vector<double> Replicated::values(std::string_view metric) const {
    const auto found = std::lower_bound(metrics.begin(), metrics.end(), metric);
    if (found == metrics.end() || *found != metric) return {};
    const auto at = static_cast<std::size_t>(found - metrics.begin());
    std::vector<double> out;
    for (const Replication& run : runs) {
        if (!run.values[at]) return {};
        out.push_back(*run.values[at]);
    }
    return out;
}

bool Replicated::saturated() const {
    return std::any_of(runs.begin(), runs.end(),
                       [](const Replication& run) { return run.saturated; });
}

Replicated study_of(const scenarios::Scenario& scenario, const SimulationResult& result) {
    Replicated out;
    out.status = result.status;
    out.error = result.error;
    std::vector<MetricPlace> places = metric_places(scenario);
    if (out.status == RunStatus::finished) {
        out.runs.push_back(measure(scenario, result, places));
        out.runs.front().decisions = result.control.decisions;
    }
    out.metrics = names_of(std::move(places));
    return out;
}

std::uint64_t replication_seed(std::uint64_t seed, int index) {
    return seed + static_cast<std::uint64_t>(index);
}

Replicated replicate(const scenarios::Scenario& scenario, const ReplicationOptions& options) {
    return std::move(replicate_all({&scenario}, options).front());
}

std::vector<Replicated> replicate_all(const std::vector<const scenarios::Scenario*>& scenarios,
                                      const ReplicationOptions& options) {
    HEADROOM_CHECK(options.first >= 0 && options.count >= 0,
                   "replications are counted from 0 upwards");
    std::vector<std::unique_ptr<Study>> studies;
    for (const scenarios::Scenario* scenario : scenarios) {
        studies.push_back(std::make_unique<Study>(*scenario, options));
    }
    std::mutex progress_mutex;
    int finished = 0;
    const auto piece = [&](std::size_t at) {
        studies[at % studies.size()]->run(static_cast<int>(at / studies.size()));
        if (!options.progress) return;
        const std::lock_guard<std::mutex> lock(progress_mutex);
        options.progress(++finished);
    };
    const std::size_t pieces = studies.size() * static_cast<std::size_t>(options.count);
    const bool all_started = parallel_for(pieces, options.threads, piece, options.stop);
    std::vector<Replicated> out;
    for (auto& study : studies) out.push_back(study->finish(all_started));
    return out;
}

void append(Replicated& study, Replicated more) {
    if (study.status != RunStatus::finished) return;
    if (more.status != RunStatus::finished || study.metrics.empty()) {
        study = std::move(more);
        return;
    }
    HEADROOM_CHECK(study.metrics == more.metrics, "replications of one scenario are appended");
    std::move(more.runs.begin(), more.runs.end(), std::back_inserter(study.runs));
}

}  // namespace headroom::analysis
