#include "scenarios/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "scenarios/build.hpp"
#include "scenarios/check.hpp"
#include "scenarios/format.hpp"
#include "scenarios/merge.hpp"
#include "scenarios/quantities.hpp"
#include "scenarios/trace_override.hpp"
#include "sim/control/control_plane.hpp"
#include "sim/control/node_pool.hpp"
#include "sim/core/hash.hpp"
#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

/// Multiplies what the document says; something else than a number is told when it is checked.
void scale_rates(LocatedJson& document, double times) {
    if (times == 1 || !document.value().is_object()) return;
    json& entry = document.value()["rate_scale"];
    if (!entry.is_null() && !entry.is_number()) return;
    const double scale = (entry.is_number() ? entry.get<double>() : 1.0) * times;
    entry = scale;
    // As a file would have it: the hash must not tell 6 from 6.0.
    if (scale == std::floor(scale) && std::abs(scale) < 9e15) {
        entry = static_cast<std::int64_t>(scale);
    }
    document.set_location("/rate_scale", {"--rate-scale", 0, 0});
}

bool apply_options(LocatedJson& document, const LoadOptions& options, Diagnostics& diagnostics) {
    bool good = true;
    for (const std::string& patch : options.patches) {
        good = apply_patch_file(document, patch, diagnostics) && good;
    }
    for (const std::string& trace : options.traces) {
        good = override_trace(document, trace, diagnostics) && good;
    }
    if (options.seed && document.value().is_object()) {
        document.value()["seed"] = *options.seed;
        document.set_location("/seed", {"--seed", 0, 0});
    }
    for (const std::string& assignment : options.sets) {
        good = apply_set(document, scenario_format(), assignment, diagnostics) && good;
    }
    scale_rates(document, options.rate_scale.value_or(1));
    return good;
}

void build_run(BuildContext& context, const Parameters& top, SimulationSpec& spec) {
    spec.seed = static_cast<std::uint64_t>(top.integer("seed"));
    spec.drain = top.boolean("drain");
    spec.measure_from = Time::zero() + top.duration("measure_from");
    context.seed = spec.seed;
    context.rate_scale = top.number("rate_scale");
    if (top.given("duration")) {
        const Time end = Time::zero() + top.duration("duration");
        context.sources_end = end;
        if (!spec.drain) spec.end = end;
        if (spec.measure_from >= end) {
            context.complain("/measure_from",
                             fmt::format("expected a time before the end of the run ({}), found {}",
                                         format_duration(end - Time::zero()),
                                         format_duration(spec.measure_from - Time::zero())));
        }
    } else if (spec.drain) {
        context.only_drains = !context.written("/duration");
    } else if (context.clean("/duration")) {
        context.complain("", "expected \"duration\" or \"drain\": true, so that the run ends");
    }
}

void build_services_and_sources(BuildContext& context, const Parameters& top, SimulationSpec& spec,
                                std::vector<SourceLoad>& loads) {
    if (top.given("services")) {
        std::uint32_t index = 0;
        for (const auto& [name, value] : top.object("services").values()) {
            spec.services.push_back(build_service(context, name, object_of(value)));
            for (auto& workload : build_workloads(context, index, object_of(value))) {
                spec.control.workloads.push_back(std::move(workload));
            }
            ++index;
        }
        if (index == 0 && context.clean("/services")) {
            context.complain("/services", "expected a service");
        }
        check_calls(context, spec.services);
    }
    if (top.given("sources")) {
        for (const auto& [name, value] : top.object("sources").values()) {
            loads.emplace_back();
            spec.sources.push_back(
                build_source(context, name, object_of(value), spec.services, loads.back()));
        }
        if (spec.sources.empty() && context.clean("/sources")) {
            context.complain("/sources", "expected a source");
        }
    }
}

void warn_about_idle_services(BuildContext& context, const SimulationSpec& spec) {
    for (std::uint32_t i = 0; i < spec.services.size(); ++i) {
        const bool fed = std::any_of(spec.sources.begin(), spec.sources.end(),
                                     [i](const auto& source) { return source.service == i; });
        const bool called = std::any_of(
            spec.services.begin(), spec.services.end(), [i](const serving::ServiceSpec& service) {
                return std::find(service.calls.begin(), service.calls.end(), i) !=
                       service.calls.end();
            });
        if (!fed && !called) {
            context.warnings.push_back("service " + spec.services[i].name +
                                       " gets no requests: no source and no service names it");
        }
    }
}

