#include "policies/scaling/vpa/vpa_config.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

namespace headroom::policies {

namespace {

using control::ScalingFault;

ParameterSpec amounts_spec(std::string name, const std::string& help) {
    return ParameterSpec::object(
        std::move(name),
        {ParameterSpec::quantity("cpu", 0, "m", help).optional_without_default(),
         ParameterSpec::quantity("memory", 0, "bytes", help).optional_without_default()},
        help);
}

ParameterSpec container_policies_spec() {
    ParameterSpec controlled = ParameterSpec::list(
        "controlled_resources",
        ParameterSpec::choice("resource", {"cpu", "memory"}, "cpu", "a resource"),
        "resources that are recommended and changed; the others stay as they are");
    controlled.default_value = {std::make_shared<const ParameterValue::List>(
        ParameterValue::List{{std::string("cpu")}, {std::string("memory")}})};
    ParameterSpec policy = ParameterSpec::object(
        "policy",
        {ParameterSpec::text("container_name", "*", "\"*\": containers without a policy"),
         ParameterSpec::choice("mode", {"Auto", "Off"}, "Auto",
                               "Off: this container gets no recommendation"),
         amounts_spec("min_allowed", "a recommendation at least"),
         amounts_spec("max_allowed", "a recommendation at most"), std::move(controlled),
         ParameterSpec::choice("controlled_values", {"RequestsAndLimits", "RequestsOnly"},
                               "RequestsAndLimits",
                               "RequestsOnly: limits stay, and no request exceeds them; else they "
                               "grow in proportion")
             .optional_without_default(),
         amounts_spec("limits",
                      "the container's limit, where the pod does not state it; of two the less")},
        "what is allowed for one container");
    return ParameterSpec::list("container_policies", std::move(policy),
                               "what is allowed, by container");
}

ParameterSpec fraction(std::string name, double value, std::string help) {
    return ParameterSpec::number(std::move(name), value, std::move(help)).at_least(0).at_most(1);
}

ParameterSpec span(std::string name, Duration value, std::string help) {
    return ParameterSpec::duration(std::move(name), value, std::move(help)).at_least(1);
}

void add_estimator_specs(ParameterSpecs& specs, VpaResource resource) {
    const std::string name = name_of(resource);
    const VpaEstimator defaults = VpaEstimators{}.of[resource];
    specs.push_back(fraction("target_" + name + "_percentile", defaults.target_percentile,
                             "of the history, for the target"));
    specs.push_back(fraction("lower_bound_" + name + "_percentile", defaults.lower_percentile,
                             "of the history, for the lower bound"));
    specs.push_back(fraction("upper_bound_" + name + "_percentile", defaults.upper_percentile,
                             "of the history, for the upper bound"));
    specs.push_back(span("confidence_interval_" + name, defaults.confidence_interval,
                         "history of which the bounds are known well: confidence 1"));
    specs.push_back(ParameterSpec::quantity("pod_min_" + name, defaults.pod_minimum,
                                            resource == VpaResource::cpu ? "m" : "bytes",
                                            "recommended for a pod at least"));
}

VpaEstimator read_estimator(const Parameters& parameters, VpaResource resource) {
    const std::string name = name_of(resource);
    return {.lower_percentile = parameters.number("lower_bound_" + name + "_percentile"),
            .target_percentile = parameters.number("target_" + name + "_percentile"),
            .upper_percentile = parameters.number("upper_bound_" + name + "_percentile"),
            .confidence_interval = parameters.duration("confidence_interval_" + name),
            .pod_minimum = parameters.integer("pod_min_" + name)};
}

VpaPerResource<std::optional<std::int64_t>> read_amounts(const Parameters& parameters) {
    VpaPerResource<std::optional<std::int64_t>> amounts;
    for (const VpaResource resource : kVpaResources) {
        const char* name = name_of(resource);
        if (parameters.given(name)) amounts[resource] = parameters.integer(name);
    }
    return amounts;
}

/// One container policy and what is wrong with it, below `pointer`.
VpaContainerPolicy read_policy(const Parameters& parameters, const std::string& pointer,
                               std::vector<ScalingFault>& faults) {
    VpaContainerPolicy policy;
    policy.container_name = parameters.text("container_name");
    policy.off = parameters.text("mode") == "Off";
    policy.min_allowed = read_amounts(parameters.object("min_allowed"));
    policy.max_allowed = read_amounts(parameters.object("max_allowed"));
    policy.limits = read_amounts(parameters.object("limits"));
    if (policy.container_name.empty()) {
        faults.push_back({pointer + "/container_name",
                          "expected the name of a container, or \"*\" for the others, found \"\""});
    }
    for (const VpaResource resource : kVpaResources) {
        const auto& least = policy.min_allowed[resource];
        const auto& most = policy.max_allowed[resource];
        if (!least || !most || *least <= *most) continue;
        const char* unit = resource == VpaResource::cpu ? "m" : " bytes";
        faults.push_back({fmt::format("{}/min_allowed/{}", pointer, name_of(resource)),
                          fmt::format("expected at most max_allowed ({}{}), found {}{}", *most,
                                      unit, *least, unit)});
    }
    policy.controlled = {false, false};
    const auto& resources = parameters.list("controlled_resources");
    for (std::size_t i = 0; i < resources.size(); ++i) {
        const std::string& name = std::get<std::string>(resources[i].data);
        bool& controlled =
            name == name_of(VpaResource::cpu) ? policy.controlled.cpu : policy.controlled.memory;
        if (controlled) {
            faults.push_back({fmt::format("{}/controlled_resources/{}", pointer, i),
                              fmt::format("expected each resource once, found {} again", name)});
        }
        controlled = true;
    }
    if (resources.empty()) {
        faults.push_back({pointer + "/controlled_resources",
                          "expected cpu, memory or both, found none: mode Off leaves a container "
                          "alone"});
    }
    if (parameters.given("controlled_values")) {
        policy.requests_only = parameters.text("controlled_values") == "RequestsOnly";
        if (policy.off && !policy.requests_only) {
            faults.push_back({pointer + "/controlled_values",
                              "expected none where mode is Off, found RequestsAndLimits"});
        }
    }
    return policy;
}

void read_policies(const Parameters& parameters, VpaConfig& config) {
    const auto& list = parameters.list("container_policies");
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& fields = *std::get<std::shared_ptr<const Parameters>>(list[i].data);
        const std::string pointer = fmt::format("/container_policies/{}", i);
        VpaContainerPolicy policy = read_policy(fields, pointer, config.faults);
        for (std::size_t j = 0; j < i; ++j) {
            if (config.policies[j].container_name != policy.container_name) continue;
            config.faults.push_back({pointer + "/container_name",
                                     fmt::format("expected each container once, found \"{}\" as in "
                                                 "/container_policies/{}",
                                                 policy.container_name, j)});
            break;
        }
        config.policies.push_back(std::move(policy));
    }
}

void find_faults(VpaConfig& config) {
    for (const VpaResource resource : kVpaResources) {
        const VpaEstimator& estimator = config.estimators.of[resource];
        const char* name = name_of(resource);
        if (estimator.lower_percentile > estimator.target_percentile) {
            config.faults.push_back(
                {fmt::format("/lower_bound_{}_percentile", name),
                 fmt::format("expected at most target_{}_percentile ({}), found {}", name,
                             estimator.target_percentile, estimator.lower_percentile)});
        }
        if (estimator.upper_percentile < estimator.target_percentile) {
            config.faults.push_back(
                {fmt::format("/upper_bound_{}_percentile", name),
                 fmt::format("expected at least target_{}_percentile ({}), found {}", name,
                             estimator.target_percentile, estimator.upper_percentile)});
        }
    }
    if (config.updater_interval < config.recommender_interval) {
        config.faults.push_back(
            {"/updater_interval",
             fmt::format("expected at least recommender_interval ({} s), found {} s",
                         config.recommender_interval.to_seconds(),
                         config.updater_interval.to_seconds())});
    }
}

}  // namespace

