#include "policies/scaling/hpa/hpa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "policies/scaling/decision_text.hpp"
#include "policies/scaling/invalid_decision.hpp"

namespace headroom::policies {

namespace {

using control::MetricKind;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

ParameterSpec target_spec() {
    ParameterSpec value;
    value.name = "value";
    value.type = ParameterType::quantity;
    value.unit = "m";
    value.help = "per cent for Utilization, else a quantity of the metric (\"500m\", 20, \"8Gi\")";
    return ParameterSpec::object(
        "target",
        {ParameterSpec::choice("type", {"Utilization", "AverageValue", "Value"}, "Utilization",
                               "per cent of the requests; mean per pod; the whole value"),
         std::move(value).required().above(0)},
        "what the metric should be");
}

ParameterSpec metrics_spec() {
    std::vector<ParameterSpec> fields = {
        ParameterSpec::choice("type",
                              {"Resource", "ContainerResource", "Pods", "Object", "External"},
                              "Resource", "where the metric comes from"),
        ParameterSpec::text("name", "cpu", "a resource (cpu, memory) or the name of a metric"),
        ParameterSpec::text("container", "",
                            "for ContainerResource: the pods' container, named as the service, "
                            "or as the workload where only one version is meant"),
        target_spec()};
    Parameters target = Parameters::defaults(fields.back().fields);
    target.set("value", {std::int64_t{80'000}});
    Parameters cpu = Parameters::defaults(fields);
    cpu.set("target", {std::make_shared<const Parameters>(std::move(target))});
    fields.back() = std::move(fields.back()).required();

    ParameterSpec element = ParameterSpec::object("metric", std::move(fields), "one metric");
    ParameterSpec list = ParameterSpec::list(
        "metrics", std::move(element),
        "the largest proposal decides; by default, and when empty, cpu at 80 %");
    list.default_value = {std::make_shared<const ParameterValue::List>(
        ParameterValue::List{ParameterValue{std::make_shared<const Parameters>(std::move(cpu))}})};
    return list;
}

ParameterSpec policies_spec(const HpaScalingRules& defaults) {
    ParameterSpec element = ParameterSpec::object(
        "policy",
        {ParameterSpec::choice("type", {"Pods", "Percent"}, "Pods",
                               "whether value counts pods or per cent of the replicas"),
         ParameterSpec::integer("value", 0, "change allowed per period").required().at_least(1),
         ParameterSpec::duration("period", Duration::seconds(15), "span that the change counts in")
             .at_least(1)
             .at_most(1800)},
        "one rate limit");
    ParameterSpec list = ParameterSpec::list("policies", std::move(element),
                                             "rate limits; a list given here replaces the default");
    ParameterValue::List values;
    for (const auto& policy : defaults.policies) {
        Parameters fields;
        const bool pods = policy.type == HpaScalingPolicy::Type::pods;
        fields.set("type", {std::string(pods ? "Pods" : "Percent")});
        fields.set("value", {policy.value});
        fields.set("period", {policy.period});
        values.push_back({std::make_shared<const Parameters>(std::move(fields))});
    }
    list.default_value = {std::make_shared<const ParameterValue::List>(std::move(values))};
    return list;
}

ParameterSpec rules_spec(std::string name, const HpaScalingRules& defaults, std::string help) {
    return ParameterSpec::object(
        std::move(name),
        {ParameterSpec::duration("stabilization_window", Duration::zero(),
                                 "past recommendations that hold a change back; by default 0 up, "
                                 "downscale_stabilization down")
             .optional_without_default()
             .at_most(3600),
         ParameterSpec::choice("select_policy", {"Max", "Min", "Disabled"}, "Max",
                               "which of the policies counts: the widest, the tightest, none"),
         policies_spec(defaults),
         ParameterSpec::number("tolerance", 0.1, "instead of the tolerance, in this direction")
             .optional_without_default()
             .at_least(0)},
        std::move(help));
}

std::optional<MetricKind> parse_kind(const std::string& type) {
    if (type == "Resource") return MetricKind::resource;
    if (type == "ContainerResource") return MetricKind::container_resource;
    if (type == "Pods") return MetricKind::pods;
    if (type == "Object") return MetricKind::object;
    if (type == "External") return MetricKind::external;
    return std::nullopt;
}

HpaTargetKind parse_target_kind(const std::string& type) {
    if (type == "Utilization") return HpaTargetKind::utilization;
    return type == "AverageValue" ? HpaTargetKind::average_value : HpaTargetKind::value;
}

bool is_of_resource(const HpaMetric& metric) {
    return metric.request.kind == MetricKind::resource ||
           metric.request.kind == MetricKind::container_resource;
}

bool names_no_resource(const HpaMetric& metric) {
    return is_of_resource(metric) && metric.request.name != "cpu" &&
           metric.request.name != "memory";
}

/// The metrics, or the default ones in place of none, as the API fills them in.
ParameterValue::List metrics_or_default(const Parameters& parameters) {
    const ParameterValue::List& given = parameters.list("metrics");
    if (!given.empty()) return given;
    const ParameterSpec spec = metrics_spec();
    return *std::get<std::shared_ptr<const ParameterValue::List>>(spec.default_value.data);
}

/// Why the API would refuse this metric; empty when it would not.
std::string find_fault(const HpaMetric& metric) {
    const bool is_resource = is_of_resource(metric);
    const bool is_pods = metric.request.kind == MetricKind::pods;
    const HpaTargetKind target = metric.target_kind;
    if (names_no_resource(metric)) {
        return fmt::format("resource {} is not known: cpu or memory", metric.request.name);
    }
    if (metric.request.kind == MetricKind::container_resource && metric.request.container.empty()) {
        return "a ContainerResource metric names its container";
    }
    if (is_resource && target == HpaTargetKind::value) {
        return "a resource takes a target of type Utilization or AverageValue";
    }
    if (is_pods && target != HpaTargetKind::average_value) {
        return "a Pods metric takes a target of type AverageValue";
    }
    if (!is_resource && target == HpaTargetKind::utilization) {
        return "only a resource takes a target of type Utilization";
    }
    const std::int64_t least = target == HpaTargetKind::utilization ? 1000 : 1;
    if (metric.target_milli < least) return "the target must be above zero";
    return {};
}

HpaMetric parse_metric(const Parameters& parameters) {
    HpaMetric metric;
    const std::string& type = parameters.text("type");
    const auto kind = parse_kind(type);
    metric.request.kind = kind.value_or(MetricKind::external);
    metric.request.name = parameters.text("name");
    if (metric.request.kind == MetricKind::container_resource) {
        metric.request.container = parameters.text("container");
    }
    const Parameters& target = parameters.object("target");
    metric.target_kind = parse_target_kind(target.text("type"));
    metric.request.share_of_requests = metric.target_kind == HpaTargetKind::utilization;
    metric.target_milli = target.given("value") ? target.integer("value") : 0;
    metric.invalid =
        kind.has_value() ? find_fault(metric) : fmt::format("unknown metric source type {}", type);
    return metric;
}

HpaScalingRules parse_rules(const Parameters& parameters, HpaScalingRules rules) {
    if (parameters.given("stabilization_window")) {
        rules.stabilization_window = parameters.duration("stabilization_window");
    }
    const std::string& select = parameters.text("select_policy");
    rules.select_policy = select == "Max"   ? HpaSelectPolicy::max
                          : select == "Min" ? HpaSelectPolicy::min
                                            : HpaSelectPolicy::disabled;
    const auto& policies = parameters.list("policies");
    if (policies.empty()) return rules;
    rules.policies.clear();
    for (const auto& value : policies) {
        const Parameters& policy = *std::get<std::shared_ptr<const Parameters>>(value.data);
        rules.policies.push_back({.type = policy.text("type") == "Percent"
                                              ? HpaScalingPolicy::Type::percent
                                              : HpaScalingPolicy::Type::pods,
                                  .value = policy.integer("value"),
                                  .period = policy.duration("period")});
    }
    return rules;
}

}  // namespace

ParameterSpecs Hpa::parameter_specs() {
    const Duration five_minutes = Duration::seconds(300);
    return {
        control::replica_count("min_replicas", 1,
                               "replicas at least; 0 takes an Object or External metric"),
        control::replica_count("max_replicas", 1, "replicas at most").required().at_least(1),
        metrics_spec(),
        ParameterSpec::object(
            "behavior",
            {rules_spec("scale_up", default_scale_up_rules(), "rules for more replicas"),
             rules_spec("scale_down", default_scale_down_rules(five_minutes),
                        "rules for fewer replicas")},
            "rules of change per direction; without it, scale_up_limit_* and "
            "downscale_stabilization hold")
            .optional_without_default(),
        ParameterSpec::duration("sync_period", Duration::seconds(15), "time between two rounds")
            .above(0),
        ParameterSpec::number("tolerance", 0.1, "|1 - usage/target| that changes nothing")
            .at_least(0),
        ParameterSpec::duration("downscale_stabilization", five_minutes,
                                "the largest recommendation of this span holds"),
        ParameterSpec::duration("cpu_initialization_period", five_minutes,
                                "a starting pod's cpu samples may be left out this long"),
        ParameterSpec::duration("initial_readiness_delay", Duration::seconds(30),
                                "a pod unready since then was never ready"),
        ParameterSpec::number("scale_up_limit_factor", 2.0,
                              "replicas may grow this many times in one round, without behavior")
            .above(0),
        control::replica_count("scale_up_limit_minimum", 4,
                               "replicas that one round may always reach, without behavior")
            .at_least(1),
    };
}

Hpa::Hpa(const Parameters& parameters, const PolicyContext&)
    : bounds_{parameters.integer("min_replicas"), parameters.integer("max_replicas")},
      sync_period_(parameters.duration("sync_period")),
      downscale_stabilization_(parameters.duration("downscale_stabilization")),
      scale_up_limit_factor_(parameters.number("scale_up_limit_factor")),
      scale_up_limit_minimum_(parameters.integer("scale_up_limit_minimum")),
      behavior_{default_scale_up_rules(), default_scale_down_rules(downscale_stabilization_)} {
    for (const auto& value : metrics_or_default(parameters)) {
        const std::string pointer = fmt::format("/metrics/{}/name", metrics_.size());
        metrics_.push_back(parse_metric(*std::get<std::shared_ptr<const Parameters>>(value.data)));
        metrics_.back().request.pointer = pointer;
    }
    const double tolerance = parameters.number("tolerance");
    calculator_.tolerances = {.scale_down = tolerance, .scale_up = tolerance};
    calculator_.cpu_initialization_period = parameters.duration("cpu_initialization_period");
    calculator_.initial_readiness_delay = parameters.duration("initial_readiness_delay");
    if (parameters.given("behavior")) {
        has_behavior_ = true;
        const Parameters& up = parameters.object("behavior").object("scale_up");
        const Parameters& down = parameters.object("behavior").object("scale_down");
        behavior_ = {parse_rules(up, std::move(behavior_.up)),
                     parse_rules(down, std::move(behavior_.down))};
        for (const char* direction : {"scale_up", "scale_down"}) {
            if (!parameters.object("behavior").object(direction).list("policies").empty()) continue;
            behavior_faults_.push_back(
                {fmt::format("/behavior/{}/policies", direction),
                 "expected at least one policy, found none (\"select_policy\": \"Disabled\" stops "
                 "a direction)"});
        }
        HpaTolerances& tolerances = calculator_.tolerances;
        if (up.given("tolerance")) tolerances.scale_up = up.number("tolerance");
        if (down.given("tolerance")) tolerances.scale_down = down.number("tolerance");
        tolerances.per_direction = up.given("tolerance") || down.given("tolerance");
    }
}

std::vector<control::MetricRequest> Hpa::metrics() const {
    std::vector<control::MetricRequest> requests;
    for (const auto& metric : metrics_) requests.push_back(metric.request);
    return requests;
}

control::ScalingFault Hpa::bounds_fault() const {
    return above_max("min_replicas", bounds_.min_replicas, bounds_.max_replicas);
}

std::vector<control::ScalingFault> Hpa::faults() const {
    std::vector<control::ScalingFault> faults = behavior_faults_;
    if (bounds_.min_replicas > bounds_.max_replicas) faults.push_back(bounds_fault());
    const bool tells_of_zero =
        std::any_of(metrics_.begin(), metrics_.end(), [](const HpaMetric& metric) {
            return metric.request.kind == MetricKind::object ||
                   metric.request.kind == MetricKind::external;
        });
    if (bounds_.min_replicas == 0 && !tells_of_zero) {
        faults.push_back({"/min_replicas",
                          "expected at least 1 without an Object or External metric, which alone "
                          "has a value when there is no pod, found 0"});
    }
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
        if (metrics_[i].invalid.empty() || names_no_resource(metrics_[i])) continue;
        faults.push_back({fmt::format("/metrics/{}", i), metrics_[i].invalid});
    }
    return faults;
}

Hpa::Combined Hpa::combine_metrics(const ScalingView& view) const {
    Combined best;
    std::size_t failed = 0;
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
        static const control::MetricReading kNoReading;
        const auto& reading = i < view.metrics.size() ? view.metrics[i] : kNoReading;
        ReplicaProposal proposal = propose_replicas(metrics_[i], view, reading, calculator_);
        if (!proposal.valid) {
            if (failed++ == 0) best.error = std::move(proposal.error);
        } else if (best.replicas == 0 || proposal.replicas > best.replicas) {
            best.replicas = proposal.replicas;
            best.measured = std::move(proposal.measured);
        }
    }
    // A metric that is missing may be the one that is high: without it, only more replicas are
    // safe.
    best.valid = failed < metrics_.size() && (failed == 0 || best.replicas >= view.spec_replicas);
    if (failed > 0) {
        best.error =
            fmt::format("{} of {} metrics failed, first: {}", failed, metrics_.size(), best.error);
    }
    return best;
}

void Hpa::note_change(std::int64_t before, std::int64_t after, Time now) {
    if (has_behavior_) store_scale_event(memory_.events, behavior_, before, after, now);
}

ScalingDecision Hpa::move_into_bounds(const ScalingView& view) {
    const std::int64_t current = view.spec_replicas;
    const bool above = current > bounds_.max_replicas;
    const std::int64_t desired = above ? bounds_.max_replicas : bounds_.min_replicas;
    note_change(current, desired, view.now);
    return {.desired = desired,
            .wanted = desired,
            .outcome = ScalingOutcome::scaled,
            .reason = fmt::format("{} replicas are {} {}_replicas {}", current,
                                  above ? "above" : "below", above ? "max" : "min", desired)};
}

ScalingDecision Hpa::decide_by_metrics(const ScalingView& view) {
    const std::int64_t current = view.spec_replicas;
    const Combined combined = combine_metrics(view);
    if (!combined.valid) {
        return {.desired = current,
                .wanted = current,
                .outcome = ScalingOutcome::no_metrics,
                .reason = combined.error};
    }
    const std::int64_t wanted = combined.replicas;
    std::int64_t stabilized = wanted;
    LimitedReplicas limited;
    if (has_behavior_) {
        stabilized =
            stabilize_with_behavior(*memory_.recommendations, behavior_, current, wanted, view.now);
        limited =
            limit_with_behavior(bounds_, behavior_, memory_.events, current, stabilized, view.now);
    } else {
        stabilized = stabilize_downscale(*memory_.recommendations, wanted, downscale_stabilization_,
                                         view.now);
        limited = limit_without_behavior(bounds_, current, stabilized, scale_up_limit_factor_,
                                         scale_up_limit_minimum_);
    }
    ScalingDecision decision;
    decision.wanted = wanted;
    decision.desired = limited.replicas;
    decision.outcome = limited.replicas != wanted    ? ScalingOutcome::limited
                       : limited.replicas != current ? ScalingOutcome::scaled
                                                     : ScalingOutcome::unchanged;
    decision.reason = fmt::format("{} wanted", wanted);
    if (stabilized != wanted) {
        const bool down = stabilized > wanted;
        const HpaScalingRules& rules = down ? behavior_.down : behavior_.up;
        decision.reason += fmt::format(", {} held: scale-{} stabilization {}", stabilized,
                                       down ? "down" : "up", span_text(rules.stabilization_window));
    }
    if (limited.replicas != stabilized) {
        decision.reason += fmt::format(", {} allowed: {}", limited.replicas, limited.limit);
    }
    decision.inputs = combined.measured;
    if (!combined.error.empty()) decision.inputs += fmt::format("; {}", combined.error);
    note_change(current, decision.desired, view.now);
    return decision;
}

ScalingDecision Hpa::decide(const ScalingView& view) {
    const std::int64_t current = view.spec_replicas;
    if (bounds_.min_replicas > bounds_.max_replicas) return invalid_decision(view, bounds_fault());
    if (!memory_.recommendations.has_value()) {
        memory_.recommendations = {HpaRecommendation{current, view.now}};
    }
    if (current == 0 && !starts_from_zero()) {
        return {.desired = 0,
                .wanted = 0,
                .outcome = ScalingOutcome::disabled,
                .reason = "disabled: the workload has 0 replicas and min_replicas is above 0"};
    }
    if (current > bounds_.max_replicas || current < bounds_.min_replicas) {
        return move_into_bounds(view);
    }
    return decide_by_metrics(view);
}

REGISTER_POLICY(ScalingPolicy, Hpa, "hpa",
                "Kubernetes' horizontal pod autoscaler (autoscaling/v2), with behavior");

}  // namespace headroom::policies