void build_cluster(BuildContext& context, const Parameters& top, control::ControlSpec& control) {
    control.initial =
        top.text("initial") == "cold" ? control::InitialState::cold : control::InitialState::ready;
    if (top.given("node_pools")) {
        for (const auto& [name, value] : top.object("node_pools").values()) {
            control.pools.push_back(build_node_pool(context, name, object_of(value)));
        }
    } else if (!context.has_node_pools) {
        control.pools.push_back(implicit_pool(control.workloads));
    }
    const Parameters& metrics = top.object("metrics");
    control.metrics = {metrics.duration("scrape_interval"), metrics.duration("scrape_phase"),
                       metrics.duration("delay"), metrics.duration("window")};
    if (control.metrics.window < control.metrics.scrape_interval) {
        context.complain("/metrics/window", "expected at least the scrape interval of " +
                                                format_duration(control.metrics.scrape_interval) +
                                                ": a rate is taken between two samples, found " +
                                                format_duration(control.metrics.window));
    }
    if (top.given("scheduling")) {
        control.scheduling = choice_of(top.object("scheduling"), "policy");
    }
    const Parameters& network = top.object("network");
    control.registry_bytes_per_s = network.integer("registry_bandwidth");
    control.weights_store_bytes_per_s = network.integer("weights_store_bandwidth");
    for (const auto& [name, value] : top.object("faults").values()) {
        control.faults.push_back(
            build_fault(context, join_pointer("/faults", name), object_of(value), control));
        if (context.sources_end && control.faults.back().at >= *context.sources_end) {
            context.warnings.push_back("fault " + name + " lies after the end of the load");
        }
    }
}

/// A pod that nothing could ever hold would wait for ever.
void check_schedulable(BuildContext& context, const control::ControlSpec& control) {
    if (!context.diagnostics.empty()) return;
    for (const std::string& message : control::unschedulable_workloads(control)) {
        const std::string workload = message.substr(0, message.find(':'));
        const auto found =
            std::find_if(control.workloads.begin(), control.workloads.end(),
                         [&](const auto& candidate) { return candidate.name == workload; });
        const std::string& service =
            found == control.workloads.end() ? workload : context.services[found->service];
        context.complain(
            join_pointer("/services", service) + "/pod",
            "expected a pod that an empty node of some node pool can hold, found " + message);
    }
}

/// A topology that no node is part of: kube-scheduler places no pod by it, or leaves it aside.
void warn_about_topology(BuildContext& context, const control::ControlSpec& control) {
    const std::vector<std::string> labels = control::node_label_names(control);
    for (const control::WorkloadSpec& workload : control.workloads) {
        if (workload.version != 0) continue;  // the pod is the service's
        for (const cluster::TopologySpread& spread : workload.pod.topology_spread) {
            if (std::binary_search(labels.begin(), labels.end(), spread.topology_key)) continue;
            const bool must =
                spread.when_unsatisfiable == cluster::WhenUnsatisfiable::do_not_schedule;
            context.warnings.push_back(fmt::format(
                "service {}: no node has the label \"{}\" of its topology_spread: {} (labels of "
                "nodes: {})",
                context.services[workload.service], shortened(spread.topology_key, 60),
                must ? "its pods are never placed" : "no ScheduleAnyway of it has an effect",
                shortened(fmt::format("{}", fmt::join(labels, ", ")), 400)));
        }
    }
}

/// A pool without zones lies in one that no file names: to a spread over the zones of the other
/// pools it is one more domain, and the emptiest for good where no pod can run.
void warn_about_unnamed_zone(BuildContext& context, const control::ControlSpec& control) {
    const std::string key(cluster::kZoneLabel);
    std::set<std::string> named;
    for (const control::NodePoolSpec& pool : control.pools) {
        named.insert(pool.zones.begin(), pool.zones.end());
    }
    const auto spreads_over_zones = [&key](const control::WorkloadSpec& workload) {
        const std::vector<cluster::TopologySpread>& all = workload.pod.topology_spread;
        return std::any_of(all.begin(), all.end(), [&key](const cluster::TopologySpread& spread) {
            return spread.topology_key == key &&
                   spread.when_unsatisfiable == cluster::WhenUnsatisfiable::do_not_schedule;
        });
    };
    for (const control::NodePoolSpec& pool : control.pools) {
        if (!pool.zones.empty() || pool.node.labels.count(key) > 0 || pool.count == 0) continue;
        const cluster::Labels labels = control::NodePools::node_spec(pool, 0).labels;
        const std::string& zone = labels.at(key);
        if (named.empty() || named.count(zone) > 0) continue;
        for (const control::WorkloadSpec& workload : control.workloads) {
            if (workload.version != 0 || !spreads_over_zones(workload)) continue;
            if (!cluster::matches_all(workload.pod.node_selector, labels)) continue;
            context.warnings.push_back(fmt::format(
                "service {}: node pool {} has no \"zones\": to the service's topology_spread it is "
                "one more zone (\"{}\"), whether its pods can run there or not",
                context.services[workload.service], pool.name, zone));
        }
    }
}