ParameterSpecs vpa_parameter_specs() {
    const VpaUsageOptions usage;
    const VpaUpdateOptions update;
    ParameterSpecs specs = {
        ParameterSpec::choice("update_mode", {"Off", "Initial", "Recreate", "Auto"}, "Recreate",
                              "recommend only; change new pods; also evict (Auto is Recreate)"),
        control::replica_count("min_replicas", update.min_replicas,
                               "live pods from which on one may be evicted")
            .at_least(1),
        container_policies_spec(),
        span("recommender_interval", Duration::minutes(1),
             "time between two samples, with a recommendation each"),
        span("updater_interval", Duration::minutes(1), "time between two looks at what to evict"),
        fraction("eviction_tolerance", update.eviction_tolerance,
                 "of the replicas that may be away for an update"),
        ParameterSpec::number("pod_update_threshold", update.update_threshold,
                              "difference of the requests, as a fraction, that is worth an update")
            .at_least(0),
        ParameterSpec::duration("pod_lifetime_update_threshold", update.lifetime_threshold,
                                "within its bounds a pod is left alone so long"),
        span("evict_after_oom_threshold", update.oom_threshold,
             "a container killed for memory within this of its start is worth an update"),
        ParameterSpec::number("oom_bump_up_ratio", usage.oom_bump_up_ratio,
                              "what a container that was killed for memory counts to have used, as "
                              "a multiple of its request or peak")
            .at_least(1),
        ParameterSpec::quantity("oom_min_bump_up_bytes", usage.oom_min_bump_up.count(), "bytes",
                                "more than that request or peak, at least"),
        ParameterSpec::number("recommendation_margin_fraction", VpaEstimators{}.margin_fraction,
                              "added to what the history says")
            .at_least(0)};
    for (const VpaResource resource : kVpaResources) add_estimator_specs(specs, resource);
    specs.push_back(span("cpu_histogram_decay_half_life", usage.cpu_half_life,
                         "after which a sample counts half"));
    specs.push_back(span("memory_histogram_decay_half_life", usage.memory_half_life,
                         "after which a peak counts half"));
    specs.push_back(span("memory_aggregation_interval", usage.memory_interval,
                         "of which the peak of memory counts"));
    specs.push_back(ParameterSpec::integer("memory_aggregation_interval_count",
                                           usage.memory_intervals,
                                           "intervals without a sample that end a history")
                        .at_least(1));
    return specs;
}

