// Autoscalers of services: what they ask for must exist, and what can never act is warned of.

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "scenarios/build.hpp"
#include "sim/control/metric_names.hpp"
#include "sim/control/scaling_policy.hpp"

namespace headroom::scenarios {

namespace {

/// Where in the file a thing below `pointer` is written; where it is a default, the policy itself.
std::string written_at(const BuildContext& context, const std::string& pointer,
                       const std::string& below) {
    const std::string whole = pointer + below;
    return context.written(whole) ? whole : pointer;
}

/// Every metric that the policy will ask for must exist in the kind it asks for.
void check_metrics(BuildContext& context, const std::string& pointer,
                   const control::ScalingPolicy& policy) {
    for (const control::MetricRequest& request : policy.metrics()) {
        const bool resource = request.kind == control::MetricKind::resource ||
                              request.kind == control::MetricKind::container_resource;
        const control::MetricInfo* info = control::find_metric(request.name);
        const bool is_resource = info != nullptr && info->scope == control::MetricScope::resource;
        const bool is_service = info != nullptr && info->scope == control::MetricScope::service;
        const bool is_pods = request.kind == control::MetricKind::pods;
        if (info != nullptr && is_resource == resource && !(is_service && is_pods)) {
            const bool windowed = info->shape == control::MetricShape::rate ||
                                  info->shape == control::MetricShape::mean;
            if (request.live && windowed) {
                context.complain(written_at(context, pointer, request.pointer),
                                 fmt::format("expected a gauge or a counter, for it is read live; "
                                             "\"{}\" needs a window",
                                             request.name));
            }
            continue;
        }
        std::vector<std::string> valid;
        for (const control::MetricInfo& candidate : control::all_metrics()) {
            if ((candidate.scope == control::MetricScope::resource) != resource) continue;
            if (is_pods && candidate.scope == control::MetricScope::service) continue;
            valid.emplace_back(candidate.name);
        }
        const char* kind = resource  ? "a resource metric"
                           : is_pods ? "a metric of pods"
                                     : "a metric of pods or the service";
        context.unknown_name(written_at(context, pointer, request.pointer), kind, request.name,
                             valid);
    }
}

}  // namespace

std::optional<control::AutoscalerSpec> build_autoscaler(BuildContext& context,
                                                        const std::string& owner_pointer,
                                                        const Parameters& owner,
                                                        const std::string& key) {
    if (!owner.given(key)) return std::nullopt;
    const std::string pointer = join_pointer(owner_pointer, key);
    const Parameters& parameters = owner.object(key);
    control::AutoscalerSpec out;
    out.policy = choice_of(parameters, "policy");
    out.phase = parameters.duration("phase");
    if (!context.clean(pointer)) return out;
    const auto policy = make_policy<control::ScalingPolicy>(out.policy, PolicyContext{});
    const std::string needed = policy->scales_replicas() ? "autoscaling" : "vertical_autoscaling";
    if (key != needed) {
        context.complain(pointer + "/policy",
                         fmt::format("expected {}, where \"{}\" belongs, found {}", needed,
                                     out.policy.name, key));
    }
    check_metrics(context, pointer, *policy);
    for (const control::ScalingFault& fault : policy->faults()) {
        context.complain(written_at(context, pointer, fault.pointer), fault.expectation);
    }
    for (const std::string& below : policy->needs_calendar()) {
        if (context.has_calendar) break;
        context.complain(written_at(context, pointer, below),
                         "expected the scenario's \"start\", such as \"2026-01-05T00:00:00Z\", "
                         "which a cron schedule needs; found none");
    }
    return out;
}

namespace {

/// Where the name of a metric stands beside that of its container.
std::string container_pointer(const control::MetricRequest& request) {
    return request.pointer.substr(0, request.pointer.rfind('/')) + "/container";
}

/// A pod has one container, which is named as its service in all versions and as its workload too.
void check_containers(BuildContext& context, const std::string& pointer, const std::string& service,
                      const std::vector<control::MetricRequest>& metrics,
                      const std::vector<control::WorkloadSpec>& workloads) {
    std::vector<std::string> names{service};
    for (const control::WorkloadSpec& workload : workloads) names.push_back(workload.name);
    for (const control::MetricRequest& request : metrics) {
        if (request.kind != control::MetricKind::container_resource) continue;
        if (request.container == service) continue;
        if (std::find(names.begin(), names.end(), request.container) == names.end()) {
            context.unknown_name(written_at(context, pointer, container_pointer(request)),
                                 "the name of the pods' container", request.container, names);
        } else {
            context.warnings.push_back(fmt::format(
                "service {0}: only the pods of one version have the container {1}, those of all "
                "have {0}: the autoscalers of the others have nothing to go by",
                service, request.container));
        }
    }
}

/// There is no share of a request that is not made: such a metric fails at each tick.
void warn_of_missing_requests(BuildContext& context, const std::string& service,
                              const control::WorkloadSpec& workload,
                              const std::vector<control::MetricRequest>& metrics) {
    if (workload.vertical_autoscaler) return;  // it is what makes the requests
    const auto lacks = [&](const control::MetricRequest& request, std::string_view resource) {
        const cluster::Resources& made = workload.pod.requests;
        return request.share_of_requests && request.name == resource &&
               (resource == "cpu" ? made.cpu.count() : made.memory.count()) == 0;
    };
    std::vector<std::string_view> missing;
    std::size_t failing = 0;
    for (const std::string_view resource : {"cpu", "memory"}) {
        const auto count = static_cast<std::size_t>(
            std::count_if(metrics.begin(), metrics.end(),
                          [&](const auto& request) { return lacks(request, resource); }));
        if (count > 0) missing.push_back(resource);
        failing += count;
    }
    if (missing.empty()) return;
    context.warnings.push_back(
        fmt::format("service {}: its autoscaler goes by the share of what the pods request, and "
                    "\"pod/requests\" has no {}: {}",
                    service, fmt::join(missing, " and no "),
                    failing == metrics.size() ? "it can never tell the load, nor act on it"
                                              : "while a metric fails it only ever adds replicas"));
}

/// What a version's engine never measures fails at each tick, or is 0 at each.
void warn_of_engine(BuildContext& context, const std::string& name, const Parameters& service,
                    const std::vector<control::MetricRequest>& metrics) {
    std::vector<std::string> of_llms;
    for (const control::MetricRequest& request : metrics) {
        const control::MetricInfo* info = control::find_metric(request.name);
        if (info == nullptr || !info->llm_only) continue;
        if (std::find(of_llms.begin(), of_llms.end(), request.name) != of_llms.end()) continue;
        of_llms.push_back(request.name);
    }
    if (of_llms.empty()) return;
    for (const VersionParameters& version : versions_of(name, service)) {
        if (version.parameters->given("engine")) continue;
        context.warnings.push_back(fmt::format(
            "service {}: its autoscaler goes by {}, which only an \"engine\" has: a \"{}\"{} never "
            "shows a value above 0",
            name, fmt::join(of_llms, ", "),
            version.parameters->given("simple") ? "simple" : "dynamic_batching",
            version.alone ? "" : fmt::format(" (version {})", version.name)));
    }
}

void warn_of_zero_replicas(BuildContext& context, const std::string& service,
                           const std::vector<control::WorkloadSpec>& workloads) {
    for (const control::WorkloadSpec& workload : workloads) {
        if (workload.replicas > 0) continue;
        context.warnings.push_back(fmt::format(
            "service {}: {} takes no part while there are 0 replicas, unless its minimum is 0: {} "
            "never has a pod",
            service, workload.autoscaler->policy.name, workload.name));
    }
}

}  // namespace

void check_autoscaling(BuildContext& context, const std::string& name, const Parameters& service,
                       const std::vector<control::WorkloadSpec>& workloads) {
    const std::string pointer = join_pointer("/services", name) + "/autoscaling";
    if (workloads.empty() || !workloads.front().autoscaler || !context.clean(pointer)) return;
    const auto policy =
        make_policy<control::ScalingPolicy>(workloads.front().autoscaler->policy, PolicyContext{});
    const std::vector<control::MetricRequest> metrics = policy->metrics();
    check_containers(context, pointer, name, metrics, workloads);
    warn_of_engine(context, name, service, metrics);
    warn_of_missing_requests(context, name, workloads.front(), metrics);
    if (!policy->starts_from_zero()) warn_of_zero_replicas(context, name, workloads);
}

}  // namespace headroom::scenarios