void build_expectations(BuildContext& context, const Parameters& top, Scenario& scenario) {
    // Of what cannot be read nothing else is said.
    std::vector<std::string> services = context.unreadable_services();
    services.insert(services.begin(), context.services.begin(), context.services.end());
    for (const auto& [subject, value] : top.object("expect").values()) {
        if (context.services_are_unreadable() && subject.starts_with("services.")) continue;
        std::string error;
        bool in_condition = false;
        auto expectation = parse_expectation(subject, std::get<std::string>(value.data), services,
                                             error, in_condition);
        if (expectation && std::max(expectation->from, expectation->to) > scenario.spec.end) {
            context.complain(join_pointer("/expect", subject),
                             "expected a time within the run, which ends at " +
                                 format_duration(scenario.spec.end - Time::zero()) +
                                 "; nothing is measured later");
        } else if (expectation) {
            scenario.expectations.push_back(std::move(*expectation));
        } else {
            context.complain(join_pointer("/expect", subject), std::move(error));
        }
    }
}

void build_header(BuildContext& context, const Parameters& top, const std::string& path,
                  Scenario& scenario) {
    scenario.name =
        top.given("name") ? top.text("name") : std::filesystem::path(path).stem().string();
    scenario.description = top.text("description");
    scenario.currency = top.text("currency");
    scenario.rate_scale = top.number("rate_scale");
    scenario.spec.name = scenario.name;
    if (top.given("start")) {
        const Parsed<std::int64_t> start = parse_utc(top.text("start"));
        if (start) {
            scenario.start_unix_s = start.value;
            scenario.spec.control.start_unix_s = start.value;
        } else {
            context.complain("/start", start.expected + ", found \"" + top.text("start") + "\"");
        }
    }
    scenario.canonical = context.document.value().dump();
    scenario.hash = fmt::format("{:016x}", hash_name(scenario.canonical));
}

}  // namespace

LoadResult load_scenario(const std::string& path, const LoadOptions& options) {
    LoadResult result;
    Diagnostics& diagnostics = result.diagnostics;
    std::optional<LocatedJson> document = load_with_extends(path, diagnostics);
    if (!document) return result;
    apply_options(*document, options, diagnostics);
    const Parameters top = check_document(*document, scenario_format(), diagnostics);
    const auto catalogue =
        options.catalogue ? options.catalogue : Catalogue::load_default(diagnostics);
    if (catalogue == nullptr || !document->value().is_object()) {
        sort_diagnostics(diagnostics);
        return result;
    }

    Scenario scenario;
    BuildContext context{*document, *catalogue, diagnostics, scenario.warnings};
    context.has_node_pools = document->value().contains("node_pools");
    context.has_calendar = top.given("start");
    if (top.given("services")) {
        for (const auto& [name, value] : top.object("services").values()) {
            context.services.push_back(name);
        }
    }
    build_header(context, top, path, scenario);
    build_run(context, top, scenario.spec);
    build_services_and_sources(context, top, scenario.spec, scenario.loads);
    build_cluster(context, top, scenario.spec.control);
    build_expectations(context, top, scenario);
    check_schedulable(context, scenario.spec.control);
    sort_diagnostics(diagnostics);
    if (!diagnostics.empty()) return result;

    warn_about_idle_services(context, scenario.spec);
    warn_about_topology(context, scenario.spec.control);
    warn_about_unnamed_zone(context, scenario.spec.control);
    for (const BrokenProfile& broken : catalogue->broken_profiles()) {
        scenario.warnings.push_back(broken.text() + "; it is left out");
    }
    for (const serving::ServiceSpec& service : scenario.spec.services) {
        for (const serving::VersionSpec& version : service.versions) {
            if (version.engine.llm) {
                scenario.profiles.push_back(
                    {service.name, version.name, version.engine.llm->profile});
            } else if (version.engine.dynamic) {
                scenario.profiles.push_back(
                    {service.name, version.name, version.engine.dynamic->profile});
            }
        }
    }
    result.scenario = std::move(scenario);
    return result;
}

}  // namespace headroom::scenarios
