#include "analysis/results/results_h5.hpp"

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "analysis/results/decisions_jsonl.hpp"
#include "analysis/results/hdf5_file.hpp"
#include "analysis/results/replica_series.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

double seconds(std::int64_t ps) {
    return Duration::picoseconds(ps).to_seconds();
}

void write_series(Hdf5Group& parent, const char* name, const metrics::TimeSeries& series) {
    std::vector<double> times;
    std::vector<std::int64_t> values;
    for (const auto& point : series.points()) {
        times.push_back(point.time.to_seconds());
        values.push_back(point.value);
    }
    Hdf5Group group = parent.create_group(name);
    group.write("time_s", times);
    group.write("value", values);
}

void write_histogram(Hdf5Group& parent, const char* name, const metrics::Histogram& histogram) {
    std::vector<double> low;
    std::vector<double> high;
    std::vector<std::uint64_t> counts;
    histogram.for_each_bucket([&](std::int64_t from, std::int64_t to, std::uint64_t count) {
        low.push_back(seconds(from));
        high.push_back(seconds(to));
        counts.push_back(count);
    });
    Hdf5Group group = parent.create_group(name);
    group.write("low_s", low);
    group.write("high_s", high);
    group.write("count", counts);
}

void write_part(Hdf5Group& parent, const serving::ServiceStats& stats,
                const ReplicaSeries& replicas) {
    Hdf5Group series = parent.create_group("series");
    write_series(series, "replicas", replicas.ready);
    write_series(series, "desired_replicas", replicas.desired);
    Hdf5Group histograms = parent.create_group("histograms");
    write_histogram(histograms, "e2e_s", stats.e2e);
    write_histogram(histograms, "ttft_s", stats.ttft);
    write_histogram(histograms, "tpot_s", stats.tpot);
    write_histogram(histograms, "itl_s", stats.itl);
    write_histogram(histograms, "queue_s", stats.queue);
}

/// The parts of a service's replicas: those of each workload, which are what is scaled.
void write_workloads(Hdf5Group& parent, const control::ControlResults& control,
                     std::uint32_t service) {
    Hdf5Group group = parent.create_group("workloads");
    for (const control::WorkloadResult& result : control.workloads) {
        if (result.service != service) continue;
        Hdf5Group series = group.create_group(result.name).create_group("series");
        write_series(series, "replicas", result.ready_replicas);
        write_series(series, "desired_replicas", result.desired_replicas);
    }
}

void write_profile(Hdf5Group& group, const serving::ProfileInfo& info) {
    group.set_attribute("profile_kind", info.kind);
    group.set_attribute("profile_name", info.name);
    group.set_attribute("profile_error_band", info.error_band);
}

void write_profiles(Hdf5Group& parent, const scenarios::Scenario& scenario,
                    const std::string& service) {
    std::vector<const scenarios::ProfileUse*> uses;
    for (const scenarios::ProfileUse& use : scenario.profiles) {
        if (use.service == service) uses.push_back(&use);
    }
    if (uses.size() == 1) {
        write_profile(parent, uses.front()->info);
    } else if (uses.size() > 1) {
        Hdf5Group versions = parent.create_group("versions");
        for (const scenarios::ProfileUse* use : uses) {
            Hdf5Group version = versions.create_group(use->version);
            write_profile(version, use->info);
        }
    }
}

void write_decisions(Hdf5Group& root, const std::vector<control::Decision>& decisions) {
    std::vector<double> times;
    std::vector<std::string> actors, subjects, abouts, outcomes, reasons, inputs;
    std::vector<std::int64_t> before, wanted, after;
    for (const control::Decision& decision : decisions) {
        times.push_back(decision.time.to_seconds());
        actors.push_back(decision.actor);
        subjects.push_back(decision.subject);
        abouts.emplace_back(to_string(decision.about));
        outcomes.emplace_back(to_string(decision.outcome));
        before.push_back(decision.before);
        wanted.push_back(decision.wanted);
        after.push_back(decision.after);
        reasons.push_back(decision.reason);
        inputs.push_back(decision.inputs);
    }
    Hdf5Group group = root.create_group("decisions");
    group.write("time_s", times);
    group.write("actor", actors);
    group.write("subject", subjects);
    group.write("about", abouts);
    group.write("outcome", outcomes);
    group.write("before", before);
    group.write("wanted", wanted);
    group.write("after", after);
    group.write("reason", reasons);
    group.write("inputs", inputs);
}

