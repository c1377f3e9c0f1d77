#include "policies/scaling/keda/keda.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string_view>
#include <utility>
#include "policies/scaling/invalid_decision.hpp"

namespace headroom::policies {

namespace {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

/// Parameters of the HPA that mean the same here.
constexpr std::array<std::string_view, 6> kHpaParameters = {
    "behavior",
    "sync_period",
    "tolerance",
    "downscale_stabilization",
    "scale_up_limit_factor",
    "scale_up_limit_minimum",
};

const ParameterSpec* find_spec(const ParameterSpecs& specs, std::string_view name) {
    for (const ParameterSpec& spec : specs) {
        if (spec.name == name) return &spec;
    }
    return nullptr;
}

ParameterSpec fallback_spec() {
    return ParameterSpec::object(
               "fallback",
               {ParameterSpec::integer("failure_threshold", 3,
                                       "failures in a row that a trigger may have before")
                    .at_least(0),
                control::replica_count("replicas", 1, "replicas that a failing trigger asks for"),
                ParameterSpec::choice("behavior",
                                      {"static", "currentReplicas", "currentReplicasIfHigher",
                                       "currentReplicasIfLower"},
                                      "static",
                                      "or the present number, or the larger, the smaller")},
               "what a failing trigger asks for; without it, nothing")
        .optional_without_default();
}

/// The HPA's entry for one trigger.
ParameterValue hpa_metric(const std::string& name, KedaTargetType type, std::int64_t milli) {
    Parameters target;
    target.set("type", {std::string(type == KedaTargetType::value ? "Value" : "AverageValue")});
    target.set("value", {milli});
    Parameters metric;
    metric.set("type", {std::string("External")});
    metric.set("name", {name});
    metric.set("container", {std::string()});
    metric.set("target", {std::make_shared<const Parameters>(std::move(target))});
    return {std::make_shared<const Parameters>(std::move(metric))};
}

/// The behavior with one direction disabled, as KEDA writes it when that direction is paused.
Parameters disable(const Parameters& behavior, const char* direction) {
    Parameters rules = behavior.object(direction);
    rules.set("select_policy", {std::string("Disabled")});
    Parameters out = behavior;
    out.set(direction, {std::make_shared<const Parameters>(std::move(rules))});
    return out;
}

Parameters hpa_parameters(const Parameters& parameters, const KedaTriggers& triggers) {
    const ParameterSpecs specs = Hpa::parameter_specs();
    Parameters out = Parameters::defaults(specs);
    const std::int64_t least = std::max<std::int64_t>(parameters.integer("min_replicas"), 1);
    out.set("min_replicas", {least});
    out.set("max_replicas", {parameters.integer("max_replicas")});
    for (const std::string_view name : kHpaParameters) {
        const ParameterValue* value = parameters.find(name);
        if (value != nullptr) out.set(name, *value);
    }
    ParameterValue::List metrics;
    for (std::size_t i = 0; i < triggers.size(); ++i) {
        metrics.push_back(
            hpa_metric(triggers.name(i), triggers.target_type(i), triggers.threshold_milli(i)));
    }
    out.set("metrics", {std::make_shared<const ParameterValue::List>(std::move(metrics))});

    const bool in = parameters.boolean("paused_scale_in");
    const bool up = parameters.boolean("paused_scale_out");
    if (!in && !up) return out;
    Parameters behavior = out.given("behavior")
                              ? out.object("behavior")
                              : Parameters::defaults(find_spec(specs, "behavior")->fields);
    if (in) behavior = disable(behavior, "scale_down");
    if (up) behavior = disable(behavior, "scale_up");
    out.set("behavior", {std::make_shared<const Parameters>(std::move(behavior))});
    return out;
}

KedaScaleRules parse_rules(const Parameters& parameters) {
    const auto optional = [&](const char* name) -> std::optional<std::int64_t> {
        if (!parameters.given(name)) return std::nullopt;
        return parameters.integer(name);
    };
    KedaScaleRules rules;
    rules.min_replicas = parameters.integer("min_replicas");
    rules.idle_replica_count = optional("idle_replica_count");
    rules.paused_replicas = optional("paused_replicas");
    rules.cooldown_period = parameters.duration("cooldown_period");
    rules.initial_cooldown_period = parameters.duration("initial_cooldown_period");
    rules.paused_scale_in = parameters.boolean("paused_scale_in");
    rules.paused_scale_out = parameters.boolean("paused_scale_out");
    rules.force_activation = parameters.boolean("force_activation");
    if (parameters.given("fallback")) {
        rules.fallback_replicas = parameters.object("fallback").integer("replicas");
    }
    return rules;
}

Duration common_period(Duration poll, Duration sync) {
    const Duration common = Duration::picoseconds(std::gcd(poll.ps(), sync.ps()));
    return std::max(common, std::min({Duration::seconds(1), poll, sync}));
}

std::int64_t count_ready(const ScalingView& view) {
    return std::count_if(view.pods.begin(), view.pods.end(), [](const control::ScalingPod& pod) {
        return pod.phase == control::PodPhase::running && pod.has_ready_condition && pod.ready;
    });
}

std::string scale_text(const KedaScale& scale, const KedaScaleRules& rules,
                       std::optional<Time> last_active, Time now) {
    switch (scale.reason) {
        case KedaScaleReason::nothing:
            return "nothing to activate or deactivate";
        case KedaScaleReason::paused:
            return fmt::format("paused at {}", scale.replicas);
        case KedaScaleReason::activated:
            return fmt::format(
                "{} wanted: {}", scale.replicas,
                rules.force_activation ? "activation is forced" : "a trigger is active");
        case KedaScaleReason::deactivated:
            return fmt::format("{} wanted: no trigger is active", scale.replicas);
        case KedaScaleReason::raised:
            return fmt::format("{} wanted: min_replicas", scale.replicas);
        case KedaScaleReason::cooling:
            if (!last_active) {
                return fmt::format("no trigger was active yet, initial_cooldown_period {:g} s",
                                   rules.initial_cooldown_period.to_seconds());
            }
            return fmt::format("no trigger was active for {:g} s, cooldown_period {:g} s",
                               (now - *last_active).to_seconds(),
                               rules.cooldown_period.to_seconds());
        case KedaScaleReason::scale_in_paused:
            return "no trigger is active, but paused_scale_in";
        case KedaScaleReason::scale_out_paused:
            return "a trigger is active, but paused_scale_out";
        case KedaScaleReason::failed:
            return "a trigger failed and none is active";
    }
    return {};
}

ScalingOutcome outcome_of(const KedaScale& scale, std::int64_t current) {
    if (scale.replicas != current) return ScalingOutcome::scaled;
    switch (scale.reason) {
        case KedaScaleReason::failed:
            return ScalingOutcome::no_metrics;
        case KedaScaleReason::cooling:
        case KedaScaleReason::scale_in_paused:
        case KedaScaleReason::scale_out_paused:
            return ScalingOutcome::limited;
        default:
            return ScalingOutcome::unchanged;
    }
}

/// What is wanted where the replicas stay all the same.
std::int64_t wanted_by(const KedaScale& scale, const KedaScaleRules& rules) {
    switch (scale.reason) {
        case KedaScaleReason::cooling:
        case KedaScaleReason::scale_in_paused:
            return rules.idle_replica_count.value_or(rules.min_replicas);
        case KedaScaleReason::scale_out_paused:
            return std::max<std::int64_t>(rules.min_replicas, 1);
        default:
            return scale.replicas;
    }
}

ParameterSpecs own_specs() {
    return {
        control::replica_count("min_replicas", 0, "replicas at least (KEDA: minReplicaCount)"),
        control::replica_count("max_replicas", 100, "replicas at most (KEDA: maxReplicaCount)")
            .at_least(1),
        control::replica_count("idle_replica_count", 0,
                               "replicas while no trigger is active, below min_replicas")
            .optional_without_default(),
        ParameterSpec::duration("polling_interval", Duration::seconds(30),
                                "time between two looks whether a trigger is active")
            .above(0),
        ParameterSpec::duration("cooldown_period", Duration::seconds(300),
                                "time after the last active trigger until it goes to zero or idle"),
        ParameterSpec::duration("initial_cooldown_period", Duration::zero(),
                                "the same after the start, when no trigger has been active yet"),
        fallback_spec(),
        ParameterSpec::boolean("paused_scale_in", false, "never fewer replicas"),
        ParameterSpec::boolean("paused_scale_out", false, "never more replicas"),
        control::replica_count("paused_replicas", 0, "exactly so many, whatever the triggers say")
            .optional_without_default(),
        ParameterSpec::boolean("force_activation", false, "as if a trigger were always active"),
        KedaTriggers::spec(),
    };
}

}  // namespace

ParameterSpecs Keda::parameter_specs() {
    ParameterSpecs specs = own_specs();
    const ParameterSpecs hpa = Hpa::parameter_specs();
    for (const std::string_view name : kHpaParameters) specs.push_back(*find_spec(hpa, name));
    return specs;
}

Keda::Keda(const Parameters& parameters, const PolicyContext& context)
    : triggers_(parameters.list("triggers")),
      rules_(parse_rules(parameters)),
      polling_interval_(parameters.duration("polling_interval")),
      sync_period_(parameters.duration("sync_period")),
      period_(common_period(polling_interval_, sync_period_)),
      hpa_(hpa_parameters(parameters, triggers_), context),
      faults_(triggers_.faults()) {
    if (parameters.given("fallback")) fallback_ = parse_fallback(parameters.object("fallback"));
    memory_.failures.resize(triggers_.size());
    hpa_view_.metrics.resize(triggers_.size());
    find_faults(rules_, parameters.integer("max_replicas"));
    const std::vector<control::ScalingFault>& behavior = hpa_.behavior_faults();
    faults_.insert(faults_.end(), behavior.begin(), behavior.end());
}

Keda::Fallback Keda::parse_fallback(const Parameters& parameters) {
    const std::string& behavior = parameters.text("behavior");
    return {.failure_threshold = parameters.integer("failure_threshold"),
            .replicas = parameters.integer("replicas"),
            .behavior = behavior == "currentReplicas" ? FallbackBehavior::current
                        : behavior == "currentReplicasIfHigher"
                            ? FallbackBehavior::current_if_higher
                        : behavior == "currentReplicasIfLower" ? FallbackBehavior::current_if_lower
                                                               : FallbackBehavior::fixed};
}

void Keda::find_faults(const KedaScaleRules& rules, std::int64_t max_replicas) {
    if (rules.min_replicas > max_replicas) {
        faults_.push_back(above_max("min_replicas", rules.min_replicas, max_replicas));
    }
    if (rules.idle_replica_count && *rules.idle_replica_count >= rules.min_replicas) {
        faults_.push_back(
            {"/idle_replica_count", fmt::format("expected less than min_replicas ({}), found {}",
                                                rules.min_replicas, *rules.idle_replica_count)});
    }
}

std::vector<control::MetricRequest> Keda::metrics() const {
    return triggers_.metrics();
}

Keda::Memory Keda::memory() const {
    Memory memory = memory_;
    memory.hpa = hpa_.memory();
    return memory;
}

void Keda::restore(Memory memory) {
    hpa_.restore(std::move(memory.hpa));
    memory.hpa = {};
    memory.failures.resize(triggers_.size());
    memory_ = std::move(memory);
}

ScalingDecision Keda::decide(const ScalingView& view) {
    ScalingDecision decision;
    decision.desired = decision.wanted = view.spec_replicas;
    if (!faults_.empty()) return invalid_decision(view, faults_.front());
    if (triggers_.lacks_calendar(view)) return no_calendar_decision(view);
    if (!memory_.created) memory_.created = view.now;
    const bool polls = view.now >= memory_.next_poll;
    const bool syncs = view.now >= memory_.next_sync && !rules_.paused_replicas;
    if (!polls && !syncs) {
        decision.reason = "between two polls";
        return decision;
    }
    const std::vector<KedaReading>& readings = triggers_.read(view);
    if (polls) {
        memory_.next_poll = view.now.later_by(polling_interval_);
        decision = poll(view, readings);
    }
    if (!syncs) return decision;
    memory_.next_sync = view.now.later_by(sync_period_);
    if (decision.desired != view.spec_replicas) return decision;
    ScalingDecision synced = sync(view, readings);
    // An HPA that finds nothing to do does not hide that KEDA waits.
    const bool quiet = synced.desired == view.spec_replicas &&
                       synced.outcome == ScalingOutcome::unchanged &&
                       decision.outcome == ScalingOutcome::limited;
    return quiet ? decision : synced;
}

ScalingDecision Keda::poll(const ScalingView& view, const std::vector<KedaReading>& readings) {
    KedaScaleInput input;
    input.current = view.spec_replicas;
    for (const KedaReading& reading : readings) {
        input.active = input.active || reading.active;
        input.error = input.error || !reading.error.empty();
    }
    const KedaScale scale =
        keda_scale(rules_, input, memory_.last_active, memory_.created, view.now);
    ScalingDecision decision;
    decision.desired = scale.replicas;
    decision.wanted = wanted_by(scale, rules_);
    decision.outcome = outcome_of(scale, view.spec_replicas);
    decision.reason = "poll: " + scale_text(scale, rules_, memory_.last_active, view.now);
    decision.inputs = triggers_.describe();
    if (scale.sets_last_active) memory_.last_active = view.now;
    return decision;
}

std::optional<std::int64_t> Keda::fallback_value(std::size_t trigger, std::int64_t current,
                                                 std::int64_t ready) const {
    if (!fallback_ || memory_.failures[trigger] <= fallback_->failure_threshold) {
        return std::nullopt;
    }
    std::int64_t replicas = fallback_->replicas;
    switch (fallback_->behavior) {
        case FallbackBehavior::fixed:
            break;
        case FallbackBehavior::current:
            replicas = current;
            break;
        case FallbackBehavior::current_if_higher:
            replicas = std::max(replicas, current);
            break;
        case FallbackBehavior::current_if_lower:
            replicas = std::min(replicas, current);
            break;
    }
    const std::int64_t whole = triggers_.threshold_milli(trigger) * replicas;
    if (triggers_.target_type(trigger) == KedaTargetType::average_value) return whole;
    // The HPA multiplies a whole value by the ready pods.
    if (ready == 0) return std::nullopt;
    return whole / ready;
}

void Keda::fill_hpa_view(const ScalingView& view, const std::vector<KedaReading>& readings) {
    hpa_view_.now = view.now;
    hpa_view_.spec_replicas = view.spec_replicas;
    hpa_view_.status_replicas = view.status_replicas;
    hpa_view_.pods.resize(view.pods.size());
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        hpa_view_.pods[i].phase = view.pods[i].phase;
        hpa_view_.pods[i].has_ready_condition = view.pods[i].has_ready_condition;
        hpa_view_.pods[i].ready = view.pods[i].ready;
    }
    const std::int64_t ready = count_ready(view);
    for (std::size_t i = 0; i < readings.size(); ++i) {
        control::MetricReading& metric = hpa_view_.metrics[i];
        const KedaReading& reading = readings[i];
        metric.values_milli.assign(1, reading.value_milli);
        metric.timestamp = view.now;
        metric.available = reading.error.empty();
        metric.error = reading.error;
        memory_.failures[i] = metric.available ? 0 : memory_.failures[i] + 1;
        if (metric.available) continue;
        const auto value = fallback_value(i, view.spec_replicas, ready);
        metric.available = value.has_value();
        if (value) metric.values_milli.front() = *value;
    }
}

ScalingDecision Keda::sync(const ScalingView& view, const std::vector<KedaReading>& readings) {
    if (view.spec_replicas == 0) {
        ScalingDecision decision;
        decision.reason = "0 replicas: the HPA waits until a trigger is active";
        decision.inputs = triggers_.describe();
        return decision;
    }
    fill_hpa_view(view, readings);
    ScalingDecision decision = hpa_.decide(hpa_view_);
    decision.reason = "HPA: " + decision.reason;
    return decision;
}

REGISTER_POLICY(ScalingPolicy, Keda, "keda",
                "KEDA: triggers move a workload between 0 and 1, an HPA does the rest");

}  // namespace headroom::policies