VpaConfig read_vpa_config(const Parameters& parameters) {
    VpaConfig config;
    const std::string& mode = parameters.text("update_mode");
    config.mode = mode == "Off"       ? VpaUpdateMode::off
                  : mode == "Initial" ? VpaUpdateMode::initial
                                      : VpaUpdateMode::recreate;
    config.recommender_interval = parameters.duration("recommender_interval");
    config.updater_interval = parameters.duration("updater_interval");
    config.usage.cpu_half_life = parameters.duration("cpu_histogram_decay_half_life");
    config.usage.memory_half_life = parameters.duration("memory_histogram_decay_half_life");
    config.usage.memory_interval = parameters.duration("memory_aggregation_interval");
    config.usage.memory_intervals = parameters.integer("memory_aggregation_interval_count");
    config.usage.oom_bump_up_ratio = parameters.number("oom_bump_up_ratio");
    config.usage.oom_min_bump_up = Bytes{parameters.integer("oom_min_bump_up_bytes")};
    config.estimators.margin_fraction = parameters.number("recommendation_margin_fraction");
    for (const VpaResource resource : kVpaResources) {
        config.estimators.of[resource] = read_estimator(parameters, resource);
    }
    config.update = {.min_replicas = parameters.integer("min_replicas"),
                     .eviction_tolerance = parameters.number("eviction_tolerance"),
                     .update_threshold = parameters.number("pod_update_threshold"),
                     .lifetime_threshold = parameters.duration("pod_lifetime_update_threshold"),
                     .oom_threshold = parameters.duration("evict_after_oom_threshold")};
    read_policies(parameters, config);
    find_faults(config);
    return config;
}

}  // namespace headroom::policies