/// One column at a time, so that memory does not grow by a copy of the whole table.
template <class Value, class Get>
void write_column(Hdf5Group& group, const char* name, const std::vector<serving::RequestRow>& rows,
                  Get get) {
    std::vector<Value> values;
    values.reserve(rows.size());
    for (const serving::RequestRow& row : rows) values.push_back(get(row));
    group.write(name, values);
}

void write_requests(Hdf5Group& root, const SimulationSpec& spec, const SimulationResult& result) {
    using Row = serving::RequestRow;
    const std::vector<Row>& rows = result.rows;
    Hdf5Group group = root.create_group("requests");
    const auto moment = [](Time time) {
        return time == Time::max() ? std::numeric_limits<double>::quiet_NaN() : time.to_seconds();
    };
    const auto whole = [&](const char* name, auto get) {
        write_column<std::int64_t>(group, name, rows, get);
    };
    std::vector<std::string> services;
    for (const serving::ServiceSpec& service : spec.services) services.push_back(service.name);
    std::vector<std::string> sources;
    for (const serving::SourceSpec& source : spec.sources) sources.push_back(source.name);
    std::vector<std::string> outcomes;
    for (std::size_t i = 0; i < serving::kOutcomeCount; ++i) {
        outcomes.emplace_back(serving::to_string(static_cast<serving::Outcome>(i)));
    }
    // Names stand once; rows refer to them by their place in these lists.
    std::vector<std::string> pods;
    std::map<std::string, std::int64_t> place_of;         // in pods; one may be several instances
    std::vector<std::vector<std::int64_t>> instance_pod;  // by service and ordinal
    for (const std::vector<std::string>& of_service : result.control.instance_pods) {
        std::vector<std::int64_t>& places = instance_pod.emplace_back();
        for (const std::string& name : of_service) {
            const auto [at, added] = place_of.emplace(name, static_cast<std::int64_t>(pods.size()));
            if (added) pods.push_back(name);
            places.push_back(at->second);
        }
    }
    group.write("service_names", services);
    group.write("source_names", sources);
    group.write("outcome_names", outcomes);
    group.write("pod_names", pods);
    whole("id", [](const Row& row) { return static_cast<std::int64_t>(row.id); });
    whole("source", [](const Row& row) { return row.source; });
    whole("service", [](const Row& row) { return row.service; });
    write_column<double>(group, "arrival_s", rows,
                         [&](const Row& row) { return moment(row.arrival); });
    write_column<double>(group, "first_scheduled_s", rows,
                         [&](const Row& row) { return moment(row.first_scheduled); });
    write_column<double>(group, "first_token_s", rows,
                         [&](const Row& row) { return moment(row.first_token); });
    write_column<double>(group, "finish_s", rows,
                         [&](const Row& row) { return moment(row.finish); });
    whole("prompt_tokens", [](const Row& row) { return row.prompt_tokens; });
    whole("output_tokens", [](const Row& row) { return row.output_tokens; });
    whole("preemptions", [](const Row& row) { return row.preemptions; });
    whole("pod", [&](const Row& row) {
        return row.instance == Row::kNoInstance ? -1 : instance_pod[row.service][row.instance];
    });
    whole("outcome", [](const Row& row) { return static_cast<std::int64_t>(row.outcome); });
}

}  // namespace

void write_results_h5(const std::filesystem::path& path, const scenarios::Scenario& scenario,
                      const SimulationResult& result, bool with_requests) {
    Hdf5File file = Hdf5File::create(path);
    {
        Hdf5Group root = file.root();
        root.set_attribute("version", std::string(program_version()));
        root.set_attribute("scenario", scenario.name);
        root.set_attribute("scenario_hash", scenario.hash);
        root.set_attribute("seed", scenario.spec.seed);
        root.set_attribute("digest", result.digest.hex());
        root.set_attribute("simulated_s", result.end.to_seconds());
        root.set_attribute("measure_from_s", result.measure_from.to_seconds());
        Hdf5Group services = root.create_group("services");
        for (std::uint32_t i = 0; i < result.services.size(); ++i) {
            Hdf5Group service = services.create_group(result.services[i].name);
            write_part(service, result.services[i].stats, replica_series(result.control, i));
            write_workloads(service, result.control, i);
            write_profiles(service, scenario, result.services[i].name);
        }
        Hdf5Group total = root.create_group("total");
        write_part(total, result.total, replica_series(result.control, std::nullopt));
        write_decisions(root, result.control.decisions);
        if (with_requests) write_requests(root, scenario.spec, result);
    }
    file.close();
}

}  // namespace headroom::analysis
